"""The Python client: curated bars and what the ledger knows, as Polars frames.

What belongs here: from what a person writes in a notebook to one call of a use-case.
What does not: scores and findings (judgements.py), the use-cases (market_data/pipeline), Dagster: a
process that reads bars never imports it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from emp.arguments import Symbols, bounds_of, days_of, listed, names_of, timeframe_of
from emp.moments import Moment, instant, period
from emp.platforms import lake_instead, platform_of
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.pipeline.platform import Platform


def get_curated_bars(
    symbols: Symbols,
    start: Moment | None = None,
    end: Moment | None = None,
    timeframe: str = "1d",
    *,
    adjusted: Literal["none", "splits", "total"] = "none",
    as_of: Moment | None = None,
    quality: Literal["trusted", "ok", "all"] = "trusted",
    running: bool = False,
    impute: str | Mapping[str, object] = "annotated",
    checked: bool = False,
    columns: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Curated bars of one or more symbols, sorted by (symbol, ts).

    Args:
        symbols: platform symbols: those of config/universe.yaml and those ingested since.
        start: a day ("2024-01-02" or a date) is the first session; an instant
            ("2024-01-02T15:00" or a datetime, UTC where it has no zone) the first bar start.
        end: a day is the last session, included; an instant is excluded. None: everything.
        timeframe: 1m, 5m, 15m, 30m, 1h, 4h or 1d.
        adjusted: "none" gives prices as they traded; "splits" and "total" (splits and dividends)
            put them on the share count of the newest action known at `as_of`.
        as_of: curate again from what was known at this moment; a day means its first moment, UTC.
        quality: "trusted" leaves out bars whose dq_status is error, "ok" also those with warn,
            "all" leaves out none.
        running: also bars whose period is not over; their `final` is false.
        impute: how missing bars are made up: "ffill" (of prices), or by column
            "prices=ffill,volume=zero,limit=3", or such pairs in a mapping; docs/annotations.md says
            more. "annotated": only where people decided so, and never with quality "ok"; "none":
            never. The values that were made up are true in the columns is_imputed_open, _high,
            _low, _close, _vwap, _volume and _trades, which come where bars may have been made up.
        checked: work the flags of single bars out anew, as the checks would now; False: bars carry
            those that were found when their session was scored last (with `as_of`: by then). They
            are false_tick, wick (a wrong open, high or low), jump, flat_run (a price that stands
            still), repeated_bar (the bar before once more, volume and all), volume, zero_volume,
            volume_missing (of the session) and consistency (a day that its shorter bars
            contradict; of the last scores in any case), which make dq_status warn, and
            unit_error (pence for pounds), which makes it error, before `quality` leaves anything
            out; what somebody accepted is not flagged. docs/quality.md says more.
        columns: only these, in this order; one name, or several.
        settings: another installation than that of the environment.

    Returns:
        symbol (String), ts (Datetime, us, UTC: start of the bar), session (Date), open, high, low,
        close (Float64, in the instrument's currency), volume, vwap (Float64, null where no vendor
        gives them), trades (Int64, null likewise), source (vendor of the prices; "vendor@1m" when
        resampled; "imputed" when made up), filled (columns taken from another vendor), final
        (Boolean), dq_status (ok, warn or error), flags (codes of findings), rule_version.

    Raises:
        ConfigurationError: a symbol is not in the universe, or an argument has no such value; the
            message says what there is. Interpolation, which looks ahead, is refused with `as_of`.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        UnknownActionsWarning: prices that could not be adjusted, or are left out for that, or
            sessions about which nobody was asked who would have told a split.
        WithheldBarsWarning: "trusted" left out bars: how many of which symbols and sessions.
        UnjudgedBarsWarning: nobody has scored some of the bars yet, so that none of them can be
            flagged; not with `as_of` or `checked`.
        StoreAwayWarning: the warehouse is away, as 'emp failover status' shows: the bars were
            curated anew from the lake; or, with `as_of`, they lack the flags that it keeps.
    """
    from market_data.pipeline.read import read_bars

    platform = platform_of(settings)
    wanted = period(start, end, **bounds_of(platform))

    # No function of its own: warnings point at who asked.
    read = partial(
        read_bars,
        symbols=names_of(symbols),
        timeframe=timeframe_of(timeframe),
        start=wanted.start,
        end=wanted.end,
        sessions=wanted.sessions,
        adjusted=adjusted,
        quality=quality,
        running=running,
        impute=impute,
        checked=checked,
    )
    moment = None if as_of is None else instant(as_of, "as_of")
    try:
        bars = read(platform, as_of=moment)
    except StoreUnavailableError as error:
        lake = lake_instead(platform, settings, error, _flagged(timeframe))
        bars = read(lake, as_of=moment)
    return bars if columns is None else with_columns(bars, columns)


