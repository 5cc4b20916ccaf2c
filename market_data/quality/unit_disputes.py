"""Unit disputes: changes of the unit of which the days before do not say which side is wrong.

What belongs here: what is told of the bars around such changes, by what the registry knows, and
where it knows nothing. What does not: what the days before say (unit_stretches.py).

- **Registered in a minor unit** (GBp, ZAc ...): such prices come in the major unit by mistake, so
  of two levels a hundred apart the upper one is right. Bars after a step down are wrong, and so are
  those before a step up, unless the series was long in that unit (ESTABLISHED): then the history
  and the registry speak against each other.
- **Else nothing decides.** Of a stretch that is unsure nobody knows whether it or what is around it
  is wrong, so all of it is told of: the stretch, what comes after it until the next change, and
  what lies before it since the last one, unless the series was ESTABLISHED there. A wrong bar that
  somebody reads is worse than a right one that waits for a person.

A currency that is no minor unit decides nothing: many a London share is registered in pounds, and
its vendors quote pence. Neither span goes further than LONGEST_IN_OTHER_UNIT from the change.
A change that stands alone makes no stretch: the first bar after it is told of (jumps.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.unit_stretches import (
    LONGEST_IN_OTHER_UNIT,
    RIGHT,
    UNSURE,
    WRONG,
    judged_levels,
)

ESTABLISHED = LONGEST_IN_OTHER_UNIT
"""A price that was so long in one unit, of the 90 days before a change, is known to be in it."""


def suspect_spans(
    steps: pl.DataFrame, begins: pl.DataFrame, *, minor: pl.DataFrame, edges: pl.DataFrame
) -> pl.DataFrame:
    """The times in which a series is in the wrong unit, or may be.

    Args:
        steps: see `judged_levels`.
        begins: see `judged_levels`.
        minor: symbol of the instruments that are registered in a minor unit.
        edges: symbol, until of `wrong_beginnings`: these changes are explained.

    Returns:
        symbol, since, until, step (`ts` of the change that tells of it), sure (false where nothing
        decides), rank (of spans that meet the lowest is told; none of one rank meet); sorted by
        (symbol, since, rank).
    """
    levels = judged_levels(steps, begins).join(
        minor.select("symbol", minor=pl.lit(value=True)), on="symbol", how="left"
    )
    wrong = levels.filter(verdict=WRONG)
    settled = pl.concat(
        [
            *(levels.filter(verdict=v).select("symbol", step=c) for v, c in _ENDS),
            edges.select("symbol", step="until"),
        ]
    )
    known = _by_registry(levels).join(settled, on=["symbol", "step"], how="anti")
    spans = [
        wrong.select("symbol", "since", "until", step="since", sure=True, rank=0),
        known.with_columns(sure=True),
        _open(levels).with_columns(sure=False),
    ]
    return (
        pl.concat(s.with_columns(pl.col("rank").cast(pl.Int32)).select(_SPAN) for s in spans)
        .filter(pl.col("since") < pl.col("until"))
        .sort("symbol", "since", "rank")
    )


_SPAN = ["symbol", "since", "until", "step", "sure", "rank"]
_ENDS = [(v, c) for v in (WRONG, RIGHT) for c in ("since", "until")]


def _after() -> pl.Expr:
    """Until when the bars after a change are meant."""
    return pl.min_horizontal("until", pl.col("since") + LONGEST_IN_OTHER_UNIT)


def _before() -> pl.Expr:
    """Since when the bars before a change are meant."""
    return pl.max_horizontal("earlier", pl.col("since") - LONGEST_IN_OTHER_UNIT)


def _contradicted() -> pl.Expr:
    """A step up of what was long in the unit that the registry says is the wrong one."""
    return (pl.col("up") > 0) & (pl.col("in_before") >= ESTABLISHED)


def _by_registry(levels: pl.DataFrame) -> pl.DataFrame:
    known = levels.filter(pl.col("minor").fill_null(value=False))
    down = known.filter(pl.col("up") < 0)
    up = known.filter((pl.col("up") > 0) & ~_contradicted())
    return pl.concat(
        [
            down.select("symbol", "since", until=_after(), step="since", rank=1),
            up.select("symbol", until="since", since=_before(), step="since", rank=2),
        ],
        how="diagonal",
    )


def _open(levels: pl.DataFrame) -> pl.DataFrame:
    """Unsure stretches and what is around them, where the registry knows nothing, or otherwise."""
    doubtful = levels.with_columns(
        # What follows a stretch ends where the next time ends.
        next_until=pl.col("until").shift(-1).over("symbol"),
    ).filter(
        pl.col("verdict") == UNSURE,
        pl.col("minor").is_null() | _contradicted(),
    )
    end = pl.col("until")
    beyond = pl.min_horizontal("next_until", end + LONGEST_IN_OTHER_UNIT)
    young = doubtful.filter(
        (pl.col("in_before") < ESTABLISHED) | pl.col("minor").fill_null(value=False)
    )
    return pl.concat(
        [
            doubtful.select("symbol", "since", "until", step="since", rank=3),
            doubtful.select("symbol", since="until", until=beyond, step="until", rank=4),
            young.select("symbol", until="since", since=_before(), step="since", rank=5),
        ],
        how="diagonal",
    )
