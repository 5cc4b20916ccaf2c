"""What can be wrong with values and with the calendar: coverage, staleness and drift.

What belongs here: pure rules over frames, as findings per symbol and session.
What does not: announced dates (date_checks.py), gathering the frames
(market_data/pipeline/macro_inspection.py), the limits (the reviewed table).
"""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from market_data.macro.calendar import NOTHING, OVERDUE, RELEASED, WITHDRAWN
from market_data.macro.fetch_times import fetched_ahead
from market_data.macro.outcomes import found_rows, outcome, schema_of
from market_data.macro.releases import MacroTable
from market_data.macro.schemas import FRED_OBSERVATIONS, MACRO_EVENTS
from market_data.quality.findings import (
    ERROR,
    SAMPLE_ROWS,
    WARN,
    CheckOutcome,
    findings,
    per_cent,
)
from market_data.schemas import UTC

VINTAGES, CALENDAR = "raw/fred_observations", "curated/macro_calendar"
LONG_OVERDUE = 7
"""An overdue release is an error after so many times the limit that warns. Own choice."""
_MADE = [n for n in MACRO_EVENTS.names if n not in ("known_at", "status")]


def check_vintages(
    vintages: pl.DataFrame,
    events: pl.DataFrame,
    table: MacroTable,
    *,
    astray: pl.DataFrame,
    sessions: tuple[date, date],
    now: datetime,
) -> dict[str, CheckOutcome]:
    """Judge the values behind the releases of a range.

    Codes: coverage no_value_ever (error): a release came out and nothing at all is known of its
    series, value_without_event (warn): the first value of a period belongs to no announced date;
    staleness value_overdue (warn, error after LONG_OVERDUE times the limit), fetched_in_future
    (error); drift value_revised (warn): a vintage of the range left the first publication of its
    period further behind than the table allows.

    Args:
        vintages: rows of FRED_OBSERVATIONS that hold, of all periods that the range speaks of.
        events: rows of MACRO_EVENTS of the range as they follow from what is known.
        table: the reviewed table.
        astray: values that belong to no event, see `market_data.macro.calendar.astray`.
        sessions: first and last session judged.
        now: the moment, UTC.
    """
    ranged = vintages.filter(pl.col("session").is_between(*sessions))
    return {
        "schema": schema_of(ranged, FRED_OBSERVATIONS, VINTAGES),
        "coverage": _unmatched(
            vintages, events, astray.filter(pl.col("session").is_between(*sessions))
        ),
        "staleness": outcome(
            "staleness",
            VINTAGES,
            pl.concat([_overdue(events, table, now), fetched_ahead(ranged, now)]),
        ),
        "drift": _revised_in_range(vintages, table, sessions),
    }


def check_calendar(
    stored: pl.DataFrame,
    made: pl.DataFrame,
    table: MacroTable,
    *,
    sessions: tuple[date, date],
    now: datetime,
) -> dict[str, CheckOutcome]:
    """Judge the stored calendar of a range.

    Codes: coverage event_missing (error): an announced date of an event is not in the calendar;
    staleness event_withdrawn (warn): it holds a date that is announced no longer, event_outdated
    (warn): it differs from what is known now, value_overdue (warn, then error); drift
    value_revised (warn): a value differs from its first publication by more than the table allows,
    value_withdrawn (warn): one that came was taken back.

    Args:
        stored: rows of MACRO_EVENTS, with the status that they have now.
        made: the same range as it follows from what is known.
        table: the reviewed table.
        sessions: first and last session judged.
        now: the moment, UTC.
    """
    ranged = stored.filter(pl.col("session").is_between(*sessions))
    stale = pl.concat([_outdated(ranged, made), _overdue(ranged, table, now)])
    return {
        "schema": schema_of(ranged, MACRO_EVENTS, CALENDAR),
        "coverage": _missing(ranged, made),
        "staleness": outcome("staleness", CALENDAR, stale),
        "drift": _revised_events(ranged, table),
    }


def _unmatched(vintages: pl.DataFrame, events: pl.DataFrame, astray: pl.DataFrame) -> CheckOutcome:
    """Events of which no value was ever seen, and values that no event has."""
    known = vintages.select(series="symbol").unique()
    due = events.filter(pl.col("status").is_in([OVERDUE, RELEASED, NOTHING, WITHDRAWN]))
    never = found_rows(
        due.join(known, on="series", how="anti", maintain_order="left"),
        "no_value_ever",
        ERROR,
        pl.format("nothing is known of the series {}", "series"),
    )
    lost = found_rows(
        astray,
        "value_without_event",
        WARN,
        pl.format("the first value of {} came far from every announced date", "period"),
    )
    return outcome("coverage", VINTAGES, pl.concat([never, lost]), due.select("symbol", "session"))


