"""Where bars lie in their calendar: on a session, inside its hours, on its grid.

What belongs here: the comparison of bar starts with the sessions that the calendar knows. What
does not: what follows from it (market_data/validation.py, curate.py), the sessions
themselves (market_data/calendars).
"""

from __future__ import annotations

import polars as pl

from market_data.calendars import trading_sessions
from market_data.ordering import runs
from market_data.timeframes import Timeframe

NOT_A_SESSION = "not_a_session"
OUTSIDE_SESSION = "outside_session"
OFF_GRID = "off_grid"
REASONS = (NOT_A_SESSION, OUTSIDE_SESSION, OFF_GRID)


def misplaced(bars: pl.DataFrame, calendar: str, timeframe: Timeframe) -> dict[str, pl.Series]:
    """Which bars lie where their calendar has none.

    `not_a_session`: the calendar has no such session. `outside_session`: the bar starts before the
    session's open, during its lunch break or after its close. `off_grid`: it starts inside the
    session but not at a bar's start, whose grid begins at the open and again after the break.

    Args:
        bars: symbol, ts, session, sorted by (symbol, ts).
        calendar: calendar code.
        timeframe: length of the bars.

    Returns:
        Reason to a Boolean series as long as `bars`; reasons without any such bar are left out.
    """
    if bars.is_empty():
        return {}
    slices = runs(bars)
    first, last = slices.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    sessions = trading_sessions(calendar, first, last).drop("calendar")
    if timeframe.is_intraday and _all_in_place(bars, slices, sessions, timeframe):
        return {}
    placed = bars.select("ts", "session").join(
        sessions, on="session", how="left", maintain_order="left"
    )
    found = placed.select(**_exprs(timeframe))
    return {name: found[name] for name in found.columns if found[name].any()}


def _all_in_place(
    bars: pl.DataFrame, slices: pl.DataFrame, sessions: pl.DataFrame, timeframe: Timeframe
) -> bool:
    """Whether all bars are in place, told from the ends of each symbol-session and one modulo.

    Says no where telling takes more: with lunch breaks, or where the grid's phase against UTC
    changes from session to session.
    """
    step = timeframe.minutes * 60_000_000
    ends = slices.join(sessions, on="session", how="left")
    inside = (
        (pl.col("first") >= pl.col("open"))
        & (pl.col("last") < pl.col("close"))
        & pl.col("break_start").is_null()
    )
    phase = pl.col("open").dt.epoch("us") % step
    good, low, high = ends.select(
        inside.all(ignore_nulls=False), low=phase.min(), high=phase.max()
    ).row(0)
    if not good or low != high:
        return False
    return bool((bars.get_column("ts").to_physical() % step == low).all())


def _exprs(timeframe: Timeframe) -> dict[str, pl.Expr]:
    """The reasons from ts and the columns of TRADING_SESSIONS, all null where there is none."""
    ts = pl.col("ts")
    after_break = (ts >= pl.col("break_end")).fill_null(value=False)
    in_break = (ts >= pl.col("break_start")).fill_null(value=False) & ~after_break
    outside = (ts < pl.col("open")) | (ts >= pl.col("close"))
    start = pl.when(after_break).then("break_end").otherwise("open")
    if timeframe.is_intraday:
        outside = outside | in_break
        step = timeframe.minutes * 60_000_000
        off = (ts - start).dt.total_microseconds() % step != 0
    else:
        off = ts != pl.col("open")
    outside = outside.fill_null(value=False)
    return {
        NOT_A_SESSION: pl.col("open").is_null(),
        OUTSIDE_SESSION: outside,
        OFF_GRID: off.fill_null(value=False) & ~outside,
    }
