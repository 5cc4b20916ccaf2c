"""Columns of the macro datasets: announced dates, vintages of values, the calendar.

What belongs here: a `FrameSchema` per dataset. What does not: where they are stored
(market_data/datasets.py), how the calendar is made of the other two (calendar.py).

All times are UTC with microseconds; `session` is a date on the clocks of the release's publisher.
"""

from __future__ import annotations

import polars as pl

from market_data.schemas import UTC, Column, FrameSchema

_FETCH = (
    Column("fetched_at", UTC, "when it was fetched"),
    Column("fetch_id", pl.String(), "the fetch that brought it; the journal has the same id"),
)

FRED_RELEASES = FrameSchema(
    "announced release dates",
    (
        Column("symbol", pl.String(), "FRED's number of the release"),
        Column("session", pl.Date(), "the date that FRED gives the release"),
        Column("name", pl.String(), "FRED's name of the release"),
        Column("listed", pl.Boolean(), "false: FRED had named the date before and no longer does"),
        Column(
            "known_at",
            UTC,
            "when it could be known: when it was fetched, or the release itself if that was before",
        ),
        *_FETCH,
    ),
)
"""Statements about dates: the newest one of a release and date holds."""

FRED_OBSERVATIONS = FrameSchema(
    "vintages of observations",
    (
        Column("symbol", pl.String(), "FRED's name of the series"),
        Column("session", pl.Date(), "first day on which FRED gave the value (realtime_start)"),
        Column("period", pl.Date(), "first day of the period that the value is of"),
        Column("value", pl.Float64(), "the value; null where FRED says '.'", nullable=True),
        Column(
            "known_at",
            UTC,
            "the hour of the release on that day; for what FRED changed without a new vintage, "
            "when it was fetched",
        ),
        *_FETCH,
    ),
)
"""Every value that FRED ever gave for a period, with the day from which on it gave it."""

MACRO_EVENTS = FrameSchema(
    "macro events",
    (
        Column("symbol", pl.String(), "permanent id of the event: US-CPI"),
        Column("ts", UTC, "the instant of the release, UTC"),
        Column("session", pl.Date(), "date of the release on its publisher's clocks"),
        Column("calendar", pl.String(), "name of the release that the event is part of"),
        Column("event", pl.String(), "what is published, for a person"),
        Column("currency", pl.String(), "the currency that it concerns"),
        Column("importance", pl.String(), "high, medium or low; from the reviewed table"),
        Column("series", pl.String(), "FRED's name of the series"),
        Column(
            "period", pl.Date(), "first day of the newest period that it spoke of", nullable=True
        ),
        Column(
            "actual",
            pl.Float64(),
            "the newest value known of the period; null where it is withdrawn",
            nullable=True,
        ),
        Column("published", pl.Float64(), "the period's value in this release", nullable=True),
        Column(
            "first_published",
            pl.Float64(),
            "the period's value when it was published for the first time",
            nullable=True,
        ),
        Column(
            "previous",
            pl.Float64(),
            "the newest value of the series that was known just before the release",
            nullable=True,
        ),
        Column(
            "revised_previous",
            pl.Float64(),
            "what this release made of `previous`; null where it left it as it was",
            nullable=True,
        ),
        Column("unit", pl.String(), "what the values count"),
        Column("source", pl.String(), "who said it"),
        Column("known_at", UTC, "when the newest of this could be known"),
        Column(
            "status",
            pl.String(),
            "scheduled, released, overdue; withdrawn: a value came, and the source has taken it "
            "back; or nothing: the day passed without a value of this series, and none is missing",
        ),
    ),
)
"""One row per event and announced date. FRED knows no forecasts, so that there is no column."""
