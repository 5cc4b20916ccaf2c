"""What the checks of the macro datasets find, and what they leave alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.macro.calendar import astray, build_calendar
from market_data.macro.checks import check_calendar, check_vintages
from market_data.macro.date_checks import check_dates
from market_data.macro.releases import MacroTable
from market_data.macro.schemas import FRED_OBSERVATIONS
from market_data.quality.findings import CheckOutcome
from tests.support.macro_rows import GDP, TABLE, dates, vintages

NOW = datetime(2024, 11, 3, 12, tzinfo=UTC)
YEAR = (date(2024, 1, 1), date(2024, 12, 31))
ONLY_GDP = MacroTable(releases=(TABLE.release(53),))
Found = list[tuple[str, str, str, str]]


def found(outcomes: dict[str, CheckOutcome], check: str) -> Found:
    columns = ["symbol", "code", "severity", pl.col("session").cast(pl.String)]
    return outcomes[check].findings.select(columns).rows()  # type: ignore[return-value]


def asked(first: str, last: str, at: datetime = NOW) -> pl.DataFrame:
    days = pl.date_range(date.fromisoformat(first), date.fromisoformat(last), eager=True)
    return pl.DataFrame({"session": days}).with_columns(
        asked_at=pl.lit(at, dtype=pl.Datetime("us", "UTC"))
    )


def of_dates(
    announced: pl.DataFrame, asks: pl.DataFrame, now: datetime = NOW
) -> dict[str, CheckOutcome]:
    return check_dates(announced, asks, ONLY_GDP, sessions=YEAR, now=now)


def test_a_release_whose_next_date_is_not_announced() -> None:
    outcomes = of_dates(dates("2024-07-25", "2024-08-29"), asked("2024-07-01", "2024-10-20"))
    assert found(outcomes, "coverage") == [("53", "release_not_announced", "warn", "2024-10-15")]
    outcomes = of_dates(dates("2024-07-25", "2024-08-29"), asked("2024-07-01", "2024-12-20"))
    assert found(outcomes, "coverage") == [("53", "release_not_announced", "error", "2024-10-15")]


def test_days_that_nobody_asked_for_miss_nothing() -> None:
    outcomes = of_dates(dates("2024-07-25", "2024-08-29"), asked("2024-07-01", "2024-09-10"))
    assert found(outcomes, "coverage") == []
    assert found(of_dates(dates(), asked("2024-09-01", "2024-09-30")), "coverage") == []


def test_a_release_that_never_had_a_date() -> None:
    outcomes = of_dates(dates(), asked("2024-07-01", "2024-10-20"))
    assert found(outcomes, "coverage") == [("53", "release_not_announced", "error", "2024-10-20")]


def test_dates_that_were_last_asked_for_long_before() -> None:
    early = asked("2024-10-30", "2024-10-31", datetime(2024, 10, 23, tzinfo=UTC))
    assert found(of_dates(dates("2024-10-30"), early), "staleness") == [
        ("*", "last_asked_long_before", "warn", "2024-10-30"),
        ("*", "last_asked_long_before", "warn", "2024-10-31"),
    ]
    soon = asked("2024-10-30", "2024-12-31", datetime(2024, 10, 29, tzinfo=UTC))
    assert found(of_dates(dates("2024-10-30"), soon), "staleness") == []
    later = datetime(2024, 11, 6, tzinfo=UTC)
    assert len(found(of_dates(dates("2024-10-30"), soon, later), "staleness")) == 57


def test_a_release_that_moved() -> None:
    moved = pl.concat([dates("2024-10-24", listed=False), dates("2024-10-30")])
    outcomes = of_dates(moved, asked("2024-10-20", "2024-10-31"))
    assert found(outcomes, "drift") == [("53", "release_moved", "warn", "2024-10-24")]
    assert found(outcomes, "schema") == []


def of_values(values: pl.DataFrame, now: datetime = NOW) -> dict[str, CheckOutcome]:
    announced = dates("2024-07-25", "2024-10-30")
    made = build_calendar(announced, values, ONLY_GDP, sessions=YEAR, now=now)
    return check_vintages(
        values,
        made.filter(symbol="US-GDP"),
        ONLY_GDP,
        astray=astray(announced, values, ONLY_GDP),
        sessions=YEAR,
        now=now,
    )


def test_a_value_that_went_far_from_its_first_publication() -> None:
    outcomes = of_values(vintages(GDP))
    assert found(outcomes, "drift") == [
        ("GDP", "value_revised", "warn", "2024-09-26"),
        ("GDP", "value_revised", "warn", "2024-09-26"),
    ]
    assert outcomes["drift"].findings["value"].max() == pytest.approx(29016.7 / 28629.2 - 1)
    assert found(outcomes, "coverage") == found(outcomes, "staleness") == []


def test_a_value_that_no_announced_date_has() -> None:
    outcomes = of_values(vintages([*GDP[:2], ("2024-09-10", "2024-04-01", 28629.2)]))
    assert found(outcomes, "coverage") == [("GDP", "value_without_event", "warn", "2024-09-10")]


def test_a_series_of_which_nothing_is_known() -> None:
    outcomes = of_values(FRED_OBSERVATIONS.empty())
    assert [row[:3] for row in found(outcomes, "coverage")] == [
        ("US-GDP", "no_value_ever", "error")
    ] * 2


@pytest.mark.parametrize(
    ("days", "severity"), [(0.9, None), (1.1, "warn"), (6.9, "warn"), (7.1, "error")]
)
def test_a_release_that_is_overdue(days: float, severity: str | None) -> None:
    now = datetime(2024, 10, 30, 12, 30, tzinfo=UTC) + timedelta(days=days)
    outcomes = of_values(vintages(GDP[:-1]), now)
    expected = [("US-GDP", "value_overdue", severity, "2024-10-30")] if severity else []
    assert found(outcomes, "staleness") == expected


def stored_and_made() -> tuple[pl.DataFrame, pl.DataFrame]:
    def at(values: pl.DataFrame) -> pl.DataFrame:
        return build_calendar(
            dates("2024-07-25", "2024-10-30"), values, ONLY_GDP, sessions=YEAR, now=NOW
        ).filter(symbol="US-GDP")

    return at(vintages(GDP[:3])), at(vintages(GDP))


def of_calendar(stored: pl.DataFrame, made: pl.DataFrame) -> dict[str, CheckOutcome]:
    return check_calendar(stored, made, ONLY_GDP, sessions=YEAR, now=NOW)


def test_a_calendar_that_is_as_it_should_be() -> None:
    _, made = stored_and_made()
    outcomes = of_calendar(made, made)
    assert found(outcomes, "drift") == [("US-GDP", "value_revised", "warn", "2024-07-25")]
    assert all(not found(outcomes, check) for check in ("schema", "coverage", "staleness"))


def test_an_announced_date_that_is_not_in_the_calendar() -> None:
    _, made = stored_and_made()
    outcomes = of_calendar(made.head(1), made)
    assert found(outcomes, "coverage") == [("US-GDP", "event_missing", "error", "2024-10-30")]


def test_a_calendar_that_knows_less_than_is_known() -> None:
    stored, made = stored_and_made()
    codes = {
        (code, session) for _, code, _, session in found(of_calendar(stored, made), "staleness")
    }
    assert codes == {
        ("event_outdated", "2024-07-25"),
        ("event_outdated", "2024-10-30"),
        ("value_overdue", "2024-10-30"),
    }


def test_a_date_that_was_withdrawn_since() -> None:
    _, made = stored_and_made()
    outcomes = of_calendar(made, made.head(1))
    assert found(outcomes, "staleness") == [("US-GDP", "event_withdrawn", "warn", "2024-10-30")]


def test_a_calendar_with_empty_cells() -> None:
    _, made = stored_and_made()
    broken = made.with_columns(event=pl.lit(None, dtype=pl.String))
    assert [row[1:3] for row in found(of_calendar(broken, made), "schema")] == [
        ("schema", "error")
    ] * 2
