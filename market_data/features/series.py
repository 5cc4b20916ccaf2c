"""Bars as features take them: in order, on one basis, with what is missing between them counted.

What belongs here: what all groups need of bars besides their prices. What does not: which bars
(market_data/pipeline/features.py), the features themselves.

Prices are put on the share count of the first session of the series, by the splits that came since,
and what is made of them is put back on that of its own session. So no split that came after a row
has a part in it, and none within a window breaks it.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from market_data.basis import FOREIGN_DAY, LATEST_DAY_END
from market_data.calendars import bar_starts, trading_sessions, with_bar_end
from market_data.ordering import sort_if_needed
from market_data.schemas import UTC
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

SERIES = pl.Schema(
    {
        "symbol": pl.String(),
        "ts": UTC,
        "session": pl.Date(),
        "available_at": UTC,
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
        "factor": pl.Float64(),
        "missing": pl.Int64(),
    }
)
"""Columns of `series`. Prices and volume are on the basis of the symbol's first session here: as
traded they are price / factor and volume * factor. `missing`: bars that the calendar expects
between the one before and this one; 0 for the first. `available_at`: the end of the bar, and never
before that of one before it."""


def series(
    bars: pl.DataFrame,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    actions: pl.DataFrame,
) -> pl.DataFrame:
    """Make a series of usable bars.

    Args:
        bars: symbol, ts, session, high, low, close, volume, flags, unadjusted; any order, one row
            per symbol and ts. Of daily bars also day_end, if it is known: when the vendor's own
            day ended that a bar is over, null for others.
        instruments: of these symbols.
        timeframe: of the bars.
        actions: rows of CORPORATE_ACTIONS, one per symbol, ex_date and kind; splits count.

    Returns:
        Columns SERIES, sorted by (symbol, ts).

    Raises:
        ConfigurationError: a calendar is unknown.
    """
    sound = sort_if_needed(bars).with_columns(pl.col("volume").fill_nan(None))
    placed = [
        _placed(own, calendar, timeframe)
        for calendar, own in _by_calendar(sound, instruments).items()
        if own.height
    ]
    if not placed:
        return pl.DataFrame(schema=SERIES)
    ordered = sort_if_needed(pl.concat(placed)) if len(placed) > 1 else placed[0]
    first = (ordered["symbol"] != ordered["symbol"].shift()).fill_null(value=True)
    counted = ordered.with_columns(missing=_missing(ordered["slot"], first))
    return _on_one_basis(_known_in_order(counted, first), actions).select(SERIES.names())


def _missing(slot: pl.Series, first: pl.Series) -> pl.Series:
    """How many slots lie between a bar and the one before it; none before the first."""
    import numpy as np

    found = np.diff(slot.to_numpy(), prepend=0) - 1
    np.maximum(found, 0, out=found)
    found[first.to_numpy()] = 0
    return pl.Series(found)


def _known_in_order(bars: pl.DataFrame, first: pl.Series) -> pl.DataFrame:
    """A row sees the bars before it: where one of these ends later, so does what is known."""
    ended = bars["available_at"]
    if not ((ended < ended.shift()) & ~first).any():
        return bars
    return bars.with_columns(pl.col("available_at").cum_max().over("symbol"))


def _by_calendar(bars: pl.DataFrame, instruments: Sequence[Instrument]) -> dict[str, pl.DataFrame]:
    symbols: dict[str, list[str]] = {}
    for instrument in instruments:
        symbols.setdefault(instrument.calendar, []).append(instrument.symbol)
    if len(symbols) == 1:
        return dict.fromkeys(symbols, bars)
    return {c: bars.filter(pl.col("symbol").is_in(own)) for c, own in symbols.items()}


def _placed(bars: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """Adds available_at and slot: the number of each bar among all that the calendar expects."""
    first, last = bars.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
    sessions = trading_sessions(calendar, first, last).select(
        "session",
        begin=pl.coalesce("expected_from", "open"),
        end=pl.coalesce("expected_until", "close"),
    )
    if timeframe.is_intraday:
        grid = bar_starts(calendar, timeframe, first, last)
        placed = _on_grid(bars, grid.join(sessions, on="session", maintain_order="left"))
        return _ended_beside(placed, calendar, timeframe)
    days = sessions.filter(pl.col("begin") < pl.col("end"))["session"]
    slot = days.search_sorted(bars["session"], side="right")
    return _ended(bars, calendar, timeframe).with_columns(slot=slot.cast(pl.Int64))


def _on_grid(bars: pl.DataFrame, grid: pl.DataFrame) -> pl.DataFrame:
    """Adds slot and, where the grid has the bar, available_at; null beside the grid."""
    import numpy as np

    expected = (pl.col("ts") >= pl.col("begin")) & (pl.col("ts") < pl.col("end"))
    slots = grid.select("session", "ts", "bar_end", slot=expected.cast(pl.Int64).cum_sum())
    begins, ts = (frame["ts"].to_physical().to_numpy() for frame in (grid, bars))
    # NumPy begins each search where the one before it ended: times mostly ascend.
    places = np.searchsorted(begins, ts, "right")
    # A row without anything is the place of what comes before all of the grid.
    found = pl.concat([slots.clear(1), slots])[places]
    same = (found["ts"] == bars["ts"]) & (found["session"] == bars["session"])
    ended = pl.when(same).then(found["bar_end"])
    return bars.with_columns(available_at=ended, slot=found["slot"].fill_null(0))


def _ended_beside(placed: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """The bars with available_at of those too that lie beside the calendar's grid."""
    if not placed["available_at"].null_count():
        return placed
    ended = with_bar_end(placed, calendar, timeframe)
    return ended.with_columns(pl.coalesce("available_at", "bar_end")).drop("bar_end")


