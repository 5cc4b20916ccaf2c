"""Split-adjusted prices of which nobody told a split are not taken for prices as traded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.curation.split_evidence import SplitsTold
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from tests.support.raw_rows import FETCHED, NOW, curated, raw_rows

ADJUSTED = "splits|trade||regular|"
FIRST = date(2024, 1, 2)
DAY = timedelta(days=1)


def told(*answers: tuple[date, datetime], tellers: Sequence[str] = ("gamma",)) -> SplitsTold:
    rows = pl.DataFrame(
        [("AAA", session, asked) for session, asked in answers],
        schema={"symbol": pl.String, "session": pl.Date, "asked_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    return SplitsTold(tellers, rows)


def action(
    kind: str, value: float, ex_date: date, symbol: str = "AAA", source: str = "a_list"
) -> pl.DataFrame:
    row = (symbol, ex_date, kind, value, source, FETCHED)
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


def stated(actions: pl.DataFrame, at: datetime) -> SplitsTold:
    return replace(told(), statements=actions.with_columns(stated_at=pl.lit(at)))


def told_of(bars: pl.DataFrame) -> list[tuple[str, str]]:
    return bars.select("flags", "dq_status").unique().sort("flags").rows()


UNKNOWN, KNOWN = ("splits_unknown", "warn"), ("deadjusted", "ok")
DISPUTED = ("splits_disputed", "error")


def test_nobody_was_asked_about_splits() -> None:
    found = curated(raw_rows(basis=ADJUSTED), told=told()).bars
    assert told_of(found) == [UNKNOWN]
    assert found["close"].to_list() == [100.5] * 4


@pytest.mark.parametrize("kind", ["split", "dividend"])
def test_a_list_that_a_person_brought_is_evidence_until_its_day(kind: str) -> None:
    rows = raw_rows(basis=ADJUSTED)
    known = action(kind, 4.0, date(2024, 2, 1)).with_columns(known_at=pl.col("known_at") - 9 * DAY)
    found = curated(rows, actions=known, told=stated(known, FETCHED)).bars
    assert told_of(found) == [KNOWN]
    assert found["close"].to_list() == [402.0 if kind == "split" else 100.5] * 4
    old = stated(known, FETCHED - DAY)
    doubted = DISPUTED if kind == "split" else UNKNOWN
    assert told_of(curated(rows, actions=known, told=old).bars) == [doubted]
    for none in (
        action(kind, 4.0, date(2018, 2, 1), symbol="BBB"),
        action(kind, 4.0, date(2018, 2, 1), source="gamma"),
    ):
        assert told_of(curated(rows, actions=none, told=stated(none, NOW)).bars) == [UNKNOWN]


def test_bars_before_a_split_on_record_are_not_served_beside_others() -> None:
    split = action("split", 4.0, date(2024, 1, 4), source="gamma")
    for basis, expected in (
        (ADJUSTED, [DISPUTED] * 2 + [UNKNOWN] * 2),
        ("splits|trade||regular||2024-01-03", [UNKNOWN] * 4),
    ):
        found = curated(raw_rows(basis=basis), actions=split, told=stated(split, NOW)).bars
        assert found.select("flags", "dq_status").rows() == expected
        assert found["close"].to_list() == [100.5] * 4
    ahead = split.with_columns(ex_date=pl.lit(NOW.date() + DAY))
    assert told_of(curated(raw_rows(basis=ADJUSTED), actions=ahead, told=told()).bars) == [UNKNOWN]


def test_a_vendor_that_tells_splits_is_evidence_for_its_own_bars() -> None:
    rows = raw_rows(basis=ADJUSTED)
    assert told_of(curated(rows, told=told(tellers=["alpha"])).bars) == [KNOWN]


OPENS = datetime(2024, 5, 1, 13, 30, tzinfo=UTC)
NIGHT, EVENING = (OPENS.replace(hour=h, minute=m) for h, m in ((2, 0), (20, 30)))


@pytest.mark.parametrize(
    ("asked_at", "fetched_at", "expected"),
    [
        (NIGHT, EVENING, UNKNOWN),
        (OPENS - timedelta(microseconds=1), OPENS, UNKNOWN),
        (OPENS, EVENING, KNOWN),
        (EVENING + DAY, EVENING, KNOWN),
        (NIGHT, NIGHT + timedelta(minutes=5), KNOWN),
        (NIGHT, OPENS - timedelta(microseconds=1), KNOWN),
        (EVENING - DAY, NIGHT, KNOWN),
        (NIGHT - DAY, NIGHT, UNKNOWN),
    ],
)
@pytest.mark.parametrize("who", ["a vendor", "a person"])
def test_who_was_asked_before_the_last_opening_cannot_have_told(
    who: str, asked_at: datetime, fetched_at: datetime, expected: tuple[str, str]
) -> None:
    """A split of that session is in prices of later on, be it of the same day."""
    rows = raw_rows(basis=ADJUSTED, fetched_at=fetched_at)
    evidence = told((FIRST, asked_at))
    if who == "a person":
        evidence = stated(action("dividend", 1.0, date(2018, 2, 1)), asked_at)
    assert told_of(curated(rows, told=evidence).bars) == [expected]


def test_over_a_weekend_nothing_opens() -> None:
    friday, monday = date(2024, 4, 26), datetime(2024, 4, 29, 13, 30, tzinfo=UTC)
    asked = told((FIRST, datetime.combine(friday, OPENS.timetz())))
    for fetched_at, expected in ((monday - timedelta(minutes=1), KNOWN), (monday, UNKNOWN)):
        rows = raw_rows(basis=ADJUSTED, fetched_at=fetched_at)
        assert told_of(curated(rows, told=asked).bars) == [expected]


def test_the_opening_of_a_bars_own_session_is_in_no_price_of_it() -> None:
    """So that the evening's bars of a session need no answer of that session."""
    today, yesterday = OPENS.date(), OPENS.date() - DAY
    rows = raw_rows(basis=ADJUSTED, first=yesterday, last=today, fetched_at=EVENING)
    found = curated(rows, told=told((FIRST, NIGHT))).bars
    assert found["flags"].to_list() == ["splits_unknown", "deadjusted"]
    assert told_of(curated(rows, told=told((FIRST, NIGHT - DAY))).bars) == [UNKNOWN]


