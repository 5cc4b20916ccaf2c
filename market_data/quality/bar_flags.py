"""Flags of single bars: what the checks that look at bars beside each other say of each one.

What belongs here: false ticks, wicks, jumps and changes of the unit, flat runs, repeated bars and
volumes, bar by bar. What does not: finding them (false_ticks.py, wicks.py, jumps.py, flat_runs.py,
repeated_bars.py, volume.py), what readers get of flagged bars (market_data/pipeline/read.py).
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from market_data.ports.annotations import Annotation
from market_data.quality.annotations import ACCEPTING, split_accepted
from market_data.quality.false_ticks import FALSE_TICK, find_false_ticks
from market_data.quality.findings import KEY, WARN
from market_data.quality.flat_runs import find_flat_bars
from market_data.quality.jumps import find_jumps, with_severity
from market_data.quality.odd_bars import CHECK as FALSE_TICKS
from market_data.quality.price_sanity import CHECK as PRICE_SANITY
from market_data.quality.repeated_bars import REPEATED_BAR, find_repeated_bars
from market_data.quality.volume import CHECK as VOLUME
from market_data.quality.volume import find_volumes
from market_data.quality.wicks import WICK, find_wicks
from market_data.schemas import FINDINGS, UTC
from market_data.timeframes import Timeframe

BAR_FLAGS = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "ts": UTC,
        "check": pl.String(),
        "code": pl.String(),
        "severity": pl.String(),
    }
)
"""Columns of `bar_flags`."""


def bar_flags(
    series: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    timeframe: Timeframe,
    actions: pl.DataFrame,
    traded: pl.DataFrame | None = None,
    closes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The flags of curated bars, as the checks find them.

    Args:
        series: symbol, session, ts, open, high, low, close, volume of bars that are over, sorted
            by (symbol, ts), with the bars around those that are wanted: the usual step is told from
            those before, a price that comes back from those after.
        limits: see `market_data.quality.view.limits_of`.
        timeframe: of the bars.
        actions: rows of CORPORATE_ACTIONS that are known.
        traded: symbol, session, volume of sessions that are over, as
            `market_data.quality.volume.find_volumes` takes them; None: nobody asks for volumes.
        closes: see `market_data.quality.jumps.find_jumps`.

    Returns:
        Columns BAR_FLAGS, one row per bar and code (false_tick, wick, jump, flat_run,
        repeated_bar: warn; unit_error, split_in_part: error), and one per session whose volume is
        odd (volume, zero_volume, volume_missing: warn), whose `ts` is null: all of its bars are
        meant; sorted by (symbol, ts, session, code).
    """
    ticks = find_false_ticks(series, limits, timeframe=timeframe)
    jumps = with_severity(
        find_jumps(series, limits, actions=actions, false_ticks=ticks, closes=closes)
    )
    flagged = [
        ticks.with_columns(
            check=pl.lit(FALSE_TICKS), code=pl.lit(FALSE_TICK), severity=pl.lit(WARN)
        ),
        find_wicks(series, limits, timeframe=timeframe).with_columns(
            check=pl.lit(FALSE_TICKS), code=pl.lit(WICK), severity=pl.lit(WARN)
        ),
        jumps.with_columns(check=pl.lit(PRICE_SANITY)),
        find_flat_bars(series, limits, timeframe).with_columns(
            check=pl.lit(PRICE_SANITY), code=pl.lit("flat_run"), severity=pl.lit(WARN)
        ),
        find_repeated_bars(series, limits, timeframe).with_columns(
            check=pl.lit(PRICE_SANITY), code=pl.lit(REPEATED_BAR), severity=pl.lit(WARN)
        ),
    ]
    if traded is not None:
        flagged.append(volume_flags(traded, limits, actions=actions))
    return pl.concat(f.select(BAR_FLAGS.names()) for f in flagged).sort(
        "symbol", "ts", "session", "code"
    )


def volume_flags(
    traded: pl.DataFrame, limits: pl.DataFrame, *, actions: pl.DataFrame
) -> pl.DataFrame:
    """The flags of sessions whose volume is odd: columns BAR_FLAGS; see `bar_flags`."""
    odd = find_volumes(traded, limits, actions=actions).drop_nulls("code")
    return odd.select(
        *KEY,
        "code",
        ts=pl.lit(None, UTC),
        check=pl.lit(VOLUME),
        severity=pl.lit(WARN),
    ).select(BAR_FLAGS.names())


def open_flags(
    flags: pl.DataFrame, decided: Collection[Annotation], *, dataset: str
) -> pl.DataFrame:
    """The flags without those whose finding somebody accepted.

    Args:
        flags: of `bar_flags`.
        decided: decisions that stand.
        dataset: whose bars they are about.
    """
    if not any(a.decision in ACCEPTING for a in decided):
        return flags
    told = flags.with_columns(
        dataset=pl.lit(dataset), rows=pl.lit(1, pl.Int64), detail=pl.lit("")
    ).with_columns(pl.lit(None, FINDINGS.dtypes[n]).alias(n) for n in ("value", "threshold"))
    return split_accepted(told, decided)[0].select(BAR_FLAGS.names())
