"""Announced dates and vintages become events: which value belongs to which release."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.macro.calendar import astray, build_calendar, with_status_at
from market_data.macro.schemas import FRED_OBSERVATIONS, FRED_RELEASES, MACRO_EVENTS
from tests.support.macro_rows import GDP, LONG_AGO, TABLE, dates, vintages

YEAR = (date(2024, 1, 1), date(2024, 12, 31))


def events(
    announced: pl.DataFrame, values: pl.DataFrame, now: str = "2024-11-03", symbol: str = "US-GDP"
) -> list[dict[str, Any]]:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    made = build_calendar(announced, values, TABLE, sessions=YEAR, now=at)
    MACRO_EVENTS.check(made)
    return made.filter(pl.col("symbol") == symbol).to_dicts()


def test_a_quarter_is_published_three_times() -> None:
    first, second, third, new = events(
        dates("2024-07-25", "2024-08-29", "2024-09-26", "2024-10-30"), vintages(GDP)
    )
    assert [e["published"] for e in (first, second, third)] == [28629.2, 28652.3, 29016.7]
    assert {e["first_published"] for e in (first, second, third)} == {28629.2}
    assert {e["actual"] for e in (first, second, third)} == {29016.7}
    assert {e["period"] for e in (first, second, third)} == {date(2024, 4, 1)}
    assert [e["previous"] for e in (first, second, third)] == [28284.5, 28629.2, 28652.3]
    assert [e["revised_previous"] for e in (first, second, third)] == [28269.2, None, None]
    assert (new["period"], new["previous"]) == (date(2024, 7, 1), 29016.7)
    assert new["revised_previous"] is None
    assert {e["status"] for e in (first, second, third, new)} == {"released"}
    assert first["ts"] == datetime(2024, 7, 25, 12, 30, tzinfo=UTC)
    assert new["known_at"] == datetime(2024, 10, 30, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "status"),
    [("2024-07-25", "released"), ("2024-08-09", "released"), ("2024-08-10", "nothing")],
)
def test_a_value_that_fred_took_over_late_belongs_to_the_release_before(
    day: str, status: str
) -> None:
    values = vintages([("2024-04-25", "2024-01-01", 1.0), (day, "2024-04-01", 2.0)])
    (found,) = events(dates("2024-07-25"), values)
    assert found["status"] == status


@pytest.mark.parametrize("day", ["2024-07-22", "2024-07-24", "2024-07-30"])
def test_the_first_value_of_a_period_goes_to_the_nearest_date_without_one(day: str) -> None:
    values = [(day if seen == "2024-07-25" else seen, *rest) for seen, *rest in GDP]
    first, second, *_ = events(
        dates("2024-07-25", "2024-08-29", "2024-09-26", "2024-10-30"),
        vintages(values),  # type: ignore[arg-type]
    )
    assert (first["status"], first["period"]) == ("released", date(2024, 4, 1))
    assert (first["published"], first["actual"]) == (28629.2, 29016.7)
    assert (first["previous"], first["revised_previous"]) == (28284.5, 28269.2)
    assert (second["published"], second["previous"]) == (28652.3, 28629.2)


def test_a_late_value_is_not_the_next_weeks() -> None:
    claims = [("2024-05-02", "2024-04-27", 208_000.0), ("2024-05-13", "2024-05-04", 231_000.0)]
    rows = events(
        dates("2024-05-02", "2024-05-09", "2024-05-16", release="180"),
        vintages(claims, "ICSA"),
        now="2024-05-14",
        symbol="US-JOBLESS-CLAIMS",
    )
    assert [e["status"] for e in rows] == ["released", "released", "scheduled"]
    assert rows[1]["period"] == date(2024, 5, 4)


def test_a_revision_between_dates_keeps_no_date() -> None:
    """The quarter's first value is missing; older ones were revised shortly before and after."""
    revisions = [("2024-07-17", "2024-01-01", 28269.0), ("2024-07-31", "2024-01-01", 28270.0)]
    (found,) = events(dates("2024-07-25"), vintages([GDP[0], *revisions]), now="2024-08-05")
    assert found["status"] == "overdue"