def _overdue(events: pl.DataFrame, table: MacroTable, now: datetime) -> pl.DataFrame:
    late = events.filter(pl.col("status") == OVERDUE).with_columns(
        late=pl.lit(now, dtype=UTC) - pl.col("ts")
    )
    limit = table.overdue_after
    return found_rows(
        late,
        "value_overdue",
        pl.when(pl.col("late") > LONG_OVERDUE * limit).then(pl.lit(ERROR)).otherwise(pl.lit(WARN)),
        pl.format("{} was due at {} and has no value", "event", pl.col("ts").dt.strftime("%F %R")),
        value=pl.col("late").dt.total_seconds(),
        threshold=pl.lit(limit.total_seconds()),
    )


def _revised_in_range(
    vintages: pl.DataFrame, table: MacroTable, sessions: tuple[date, date]
) -> CheckOutcome:
    limits = table.frame.select(symbol="series", limit="tolerance")
    measured = (
        vintages.drop_nulls("value")
        .sort("symbol", "period", "session")
        .with_columns(first_published=pl.col("value").first().over("symbol", "period"))
        .filter(pl.col("session").is_between(*sessions))
        .join(limits, on="symbol", maintain_order="left")
        .with_columns(drift=_drift("value"))
    )
    found = found_rows(
        measured.filter(pl.col("drift") > pl.col("limit")),
        "value_revised",
        WARN,
        pl.format("period {}: {} away from its first publication", "period", per_cent("drift")),
        value=pl.col("drift"),
        threshold=pl.col("limit"),
    )
    return outcome("drift", VINTAGES, found, measured)


def _revised_events(events: pl.DataFrame, table: MacroTable) -> CheckOutcome:
    limits = table.frame.select("symbol", limit="tolerance")
    measured = (
        events.drop_nulls(["actual", "first_published"])
        .join(limits, on="symbol", maintain_order="left")
        .with_columns(drift=_drift("actual"))
    )
    over = measured.filter(pl.col("drift") > pl.col("limit"))
    found = found_rows(
        over,
        "value_revised",
        WARN,
        pl.format("{} first, {} now: {}", "first_published", "actual", per_cent("drift")),
        value=pl.col("drift"),
        threshold=pl.col("limit"),
    )
    gone = events.filter(pl.col("status") == WITHDRAWN)
    withdrawn = found_rows(
        gone,
        "value_withdrawn",
        WARN,
        pl.format("{}: the value of {} is withdrawn", "event", "period"),
    )
    sample = pl.concat([over, gone], how="diagonal_relaxed").head(SAMPLE_ROWS)
    both = pl.concat([found, withdrawn])
    return CheckOutcome(findings(both, check="drift", dataset=CALENDAR), sample, measured)


def _drift(column: str) -> pl.Expr:
    """How far a value is from the first one, relative to it."""
    first = pl.col("first_published")
    apart = (pl.col(column) - first).abs()
    return pl.when(apart == 0).then(0.0).otherwise(apart / first.abs())


def _missing(stored: pl.DataFrame, made: pl.DataFrame) -> CheckOutcome:
    keys = ["symbol", "session"]
    found = found_rows(
        made.join(stored, on=keys, how="anti", maintain_order="left"),
        "event_missing",
        ERROR,
        pl.format("{} is announced and not in the calendar", "event"),
    )
    return outcome("coverage", CALENDAR, found, made.select(keys))


def _outdated(stored: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    keys = ["symbol", "session"]
    gone = found_rows(
        stored.join(made, on=keys, how="anti", maintain_order="left"),
        "event_withdrawn",
        WARN,
        pl.format("{} is announced for this date no longer: curate it anew", "event"),
    )
    both = stored.join(made, on=keys, how="semi", maintain_order="left")
    differs = found_rows(
        both.join(made, on=_MADE, how="anti", nulls_equal=True, maintain_order="left"),
        "event_outdated",
        WARN,
        pl.format("more is known of {} than the calendar says: curate it anew", "event"),
    )
    return pl.concat([gone, differs])
