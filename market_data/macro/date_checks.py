"""What can be wrong with the announced dates: coverage, staleness and drift.

What belongs here: pure rules over frames. What does not: values and the calendar (checks.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from market_data.macro.fetch_times import fetched_ahead
from market_data.macro.outcomes import found_rows, outcome, schema_of
from market_data.macro.releases import MacroTable
from market_data.macro.schemas import FRED_RELEASES
from market_data.quality.findings import ERROR, WARN, CheckOutcome
from market_data.schemas import UTC

DATES = "raw/fred_releases"
EVERY_RELEASE = "*"
"""Symbol of a finding about a whole session."""
FRESH = timedelta(days=7)
"""A date that was last asked for longer before it may have moved since. Own choice."""
_DAY = timedelta(days=1)


def check_dates(
    dates: pl.DataFrame,
    asked: pl.DataFrame,
    table: MacroTable,
    *,
    sessions: tuple[date, date],
    now: datetime,
) -> dict[str, CheckOutcome]:
    """Judge the announced dates of a range.

    Codes: coverage release_not_announced (warn; error at twice the usual distance): the next date
    of a release is not known, although the days on which it should come were asked for; staleness
    last_asked_long_before (warn): the date may have moved, fetched_in_future (error); drift
    release_moved (warn): FRED named the date and no longer does.

    Args:
        dates: rows of FRED_RELEASES that hold, also from before the range.
        asked: session (Date), asked_at: when the dates of each session were last asked for.
        table: the reviewed table.
        sessions: first and last session judged.
        now: the moment, UTC.
    """
    ranged = dates.filter(pl.col("session").is_between(*sessions))
    return {
        "schema": schema_of(ranged, FRED_RELEASES, DATES),
        "coverage": _unannounced(dates.filter("listed"), asked, table, sessions),
        "staleness": _asked_long_before(asked, fetched_ahead(ranged, now), sessions, now),
        "drift": _moved(ranged),
    }


def _unannounced(
    listed: pl.DataFrame, asked: pl.DataFrame, table: MacroTable, sessions: tuple[date, date]
) -> CheckOutcome:
    releases = table.frame.select(
        "calendar", "most_days", symbol=pl.col("release").cast(pl.String)
    ).unique("symbol", maintain_order=True)
    last_asked = asked["session"].max()
    gaps = (
        listed.select("symbol", "session")
        .sort("symbol", "session")
        .with_columns(following=pl.col("session").shift(-1).over("symbol"))
        .join(releases, on="symbol")
        .with_columns(until=pl.col("following").fill_null(pl.lit(last_asked, dtype=pl.Date)))
        .with_columns(days=(pl.col("until") - pl.col("session")).dt.total_days())
        .filter(pl.col("days") > pl.col("most_days"))
        .with_columns(since="session", session=pl.col("session") + pl.duration(days="most_days"))
        .filter(pl.col("session").is_between(*sessions))
    )
    long = pl.col("days") > 2 * pl.col("most_days")
    found = found_rows(
        gaps,
        "release_not_announced",
        pl.when(long).then(pl.lit(ERROR)).otherwise(pl.lit(WARN)),
        pl.format("no date of {} is known after {}", "calendar", "since"),
        value=pl.col("days"),
        threshold=pl.col("most_days"),
    )
    never = _never_listed(listed, asked, releases, sessions)
    return outcome("coverage", DATES, pl.concat([found, never]))


def _never_listed(
    listed: pl.DataFrame, asked: pl.DataFrame, releases: pl.DataFrame, sessions: tuple[date, date]
) -> pl.DataFrame:
    """Releases of which no date is known although enough days were asked for."""
    judged = asked.filter(pl.col("session") <= sessions[1])
    found = releases.join(listed, on="symbol", how="anti", maintain_order="left").filter(
        pl.col("most_days") < judged.height
    )
    return found_rows(
        found.with_columns(session=pl.lit(judged["session"].max(), dtype=pl.Date)).filter(
            pl.col("session").is_between(*sessions)
        ),
        "release_not_announced",
        ERROR,
        pl.format("no date of {} is known at all", "calendar"),
        value=pl.lit(judged.height),
        threshold=pl.col("most_days"),
    )


def _asked_long_before(
    asked: pl.DataFrame, ahead: pl.DataFrame, sessions: tuple[date, date], now: datetime
) -> CheckOutcome:
    over = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + _DAY
    measured = asked.filter(pl.col("session").is_between(*sessions)).with_columns(
        symbol=pl.lit(EVERY_RELEASE),
        age=pl.min_horizontal(over, pl.lit(now, dtype=UTC)) - pl.col("asked_at"),
    )
    found = found_rows(
        measured.filter(pl.col("age") > FRESH),
        "last_asked_long_before",
        WARN,
        pl.format(
            "last asked for {} days before: dates may have moved", pl.col("age").dt.total_days()
        ),
        value=pl.col("age").dt.total_seconds(),
        threshold=pl.lit(FRESH.total_seconds()),
    )
    return outcome("staleness", DATES, pl.concat([found, ahead]), measured)


def _moved(dates: pl.DataFrame) -> CheckOutcome:
    found = found_rows(
        dates.filter(~pl.col("listed")),
        "release_moved",
        WARN,
        pl.format("FRED names this date of {} no longer", "name"),
    )
    return outcome("drift", DATES, found)
