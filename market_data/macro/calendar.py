"""The calendar of macro events: announced dates and vintages made into one row per event and date.

What belongs here: which vintage belongs to which release, what was known before it, its status.
What does not: which statement about a period counts (vintages.py), fetching
(market_data/pipeline/macro_ingest.py), storing (market_data/pipeline/macro_calendar.py), limits
(checks.py).

A vintage belongs to the release date on which it appeared, or that lies at most LATE_DAYS before:
FRED takes a value over on the day of its release, seldom a day or two later. The first value of a
period that belongs to none by this goes to the nearest date of its release that has no value: one
that lies at most `least_days` of the release before it, or a quarter of them after. What then still
belongs to none is told (`astray`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from market_data.macro.releases import MacroTable, with_instants
from market_data.macro.schemas import FRED_OBSERVATIONS, MACRO_EVENTS
from market_data.macro.vintages import newest_period, said, spans

SOURCE = "fred"
SCHEDULED, RELEASED, OVERDUE, NOTHING = "scheduled", "released", "overdue", "nothing"
WITHDRAWN = "withdrawn"
LATE_DAYS = 3
ANNOUNCED_DAYS = 100
"""How far ahead the calendar has sessions, today included: a quarter."""
NEAR_DAYS = 90
"""How far beyond a range dates and periods must be known: a value goes to the nearest date, which
may lie half a quarter away, and so may its other neighbour."""
HISTORY = timedelta(days=400)
"""How far before a release the periods begin that it may speak of or be compared with."""

_BY = ["symbol", "session"]
_DAY = ["series", "seen"]


def build_calendar(
    dates: pl.DataFrame,
    vintages: pl.DataFrame,
    table: MacroTable,
    *,
    sessions: tuple[date, date],
    now: datetime,
    withdrawn: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The rows of a range of release dates, from what is known.

    Args:
        dates: rows of FRED_RELEASES, the statements that hold; reaching NEAR_DAYS beyond the
            range on both sides.
        vintages: rows of FRED_OBSERVATIONS that hold, of periods from HISTORY before the range on.
        table: the reviewed table; releases that it has not are left out.
        sessions: first and last release date.
        now: the moment of looking, UTC: decides what is overdue.
        withdrawn: values that were taken back in place, see `market_data.macro.vintages`; None
            where there are none.

    Returns:
        Rows of MACRO_EVENTS sorted by (symbol, ts).
    """
    announced = _announced(dates, table)
    statements = said(vintages, FRED_OBSERVATIONS.empty() if withdrawn is None else withdrawn)
    values = statements.drop_nulls("value")
    belonging = _belonging(values, announced)
    assigned = belonging.group_by(_BY).agg(pl.col("seen").min())
    told = announced.filter(pl.col("session").is_between(*sessions)).join(
        assigned, on=_BY, how="left", maintain_order="left"
    )
    # A revision that belongs to no date says nothing of whether a date was kept.
    days = pl.concat([belonging.select(_DAY), _firsts(values).select(_DAY)]).unique()
    judged = _with_neighbours(_with_values(told, statements), days)
    known_at = pl.max_horizontal("known_at", "value_known_at")
    return MACRO_EVENTS.conform(
        judged.with_columns(
            status=_status(now, table.overdue_after),
            source=pl.lit(SOURCE),
            known_at=known_at,
        )
    ).sort("symbol", "ts")


def astray(dates: pl.DataFrame, vintages: pl.DataFrame, table: MacroTable) -> pl.DataFrame:
    """First values of periods that belong to no announced date.

    Args:
        dates: rows of FRED_RELEASES that hold.
        vintages: rows of FRED_OBSERVATIONS that hold.
        table: the reviewed table.

    Returns:
        Columns symbol (the series), session (first day of the value), period (Date), sorted by
        them. Values from before the first known date of their release are left out: nobody has
        asked for the dates of that time.
    """
    announced = _announced(dates, table)
    values = vintages.drop_nulls("value").select("period", "value", series="symbol", seen="session")
    since = announced.group_by("series").agg(since=pl.col("session").min())
    return (
        _firsts(values)
        .join(_belonging(values, announced), on=_DAY, how="anti")
        .join(since, on="series")
        .filter(pl.col("seen") >= pl.col("since"))
        .select(symbol="series", session="seen", period="period")
        .sort("symbol", "session", "period")
    )


def with_status_at(events: pl.DataFrame, table: MacroTable, now: datetime) -> pl.DataFrame:
    """Stored events as they stand now: one that was scheduled may be overdue by now."""
    late = (pl.col("status") == SCHEDULED) & (pl.col("ts") + table.overdue_after < now)
    return events.with_columns(status=pl.when(late).then(pl.lit(OVERDUE)).otherwise("status"))


def _announced(dates: pl.DataFrame, table: MacroTable) -> pl.DataFrame:
    """One row per event and listed date, with the instant and the release's next date."""
    listed = dates.filter("listed").select(
        "session", "known_at", release=pl.col("symbol").cast(pl.Int64, strict=False)
    )
    timed = with_instants(listed, table, by="release", into="ts")
    return timed.join(table.frame.drop("time", "zone"), on="release", how="inner").sort(
        "symbol", "session"
    )