def _ended(bars: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """Adds available_at to daily bars, never before the bar's end.

    That of a bar over a vendor's own day is the end of that day; where nobody tells it, the
    bar ends when such a day is over wherever it may be.
    """
    ended = with_bar_end(bars, calendar, timeframe).rename({"bar_end": "available_at"})
    midnight = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    latest = pl.max_horizontal("available_at", midnight + LATEST_DAY_END)
    foreign = pl.col("flags").str.contains(FOREIGN_DAY, literal=True)
    if "day_end" in bars.columns:
        latest = pl.coalesce("day_end", latest)
    return ended.with_columns(available_at=pl.when(foreign).then(latest).otherwise("available_at"))


def _on_one_basis(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Adds factor, the product of the splits since the symbol's first session, and works it in."""
    told = actions.filter(pl.col("kind") == "split")
    if told.is_empty():
        return bars.with_columns(factor=pl.lit(1.0))
    firsts = bars.group_by("symbol").agg(
        first=pl.col("session").min(), last=pl.col("session").max()
    )
    splits = (
        told.join(firsts, on="symbol")
        .filter(pl.col("ex_date") > pl.col("first"), pl.col("ex_date") <= pl.col("last"))
        .sort("symbol", "ex_date")
        .select("symbol", "ex_date", factor=pl.col("value").cum_prod().over("symbol"))
    )
    if splits.is_empty():
        return bars.with_columns(factor=pl.lit(1.0))
    keys = bars.select("symbol", "session").unique().sort("session")
    found = keys.join_asof(
        splits.sort("ex_date"),
        left_on="session",
        right_on="ex_date",
        by="symbol",
        check_sortedness=False,
    )
    joined = bars.join(
        found.select("symbol", "session", pl.col("factor").fill_null(1.0)),
        on=["symbol", "session"],
        how="left",
        maintain_order="left",
    )
    return joined.with_columns(
        pl.col("high", "low", "close") * pl.col("factor"), pl.col("volume") / pl.col("factor")
    )