def test_a_value_far_from_every_date_belongs_to_no_event() -> None:
    values = [("2024-08-12" if seen == "2024-07-25" else seen, *rest) for seen, *rest in GDP]
    announced = dates("2024-04-25", "2024-07-25", "2024-08-29", "2024-10-30")
    lost = astray(announced, vintages(values), TABLE)  # type: ignore[arg-type]
    assert lost.rows() == [("GDP", date(2024, 8, 12), date(2024, 4, 1))]
    assert astray(announced, vintages(GDP), TABLE).is_empty()
    assert astray(announced.tail(1), vintages(GDP), TABLE).is_empty()


def test_weekly_releases_do_not_take_each_others_values() -> None:
    claims = [("2024-05-02", "2024-04-27", 208_000.0), ("2024-05-09", "2024-05-04", 231_000.0)]
    one, two = events(
        dates("2024-05-02", "2024-05-09", release="180"),
        vintages(claims, "ICSA"),
        symbol="US-JOBLESS-CLAIMS",
    )
    assert (one["period"], two["period"]) == (date(2024, 4, 27), date(2024, 5, 4))
    assert (two["previous"], two["published"]) == (208_000.0, 231_000.0)


def test_a_date_of_lesser_tables_is_not_overdue() -> None:
    """FRED dated the release of GDP on 2024-10-02, six days after a value, and gave none."""
    found = events(dates("2024-09-26", "2024-10-02"), vintages(GDP[:-1]), now="2024-10-20")
    assert [e["status"] for e in found] == ["released", "nothing"]


def test_a_date_that_the_series_has_passed_is_not_overdue() -> None:
    found = events(dates("2024-05-30", "2024-07-25"), vintages(GDP))
    assert [e["status"] for e in found] == ["nothing", "released"]


@pytest.mark.parametrize(
    ("now", "status"),
    [
        ("2024-10-30T12:00", "scheduled"),
        ("2024-10-31T12:30", "scheduled"),
        ("2024-10-31T12:31", "overdue"),
    ],
)
def test_overdue_begins_a_day_after_the_instant(now: str, status: str) -> None:
    (found,) = events(dates("2024-10-30"), vintages(GDP[:-1]), now=now)
    assert found["status"] == status
    assert found["actual"] is found["period"] is found["published"] is None
    assert found["known_at"] == LONG_AGO


def test_a_stored_event_becomes_overdue_without_being_made_anew() -> None:
    made = build_calendar(
        dates("2024-10-30"), vintages(GDP[:-1]), TABLE, sessions=YEAR,
        now=datetime(2024, 10, 30, tzinfo=UTC),
    )  # fmt: skip
    assert set(made["status"]) == {"scheduled"}
    later = with_status_at(made, TABLE, datetime(2024, 11, 2, tzinfo=UTC))
    assert set(later["status"]) == {"overdue"}


def test_dates_that_are_withdrawn_are_no_events() -> None:
    announced = pl.concat([dates("2024-10-24", listed=False), dates("2024-10-30")])
    (found,) = events(announced, vintages(GDP))
    assert found["session"] == date(2024, 10, 30)


def test_releases_and_values_that_nobody_asked_for_are_left_out() -> None:
    announced = pl.concat([dates("2024-10-30"), dates("2024-10-30", release="101")])
    made = build_calendar(
        announced,
        pl.concat([vintages(GDP), vintages(GDP, "NOBODY")]),
        TABLE,
        sessions=(date(2024, 10, 30), date(2024, 10, 30)),
        now=datetime(2024, 11, 3, tzinfo=UTC),
    )
    assert set(made["series"]) == {"GDP", "GDPC1"}


def test_a_period_without_a_value_is_no_release() -> None:
    values = vintages([*GDP[:-1], ("2024-10-30", "2024-07-01", None)])
    (found,) = events(dates("2024-10-30"), values)
    assert found["status"] == "overdue"


WITHDRAWN_LATER = [*GDP, ("2024-11-01", "2024-07-01", None)]


def test_a_value_that_is_withdrawn_is_shown_no_longer() -> None:
    *_, before, found = events(dates("2024-09-26", "2024-10-30"), vintages(WITHDRAWN_LATER))
    assert (found["status"], found["period"]) == ("withdrawn", date(2024, 7, 1))
    assert found["actual"] is None
    assert (found["published"], found["first_published"]) == (29349.9, 29349.9)
    assert found["known_at"] == datetime(2024, 11, 1, 12, 30, tzinfo=UTC)
    assert (before["status"], before["actual"]) == ("released", 29016.7)