def _firsts(values: pl.DataFrame) -> pl.DataFrame:
    """Columns series, period, seen: the day of the first value of each period."""
    return values.group_by("series", "period").agg(pl.col("seen").min())


def _belonging(values: pl.DataFrame, announced: pl.DataFrame) -> pl.DataFrame:
    """Columns series, seen, symbol, session: the vintage days that belong to an event's release."""
    columns = [*_DAY, *_BY]
    days = values.select(_DAY).unique().sort("seen")
    by_day = announced.select("series", *_BY).sort("session")
    kept = (
        days.join_asof(
            by_day,
            left_on="seen",
            right_on="session",
            by="series",
            strategy="backward",
            tolerance=f"{LATE_DAYS}d",
            check_sortedness=False,
        )
        .drop_nulls("session")
        .select(columns)
    )
    open_dates = announced.join(kept, on=_BY, how="anti").select("series", *_BY, "least_days")
    late = (pl.col("seen") - pl.col("session")).dt.total_days()
    near = (
        _firsts(values)
        .select(_DAY)
        .unique()
        .join(kept, on=_DAY, how="anti")
        .join(open_dates, on="series")
        .filter(late.is_between(-(pl.col("least_days") // 4), pl.col("least_days")))
        .sort(*_DAY, late.abs(), "session")
        .unique(_DAY, keep="first", maintain_order=True)
        .select(columns)
    )
    return pl.concat([kept, near])


def _with_values(told: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """Adds period, actual, published, first_published, previous, revised_previous."""
    held = spans(statements)
    days = told.drop_nulls("seen")
    reached = newest_period(days, held, exact=True)
    before = newest_period(days, held, exact=False).rename({"period": "period_before"})
    by_period = statements.sort("seen", maintain_order=True).select(
        "series", "period", "seen", "value"
    )
    ends = statements.group_by("series", "period", maintain_order=True).agg(
        first_published=pl.col("value").drop_nulls().first(),
        actual=pl.col("value").last(),
        value_known_at=pl.col("known_at").last(),
    )
    rows = (
        told.join(reached, on=["series", "seen"], how="left", maintain_order="left")
        .join(before, on=["series", "seen"], how="left", maintain_order="left")
        .join(ends, on=["series", "period"], how="left", maintain_order="left")
    )
    rows = _as_of(rows, by_period.rename({"value": "published"}), ["series", "period"], exact=True)
    earlier = by_period.rename({"period": "period_before", "value": "previous"})
    rows = _as_of(rows, earlier, ["series", "period_before"], exact=False)
    revised = earlier.rename({"previous": "revised_previous"})
    rows = _as_of(rows, revised, ["series", "period_before"], exact=True)
    anew = (pl.col("period_before") != pl.col("period")) & (
        pl.col("revised_previous") != pl.col("previous")
    )
    return rows.with_columns(revised_previous=pl.when(anew).then("revised_previous"))


def _as_of(rows: pl.DataFrame, known: pl.DataFrame, by: list[str], *, exact: bool) -> pl.DataFrame:
    """Join what was known on the day `seen`, or, where not `exact`, before it.

    `known` is sorted by that day.
    """
    placed = rows.with_row_index("_row")
    known_rows = placed.drop_nulls(["seen", *by]).sort("seen")
    found = known_rows.select("_row", "seen", *by).join_asof(
        known,
        on="seen",
        by=by,
        strategy="backward",
        allow_exact_matches=exact,
        check_sortedness=False,
    )
    return placed.join(found.drop("seen", *by), on="_row", how="left", maintain_order="left").drop(
        "_row"
    )


def _with_neighbours(rows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Adds `last_before` and `newest`: the last of some days before the date, and the last of all.

    `days` has the columns series, seen.
    """
    newest = days.group_by("series").agg(newest=pl.col("seen").max())
    days = days.select("series", last_before="seen").sort("last_before")
    placed = rows.with_row_index("_row")
    before = (
        placed.select("_row", "series", "session")
        .sort("session")
        .join_asof(
            days,
            left_on="session",
            right_on="last_before",
            by="series",
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    return (
        placed.join(before.select("_row", "last_before"), on="_row", maintain_order="left")
        .join(newest, on="series", how="left", maintain_order="left")
        .drop("_row")
    )


def _status(now: datetime, overdue_after: timedelta) -> pl.Expr:
    """What became of each announced date.

    A value that came and is withdrawn by now is neither released nor overdue.
    A date without a value is no gap where the series was published shortly before, or has gone on
    since.
    """
    moment = pl.lit(now, dtype=pl.Datetime("us", "UTC"))
    since = (pl.col("session") - pl.col("last_before")).dt.total_days()
    soon = (since < pl.col("least_days")).fill_null(value=False)
    went_on = (pl.col("newest") > pl.col("session") + timedelta(days=LATE_DAYS)).fill_null(
        value=False
    )
    came = pl.col("seen").is_not_null()
    return (
        pl.when(came & pl.col("actual").is_null())
        .then(pl.lit(WITHDRAWN))
        .when(came)
        .then(pl.lit(RELEASED))
        .when(moment <= pl.col("ts") + overdue_after)
        .then(pl.lit(SCHEDULED))
        .when(soon | went_on)
        .then(pl.lit(NOTHING))
        .otherwise(pl.lit(OVERDUE))
    )