def test_it_counts_for_the_sessions_that_it_reaches_back_to() -> None:
    evidence = told((date(2024, 1, 4), NOW), (date(2024, 1, 5), FETCHED - 9 * DAY))
    found = curated(raw_rows(basis=ADJUSTED), told=evidence).bars
    assert found["flags"].to_list() == ["splits_unknown"] * 2 + ["deadjusted"] * 2


def test_prices_of_a_stated_day_need_what_was_known_on_that_day() -> None:
    rows = raw_rows(basis="splits|trade||regular||2024-03-01")
    before, after = (datetime(2024, m, 20, tzinfo=UTC) for m in (2, 3))
    assert told_of(curated(rows, told=told((FIRST, before))).bars) == [UNKNOWN]
    assert told_of(curated(rows, told=told((FIRST, after))).bars) == [KNOWN]


@pytest.mark.parametrize(
    ("asked_at", "fetched_at", "expected"),
    [
        (NIGHT, NIGHT, KNOWN),
        (NIGHT, EVENING, UNKNOWN),
        (NIGHT, EVENING + 9 * DAY, UNKNOWN),
        (OPENS, EVENING + 9 * DAY, KNOWN),
    ],
)
def test_prices_of_a_stated_day_are_of_its_last_opening_until_they_came(
    asked_at: datetime, fetched_at: datetime, expected: tuple[str, str]
) -> None:
    rows = raw_rows(basis="splits|trade||regular||2024-05-01", fetched_at=fetched_at)
    assert told_of(curated(rows, told=told((FIRST, asked_at))).bars) == [expected]


def test_prices_that_are_known_go_first_and_are_not_compared_with_others() -> None:
    found = curated(
        raw_rows(basis=ADJUSTED, close=25.1, open=25.0, high=25.2, low=24.9),
        raw_rows(vendor="beta", last=date(2024, 1, 4)),
        told=told(),
    )
    assert found.bars["source"].to_list() == ["beta"] * 3 + ["alpha"]
    assert found.bars["flags"].to_list() == [""] * 3 + ["splits_unknown"]
    assert found.drift.is_empty()


def test_minutes_of_a_session_share_a_fate() -> None:
    late = pl.when(pl.col("ts").dt.hour() < 16).then(FETCHED).otherwise(FETCHED + 2 * DAY)
    rows = raw_rows(timeframe=Timeframe.M1, last=FIRST, basis=ADJUSTED, fetched_at=late)
    found = curated(minutes=(rows,), told=told((FIRST, FETCHED))).bars
    assert found.height == 1
    assert told_of(found) == [UNKNOWN]
    assert told_of(curated(minutes=(rows,), told=told((FIRST, NOW))).bars) == [KNOWN]


def test_a_split_that_came_to_light_later_was_not_known() -> None:
    rows, asked = raw_rows(basis=ADJUSTED), told((FIRST, NOW + DAY))
    split = action("split", 4.0, date(2024, 2, 1))
    none = CORPORATE_ACTIONS.empty()
    assert told_of(curated(rows, since=split, told=asked).bars) == [UNKNOWN]
    assert told_of(curated(rows, since=none, told=asked).bars) == [KNOWN]
    ahead = action("split", 4.0, NOW.date() + DAY)
    assert told_of(curated(rows, since=ahead, told=asked).bars) == [KNOWN]


def test_other_prices_need_no_evidence() -> None:
    found = curated(raw_rows(), raw_rows("EURUSD", basis="splits|mid||regular|"), told=told())
    assert found.bars["flags"].unique().to_list() == [""]


@pytest.mark.parametrize(
    ("until", "expected"), [("2024-04-26", KNOWN), ("2024-04-25", UNKNOWN), ("", UNKNOWN)]
)
def test_a_file_is_evidence_for_its_bars_until_its_last_one(
    until: str, expected: tuple[str, str]
) -> None:
    """It was exported on a Sunday; only a bar of the Friday before leaves no session out."""
    basis = f"splits|trade||regular||2024-04-28|||{until}".rstrip("|")
    rows = raw_rows(basis=basis, fetched_at=OPENS)
    assert told_of(curated(rows, told=told()).bars) == [expected]


def test_what_a_file_told_is_no_list_that_a_person_brought() -> None:
    dividend = action("dividend", 1.0, date(2018, 2, 1), source="beta:file")
    rows = raw_rows(basis=ADJUSTED)
    assert told_of(curated(rows, told=stated(dividend, NOW)).bars) == [UNKNOWN]