def test_a_withdrawn_value_is_the_previous_of_no_release() -> None:
    values = vintages([*WITHDRAWN_LATER, ("2024-11-27", "2024-10-01", 29500.0)])
    *_, found = events(dates("2024-10-30", "2024-11-27"), values, now="2024-12-01")
    assert (found["status"], found["actual"]) == ("released", 29500.0)
    assert found["previous"] == 29016.7


def test_a_value_that_comes_again_counts_again() -> None:
    values = vintages([*WITHDRAWN_LATER, ("2024-11-27", "2024-07-01", 29350.0)])
    first, again = events(dates("2024-10-30", "2024-11-27"), values, now="2024-12-01")
    assert [e["status"] for e in (first, again)] == ["released", "released"]
    assert [e["actual"] for e in (first, again)] == [29350.0, 29350.0]
    assert [e["published"] for e in (first, again)] == [29349.9, 29350.0]
    assert again["previous"] == 29016.7


def test_a_value_that_is_taken_back_in_place_was_there() -> None:
    """FRED says now that there was none, under the day on which it had given one."""
    held = vintages([*GDP[:-1], ("2024-10-30", "2024-07-01", None)])
    made = build_calendar(
        dates("2024-10-30"), held, TABLE, sessions=YEAR,
        now=datetime(2024, 11, 3, tzinfo=UTC), withdrawn=vintages(GDP[-1:]),
    )  # fmt: skip
    MACRO_EVENTS.check(made)
    found = made.filter(symbol="US-GDP").to_dicts()[0]
    assert (found["status"], found["period"]) == ("withdrawn", date(2024, 7, 1))
    assert (found["actual"], found["first_published"]) == (None, 29349.9)
    assert found["previous"] == 29016.7


def test_nothing_makes_nothing() -> None:
    none = FRED_RELEASES.empty(), FRED_OBSERVATIONS.empty()
    made = build_calendar(*none, TABLE, sessions=YEAR, now=LONG_AGO)
    MACRO_EVENTS.check(made)
    assert made.is_empty()


DAY = st.integers(0, 200).map(lambda n: str(date(2024, 3, 1) + timedelta(days=n)))
VALUES = st.lists(
    st.tuples(DAY, st.sampled_from(["2023-10-01", "2024-01-01", "2024-04-01"]), st.floats(1, 9)),
    max_size=12,
    unique_by=lambda v: v[:2],
)


@settings(max_examples=150, deadline=None)
@given(days=st.lists(DAY, unique=True, max_size=6), values=VALUES, known=DAY)
def test_what_is_read_as_of_a_time_never_depends_on_what_came_later(
    days: list[str], values: list[tuple[str, str, float]], known: str
) -> None:
    at = datetime.fromisoformat(known).replace(tzinfo=UTC) + timedelta(hours=20)
    whole = vintages(values)
    then = whole.filter(pl.col("known_at") <= at)
    announced = dates(*days)
    made = build_calendar(announced, then, TABLE, sessions=YEAR, now=at)
    rows = made.filter(symbol="US-GDP").to_dicts()
    assert [str(r["session"]) for r in rows] == sorted(days)
    by_hand = {(s, p): v for s, p, v in values if datetime.fromisoformat(s).replace(
        tzinfo=UTC) + timedelta(hours=12, minutes=30) <= at}  # fmt: skip
    for row in rows:
        if row["status"] != "released":
            assert row["actual"] is None
            continue
        of_period = sorted((s, v) for (s, p), v in by_hand.items() if p == str(row["period"]))
        assert row["first_published"] == of_period[0][1]
        assert row["actual"] == of_period[-1][1]
        day = str(row["session"])
        told = [s for s, _ in by_hand if day <= s <= str(row["session"] + timedelta(days=3))]
        if not told:  # the nearest date without a value; shown above
            continue
        before = [s for s, _ in by_hand if s < min(told)]
        assert (row["previous"] is None) == (not before)