def get_latest_bars(
    symbols: Symbols,
    rows: int,
    timeframe: str = "1d",
    *,
    adjusted: Literal["none", "splits", "total"] = "none",
    quality: Literal["trusted", "ok", "all"] = "trusted",
    running: bool = False,
    impute: str | Mapping[str, object] = "annotated",
    checked: bool = False,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """The newest `rows` curated bars of each symbol; arguments and columns of `get_curated_bars`.

    Raises:
        ConfigurationError, StoreUnavailableError: as `get_curated_bars`.

    Warns:
        As `get_curated_bars`.
    """
    platform = platform_of(settings)
    newest = partial(
        _newest,
        symbols=names_of(symbols),
        rows=rows,
        timeframe=timeframe_of(timeframe),
        adjusted=adjusted,
        quality=quality,
        running=running,
        impute=impute,
        checked=checked,
    )
    try:
        return newest(platform)
    except StoreUnavailableError as error:
        return newest(lake_instead(platform, settings, error, _flagged(timeframe)))


def _newest(
    platform: Platform, *, symbols: Sequence[str], rows: int, timeframe: Timeframe, **how: Any
) -> pl.DataFrame:
    """The newest bars of each symbol, read as `how` says; warnings point at the client's caller."""
    from market_data.datasets import curated_bars
    from market_data.pipeline.read import read_bars

    def newest_since(start: datetime) -> tuple[pl.DataFrame, list[warnings.WarningMessage]]:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            bars = read_bars(platform, symbols, timeframe=timeframe, start=start, **how)
        return bars.group_by("symbol", maintain_order=True).tail(rows), noted

    asked = rows
    while True:
        stored = platform.store.latest(curated_bars(timeframe), symbols=symbols, rows=asked)
        newest, noted = newest_since(_first(stored) if stored.height else platform.clock.now())
        # Bars that are withheld leave a symbol short, while the store still has older ones.
        more = stored.group_by("symbol").len("stored").filter(pl.col("stored") >= asked)
        short = more.join(newest.group_by("symbol").len("served"), on="symbol", how="left").filter(
            pl.col("served").fill_null(0) < rows
        )
        if short.is_empty():
            if asked > rows and newest["symbol"].n_unique() == stored["symbol"].n_unique():
                # What is said is about these bars, and not about all that were looked through.
                newest, noted = newest_since(_first(newest))
            # Said once, and not of each range that turned out to be too short.
            for note in noted:
                warnings.warn(note.message, stacklevel=3)
            return newest
        asked *= 8


def _flagged(timeframe: str) -> list[Timeframe]:
    """Timeframes whose flags a read needs: its own, and the daily closes that it is adjusted by."""
    return [*dict.fromkeys([timeframe_of(timeframe), Timeframe.D1])]


def _first(bars: pl.DataFrame) -> datetime:
    found: datetime = bars["ts"].min()  # type: ignore[assignment]
    return found


def get_coverage(
    symbols: Symbols,
    start: Moment,
    end: Moment,
    timeframe: str = "1d",
    *,
    vendors: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """What the ledger knows, day by day, sorted by (symbol, vendor, session).

    Args:
        symbols: platform symbols.
        start: first day.
        end: last day, included.
        timeframe: whose ledger.
        vendors: only this one or these, whether they serve the symbol or not; None for every
            vendor that serves it at the timeframe.
        settings: another installation than that of the environment.

    Returns:
        vendor, timeframe, symbol (String), session (Date), outcome (rows, nothing, holiday,
        unavailable, refused, failed or not asked), rows (Int64), final (Boolean: asking again
        would bring nothing new), detail, asked_at (Datetime, us, UTC), fetch_id, reason (a
        sentence; empty where nothing is missing or withheld), withheld (Int64: curated bars of
        this vendor's prices that are in error, which readers do not get unless they ask).

    Raises:
        ConfigurationError: a symbol or vendor is not configured, or a day is none.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        StoreAwayWarning: it is away: curated bars are those that the lake gives.
    """
    from market_data.pipeline.explain import explain
    from market_data.pipeline.withheld import with_withheld

    platform = platform_of(settings)
    speakers = None if vendors is None else listed(vendors)
    for vendor in speakers or ():
        platform.universe.vendor(vendor)
    first, last = days_of(start, end)
    length = timeframe_of(timeframe)
    known = explain(platform, names_of(symbols), first, last, length, speakers)
    named = speakers is not None
    try:
        return with_withheld(platform, known, length, named=named)
    except StoreUnavailableError as error:
        lake = lake_instead(platform, settings, error, [length])
        return with_withheld(lake, known, length, named=named)


def with_columns(frame: pl.DataFrame, columns: Symbols) -> pl.DataFrame:
    """The frame with this column or these alone, in this order.

    Raises:
        ConfigurationError: it has no such column; the message lists those it has.
    """
    wanted = listed(columns)
    unknown = [c for c in wanted if c not in frame.columns]
    if unknown:
        raise ConfigurationError(
            f"no column {', '.join(unknown)}; there are: {', '.join(frame.columns)}"
        )
    return frame.select(wanted)
