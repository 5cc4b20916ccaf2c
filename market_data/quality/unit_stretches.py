"""Unit stretches: which bars between two changes of the unit are the wrong ones.

What belongs here: judging the stretch between a step by a hundred and the one back by what was
before it. What does not: stretches of which that says nothing (unit_disputes.py), finding such
steps, and what is told of those that end no stretch (jumps.py).

Between two steps lies one unit, around them the other: each looks as right as the other until the
days before are counted. A stretch begins and ends with steps in opposite directions,
LONGEST_IN_OTHER_UNIT apart at most. It is

- wrong, where in LOOK_BACK and the stretch itself the price was in the unit around it at least SURE
  times as long as in its own,
- right, where in LOOK_BACK it was in its own so much longer than in the one around it,
- unsure, where neither holds.

So single wrong days are found however often they come, and a month in pence; and where the units
come and go for months in about equal shares, or a series has hardly begun, nobody can say which is
wrong. Only days count that the series has: what was before its first bar nobody knows.

No change of the unit earlier than SEEN_BEFORE or later than SEEN_LATER has a say in what a bar is.
Hence, of any part of a series, every bar is judged exactly as in the whole for which the part
reaches that far: its first bar is at least SEEN_BEFORE older, and its last one SEEN_LATER newer, or
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
SEEN_BEFORE = 2 * LONGEST_IN_OTHER_UNIT + LOOK_BACK
"""Time before a bar in which changes of the unit count for it: what comes right after a stretch of
which nobody knows what it is, is not known either."""
SEEN_LATER = 2 * LONGEST_IN_OTHER_UNIT
"""The same after it: what lies right before such a stretch."""
WRONG, RIGHT, UNSURE = "wrong", "right", "unsure"


def judged_levels(steps: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """The times between changes of the unit, and what the days before say of them.

    Args:
        steps: every change of the unit: symbol, ts (of the first bar in the new unit), at (the
            factor of the price: above one, or below); sorted by (symbol, ts).
        begins: symbol, begun (`ts` of its first bar).

    Returns:
        symbol, since, until (the next change; far away where there is none), up (the change that
        begins it: 1 or -1), earlier (`since` of the time before), in_before (how long the price was
        in the unit before the change in LOOK_BACK), verdict (WRONG, RIGHT or UNSURE of a stretch,
        null of others); one row per change, sorted by (symbol, since).
    """
    levels = _levels(steps, begins)
    spent = _spent(levels)
    changed = levels.drop_nulls("before")
    since, until = pl.col("since"), pl.col("until")
    first = since - LOOK_BACK
    own, other = (
        _until(spent, changed, level, until) - _until(spent, changed, level, first)
        for level in ("level", "before")
    )
    held, own_held = (
        _until(spent, changed, level, since) - _until(spent, changed, level, first)
        for level in ("before", "level")
    )
    stretch = (pl.col("next") == pl.col("before")) & (until - since <= LONGEST_IN_OTHER_UNIT)
    verdict = (
        pl.when(other >= SURE * own)
        .then(pl.lit(WRONG))
        .when(own_held >= SURE * held)
        .then(pl.lit(RIGHT))
        .otherwise(pl.lit(UNSURE))
    )
    return changed.with_columns(
        in_before=held, verdict=pl.when(stretch.fill_null(value=False)).then(verdict)
    ).select("symbol", "since", "until", "up", "earlier", "in_before", "verdict")


def _levels(steps: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """The times between changes, those before the first and after the last included.

    Returns:
        symbol, since, until (far away where there is none), up, level (changes up less changes down
        until then), before and next (the levels around it; null where there are none), earlier
        (when the one before it began); sorted by (symbol, since).
    """
    changes = steps.select("symbol", since="ts", up=pl.when(pl.col("at") > 1).then(1).otherwise(-1))
    begun = begins.select("symbol", since="begun", up=pl.lit(0, pl.Int32)).join(
        changes, on="symbol", how="semi"
    )
    last = pl.col("since") + 2 * LOOK_BACK
    return (
        pl.concat([begun, changes])
        .sort("symbol", "since")
        .with_columns(level=pl.col("up").cum_sum().over("symbol"))
        .with_columns(
            before=pl.col("level").shift().over("symbol"),
            next=pl.col("level").shift(-1).over("symbol"),
            earlier=pl.col("since").shift().over("symbol"),
            until=pl.coalesce(pl.col("since").shift(-1).over("symbol"), last),
        )
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
