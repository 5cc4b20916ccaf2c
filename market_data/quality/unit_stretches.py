"""Unit stretches: which bars between two changes of the unit are the wrong ones.

What belongs here: judging the stretch between a step by a hundred and the one back. What does not:
finding such steps, and what is told of those that end no stretch (jumps.py).

Between two steps lies one unit, around them the other: each looks as right as the other until the
days before are counted. A stretch is the wrong one where

- it begins and ends with steps in opposite directions, LONGEST_IN_OTHER_UNIT apart at most,
- and in LOOK_BACK and the stretch itself the price was in the unit around it at least SURE times as
  long as in its own.

So single wrong days are found however often they come, and a month in pence; and where the units
come and go for months in about equal shares, no stretch is judged: nobody can say which is wrong.

What lies before the bars at hand is taken to be in the unit of the first of them. No change of the
unit earlier than SEEN_BEFORE or later than LONGEST_IN_OTHER_UNIT has a say in what a bar is. Hence,
of any part of a series, every bar is judged exactly as in the whole for which the part reaches that
far: its first bar is at least SEEN_BEFORE older, and its last one LONGEST_IN_OTHER_UNIT newer, or
it begins or ends where the whole does. Bars of an hour and longer are read with so many around
them; of minutes only what is judged at once is seen.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

LONGEST_IN_OTHER_UNIT = timedelta(days=30)
"""Calendar days from a change of the unit to the one back."""
LOOK_BACK = timedelta(days=90)
"""Before a stretch. Right bars between wrong ones that last too long to be judged look wrong only
where these fill two thirds of it."""
SURE = 2.0
"""How many times as long the price has to be in the unit around a stretch as in that of it."""
SEEN_BEFORE = LONGEST_IN_OTHER_UNIT + LOOK_BACK
"""Time before a bar in which changes of the unit count for it."""


def wrong_stretches(steps: pl.DataFrame) -> pl.DataFrame:
    """The stretches of bars in the wrong unit.

    Args:
        steps: every change of the unit: symbol, ts (of the first bar in the new unit), at (the
            factor of the price: above one, or below); sorted by (symbol, ts).

    Returns:
        symbol, since (`ts` of the change that begins it), until (of the one that ends it); sorted
        by (symbol, since).
    """
    levels = _levels(steps)
    told = levels.drop_nulls(["before", "next"]).filter(
        pl.col("next") == pl.col("before"),
        pl.col("until") - pl.col("since") <= LONGEST_IN_OTHER_UNIT,
    )
    spent = _spent(levels)
    first, last = pl.col("since") - LOOK_BACK, pl.col("until")
    within = {
        level: _until(spent, told, level, last) - _until(spent, told, level, first)
        for level in ("level", "before")
    }
    sure = within["before"] >= SURE * within["level"]
    return told.filter(sure).select("symbol", "since", "until")


def _levels(steps: pl.DataFrame) -> pl.DataFrame:
    """The times between changes, those before the first and after the last included.

    Returns:
        symbol, since, until (far away where there is none), level (changes up less changes down
        until then), before and next (the levels around it; null where there are none); sorted by
        (symbol, since).
    """
    far = 2 * LOOK_BACK
    changes = steps.select("symbol", since="ts", up=pl.when(pl.col("at") > 1).then(1).otherwise(-1))
    begun = changes.group_by("symbol", maintain_order=True).agg(
        pl.col("since").first() - far, up=pl.lit(0, pl.Int32)
    )
    last = pl.col("since") + far
    return (
        pl.concat([begun, changes])
        .sort("symbol", "since")
        .with_columns(level=pl.col("up").cum_sum().over("symbol"))
        .with_columns(
            before=pl.col("level").shift().over("symbol"),
            next=pl.col("level").shift(-1).over("symbol"),
            until=pl.coalesce(pl.col("since").shift(-1).over("symbol"), last),
        )
        .drop("up")
    )


def _spent(levels: pl.DataFrame) -> pl.DataFrame:
    """Adds `spent`: how long the symbol was at this level before."""
    length = pl.col("until") - pl.col("since")
    return levels.select("symbol", "level", "since", "until").with_columns(
        spent=(length.cum_sum() - length).over("symbol", "level")
    )


def _until(spent: pl.DataFrame, told: pl.DataFrame, level: str, moment: pl.Expr) -> pl.Series:
    """How long each symbol was at a level until a moment."""
    asked = told.select("symbol", level=level, moment=moment).with_row_index("row").sort("moment")
    found = asked.join_asof(
        spent.sort("since"),
        left_on="moment",
        right_on="since",
        by=["symbol", "level"],
        check_sortedness=False,
    ).sort("row")
    there = pl.col("spent") + pl.min_horizontal("moment", "until") - pl.col("since")
    return found.select(there.fill_null(timedelta())).to_series()
