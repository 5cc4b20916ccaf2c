"""The Python client: curated bars, what the ledger knows, scores and findings, as Polars frames.

What belongs here: from what a person writes in a notebook to one call of a use-case.
What does not: the use-cases (market_data/pipeline), Dagster: a process that reads bars never
imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

import polars as pl

from emp.moments import Moment, day, instant, period
from emp.platforms import platform_of
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.pipeline.platform import Platform

Symbols = str | Sequence[str]


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
        checked: flag each bar that is a false tick (false_tick, warn), a jump (jump, warn) or a
            change of the unit (unit_error, error), as the checks would now, before `quality`
            leaves anything out; what somebody accepted is not flagged.
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
    """
    from market_data.pipeline.read import read_bars

    platform = platform_of(settings)
    wanted = period(start, end, **_bounds(platform))
    bars = read_bars(
        platform,
        _names(symbols),
        timeframe=_timeframe(timeframe),
        start=wanted.start,
        end=wanted.end,
        sessions=wanted.sessions,
        adjusted=adjusted,
        as_of=None if as_of is None else instant(as_of, "as_of"),
        quality=quality,
        running=running,
        impute=impute,
        checked=checked,
    )
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
        ConfigurationError: as `get_curated_bars`.
    """
    from market_data.datasets import curated_bars

    platform = platform_of(settings)
    names = _names(symbols)
    asked = rows
    while True:
        stored = platform.store.latest(
            curated_bars(_timeframe(timeframe)), symbols=names, rows=asked
        )
        bars = get_curated_bars(
            names,
            stored["ts"].min() if stored.height else platform.clock.now(),  # type: ignore[arg-type]
            None,
            timeframe,
            adjusted=adjusted,
            quality=quality,
            running=running,
            impute=impute,
            checked=checked,
            settings=settings,
        )
        newest = bars.group_by("symbol", maintain_order=True).tail(rows)
        # Bars that are withheld leave a symbol short, while the store still has older ones.
        more = stored.group_by("symbol").len("stored").filter(pl.col("stored") >= asked)
        short = more.join(newest.group_by("symbol").len("served"), on="symbol", how="left").filter(
            pl.col("served").fill_null(0) < rows
        )
        if short.is_empty():
            return newest
        asked *= 8


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
        sentence; empty where nothing is missing).

    Raises:
        ConfigurationError: a symbol or vendor is not configured, or a day is none.
    """
    from market_data.pipeline.explain import explain

    platform = platform_of(settings)
    speakers = None if vendors is None else listed(vendors)
    for vendor in speakers or ():
        platform.universe.vendor(vendor)
    first, last = _days(start, end)
    return explain(platform, _names(symbols), first, last, _timeframe(timeframe), speakers)


def get_quality_scores(
    symbols: Symbols,
    start: Moment | None = None,
    end: Moment | None = None,
    timeframe: str | None = None,
    *,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Scores of symbol-sessions, sorted by (symbol, session, dataset).

    Args:
        symbols: platform symbols.
        start: first session.
        end: last session, included.
        timeframe: of one timeframe's bars; None for all.
        settings: another installation than that of the environment.

    Returns:
        The columns of market_data.schemas.SCORES: dataset, symbol, session, what was measured,
        score (0 to 1), status (GREEN, YELLOW or RED), reasons.

    Raises:
        ConfigurationError: a symbol is not in the universe, or a day is none.
    """
    from market_data.datasets import SCORES_DATASET, curated_bars

    platform = platform_of(settings)
    names = _names(symbols)
    for symbol in names:
        platform.universe.instrument(symbol)
    wanted = period(
        None if start is None else day(start, "start"),
        None if end is None else day(end, "end"),
        **_bounds(platform),
    )
    scores = platform.store.scan(SCORES_DATASET, symbols=names, sessions=wanted.sessions)
    if timeframe is None:
        return scores
    return scores.filter(pl.col("dataset") == curated_bars(_timeframe(timeframe)).name)


def get_findings(
    symbols: Symbols,
    start: Moment,
    end: Moment,
    timeframe: str = "1d",
    *,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """What the checks find now in raw and curated bars, errors first.

    Args:
        symbols: platform symbols.
        start: first session.
        end: last session, included.
        timeframe: whose bars.
        settings: another installation than that of the environment.

    Returns:
        check, code, severity (error or warn), dataset, symbol (String), session (Date), value,
        threshold (Float64), rows (Int64), detail (one sentence), state (open, or accepted where
        somebody accepts it; open ones come first), decision (who accepts it and why; empty where
        it is open).

    Raises:
        ConfigurationError: a symbol is not in the universe, or a day is none.
    """
    from market_data.pipeline.inspection import inspect_curated, inspect_raw

    platform = platform_of(settings)
    names = _names(symbols)
    served = [platform.universe.instrument(symbol) for symbol in names]
    first, last = _days(start, end)
    wanted = _timeframe(timeframe)
    vendors = [
        vendor.name
        for vendor in platform.universe.vendors_of(wanted)
        if any(platform.universe.serves(vendor, instrument) for instrument in served)
    ]
    seen = [inspect_curated(platform, wanted, first, last)]
    seen += [inspect_raw(platform, v, wanted, first, last) for v in vendors]
    decision = pl.format("{}: {}", "author", "reason")
    parts = [s.findings.with_columns(state=pl.lit("open"), decision=pl.lit("")) for s in seen]
    parts += [
        s.accepted.with_columns(state=pl.lit("accepted"), decision=decision).select(
            parts[0].columns
        )
        for s in seen
    ]
    order = ["state", "severity", "session", "symbol", "dataset", "check", "code"]
    return (
        pl.concat(parts)
        .filter(pl.col("symbol").is_in(names))
        .sort(order, descending=[name == "state" for name in order])
    )


def listed(names: Symbols) -> list[str]:
    """One name or several, each once."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def _names(symbols: Symbols) -> list[str]:
    names = listed(symbols)
    if not names:
        raise ConfigurationError("name at least one symbol")
    return names


def _timeframe(value: str) -> Timeframe:
    try:
        return Timeframe(value)
    except ValueError as error:
        known = ", ".join(Timeframe)
        raise ConfigurationError(f"timeframe={value!r}; it takes one of: {known}") from error


def _bounds(platform: Platform) -> dict[str, date]:
    """The sessions that can exist now; a session may begin two evenings before its date's end."""
    return {
        "earliest": platform.universe.first_session,
        "latest": platform.clock.now().date() + timedelta(days=2),
    }


def _days(start: Moment, end: Moment) -> tuple[date, date]:
    first, last = day(start, "start"), day(end, "end")
    if last < first:
        raise ConfigurationError(f"the period ends ({end}) before it starts ({start})")
    return first, last


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
