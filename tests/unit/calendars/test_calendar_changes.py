"""Days and hours from a configuration on top of real calendars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from market_data.calendar_rules import CalendarRules, DayRule, OwnHours
from market_data.calendars import (
    calendar_name,
    check_calendars,
    exchange_zone,
    expected_bars,
    is_session,
    trading_sessions,
    versioned,
    with_session,
)
from market_data.errors import ConfigurationError
from market_data.schemas import TRADING_SESSIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, Universe

FIRST, LAST = date(2024, 1, 1), date(2024, 12, 31)
TIMES = ["open", "close", "break_start", "break_end"]


def rules(*days: dict[str, Any], **more: Any) -> CalendarRules:
    return CalendarRules.model_validate({"days": days, **more})


def on(calendar: str, *days: dict[str, Any]) -> str:
    return versioned(calendar, {calendar: rules(*days)})


def one(calendar: str, day: date) -> dict[str, Any]:
    return trading_sessions(calendar, day, day).row(0, named=True)


def count(calendar: str, timeframe: Timeframe, day: date) -> int:
    instrument = Instrument(symbol="X", asset_class=AssetClass.FX, calendar=calendar)
    return int(expected_bars([instrument], timeframe, day, day)["expected"].item())


def test_a_day_of_mourning_closes_one_calendar() -> None:
    mourning = on("XNYS", {"date": date(2024, 5, 6), "closed": True})
    assert not is_session(mourning, date(2024, 5, 6))
    assert is_session("XNYS", date(2024, 5, 6))
    assert is_session(on("XLON", {"date": date(2024, 5, 9), "closed": True}), date(2024, 5, 7))


def test_hours_of_one_day() -> None:
    day = date(2024, 7, 5)
    early = one(on("XNYS", {"date": day, "close": "13:00", "note": "storm"}), day)
    assert (early["minutes"], early["early_close"], early["changed"]) == (210, True, "storm")
    late = one(on("XNYS", {"date": day, "open": "11:00"}), day)
    assert late["open"] == datetime(2024, 7, 5, 15, tzinfo=UTC)
    assert (late["minutes"], late["early_close"]) == (300, False)


def test_a_session_that_the_calendar_lacks() -> None:
    day = date(2024, 1, 6)
    assert not is_session("XNYS", day)
    with pytest.raises(ConfigurationError, match=r"no session on 2024-01-06.*session: true"):
        check_calendars({"XNYS": rules({"date": day, "close": "13:00"})})
    extra = one(on("XNYS", {"date": day, "session": True}), day)
    assert (extra["open"].hour, extra["minutes"], extra["calendar"]) == (14, 390, "XNYS")


def test_a_lunch_break_that_an_early_close_cuts_off() -> None:
    day = date(2024, 2, 8)
    cut = one(on("XTKS", {"date": day, "close": "11:30"}), day)
    assert (cut["break_start"], cut["minutes"]) == (None, 150)


def test_a_yearly_day_waits_for_a_session_and_gives_way_to_a_date() -> None:
    calendar = on(
        "fx",
        {"every": "12-24", "since": 2015, "until": 2024, "close": "13:00"},
        {"date": date(2020, 12, 24), "close": "14:00"},
    )
    minutes = {year: one(calendar, date(year, 12, 24))["minutes"] for year in (2014, 2015, 2020)}
    assert minutes == {2014: 1440, 2015: 1200, 2020: 1260}
    assert not is_session(calendar, date(2016, 12, 24))  # a Saturday


def test_part_of_a_session_is_expected() -> None:
    day = date(2018, 12, 24)
    calendar = on("fx", {"date": day, "expected_until": "13:00"})
    assert one(calendar, day)["minutes"] == 1440
    assert [count(calendar, t, day) for t in (Timeframe.M1, Timeframe.H1, Timeframe.D1)] == [
        1200,
        20,
        1,
    ]
    nothing = on("fx", {"date": day, "expected": False})
    assert [count(nothing, t, day) for t in (Timeframe.M1, Timeframe.H1, Timeframe.D1)] == [0, 0, 0]
    tokyo = on("XTKS", {"date": date(2024, 2, 8), "expected_from": "12:00"})
    assert count(tokyo, Timeframe.M1, date(2024, 2, 8)) == 150


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"closed": True}, "either date or every"),
        ({"date": FIRST, "every": "01-01", "closed": True}, "either date or every"),
        ({"date": FIRST}, "give closed alone"),
        ({"date": FIRST, "closed": True, "close": "13:00"}, "give closed alone"),
        ({"date": FIRST, "close": 780}, "in quotes"),
        ({"date": FIRST, "close": "25:00"}, "is no time"),
        ({"date": FIRST, "open": "14:00", "close": "13:00"}, "not in this order"),
        ({"every": "2-30", "closed": True}, "no month and day"),
        ({"every": "12-24", "since": 2020, "until": 2019, "closed": True}, "later than until"),
        ({"date": FIRST, "shut": True}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        DayRule.model_validate(wrong)


def test_a_day_is_given_once() -> None:
    with pytest.raises(ValidationError, match="given twice: 2024-05-06"):
        rules(*[{"date": date(2024, 5, 6), "closed": True}] * 2)
    with pytest.raises(ValidationError, match="twice for the same years"):
        rules(
            {"every": "12-24", "until": 2020, "closed": True},
            {"every": "12-24", "since": 2020, "close": "13:00"},
        )


def test_a_code_of_another_configuration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not loaded"):
        trading_sessions("fx@000000000000", FIRST, LAST)


def test_sessions_may_not_overlap() -> None:
    with pytest.raises(ConfigurationError, match="2024-05-07 opens before"):
        check_calendars({"XNYS": rules({"date": date(2024, 5, 7), "open": "-1d 15:00"})})


def test_own_hours_and_closures_give_an_exchange_as_it_was_recorded(test_data: Path) -> None:
    recorded = (
        pl.read_csv(
            test_data / "reference" / "exchange_sessions" / "xetr.csv.gz", infer_schema=False
        )
        .select(
            pl.col("").str.slice(0, 10).str.to_date().alias("session"),
            *(pl.col(t).str.to_datetime(time_unit="us", time_zone="UTC") for t in TIMES),
        )
        .filter(pl.col("session").dt.year().is_between(2015, 2023))
    )
    local = pl.col("close").dt.convert_time_zone("Europe/Berlin")
    early = recorded.filter(local.dt.hour() < 17).select("session", at=local.dt.strftime("%H:%M"))
    weekdays = pl.select(d=pl.date_range(date(2015, 1, 1), date(2023, 12, 31))).filter(
        pl.col("d").dt.weekday() <= 5
    )["d"]
    closed = sorted(set(weekdays) - set(recorded["session"]))
    own = CalendarRules(
        hours=OwnHours.model_validate({"zone": "Europe/Berlin", "open": "09:00", "close": "17:30"}),
        days=tuple(
            [DayRule(date=d, closed=True) for d in closed]
            + [DayRule(date=d, close=at) for d, at in early.iter_rows()]
        ),
    )
    calendar = versioned("XOWN", {"XOWN": own})
    found = trading_sessions(calendar, date(2015, 1, 1), date(2023, 12, 31))
    assert found.select("session", *TIMES).equals(recorded)
    assert found["early_close"].sum() == early.height
    assert (exchange_zone(calendar), calendar_name(calendar)) == ("Europe/Berlin", "XOWN")


def test_a_week_of_its_own_with_a_break_and_an_evening_open() -> None:
    hours = {"zone": "Asia/Dubai", "open": "-1d 18:00", "close": "14:00"}
    week = {**hours, "break": ["09:00", "10:00"], "weekdays": ["sun", "mon"]}
    calendar = versioned("OWN", {"OWN": rules(hours=week)})
    found = trading_sessions(calendar, date(2024, 3, 1), date(2024, 3, 10))
    assert found["session"].to_list() == [date(2024, 3, d) for d in (3, 4, 10)]
    assert found["minutes"].to_list() == [19 * 60] * 3
    eve = pl.DataFrame({"ts": [datetime(2024, 3, 2, 15, tzinfo=UTC)]}).cast(
        {"ts": pl.Datetime("us", "UTC")}
    )
    assert with_session(eve, calendar)["session"].to_list() == [date(2024, 3, 3)]


CODES = st.sampled_from(["XNYS", "XTKS", "fx", "24/7"])
DAYS = st.dates(FIRST, LAST)
CHANGES = st.sampled_from(
    [
        {"closed": True},
        {"session": True},
        {"session": True, "close": "11:00"},
        {"session": True, "expected": False},
    ]
)


@settings(max_examples=150, deadline=None)
@given(CODES, st.dictionaries(DAYS, CHANGES, max_size=6))
def test_only_the_days_named_change_and_only_there(
    calendar: str, changes: dict[date, dict[str, Any]]
) -> None:
    before = {c: trading_sessions(c, FIRST, LAST) for c in ("XNYS", "XTKS", "fx", "24/7")}
    said = {calendar: rules(*({"date": d, **c} for d, c in changes.items()))}
    code = versioned(calendar, said)
    found = trading_sessions(code, FIRST, LAST)
    TRADING_SESSIONS.check(found)
    for other, sessions in before.items():
        assert trading_sessions(other, FIRST, LAST).equals(sessions)
        if other != calendar:
            assert versioned(other, said) == other
    named = pl.col("session").is_in(list(changes))
    assert found.filter(~named).equals(before[calendar].filter(~named))
    open_days = {d for d, c in changes.items() if not c.get("closed")}
    assert set(found.filter(named)["session"]) == open_days
    # What was added is taken away again: the calendar is what it was.
    assert trading_sessions(versioned(code, {}), FIRST, LAST).equals(before[calendar])
    assert found["session"].is_sorted()
    assert (found["open"].diff().drop_nulls() > timedelta()).all()


def test_a_note_makes_no_other_version_and_is_told_all_the_same() -> None:
    day = date(2024, 7, 5)
    first = on("XNYS", {"date": day, "close": "13:00", "note": "storm"})
    before = trading_sessions(first, FIRST, LAST)
    second = on("XNYS", {"date": day, "close": "13:00", "note": "thunderstorm"})
    assert second == first
    after = trading_sessions(second, FIRST, LAST)
    assert after.drop("changed").equals(before.drop("changed"))
    assert [f.filter(session=day)["changed"].item() for f in (before, after)] == [
        "storm",
        "thunderstorm",
    ]
    assert on("XNYS", {"date": day, "close": "13:30", "note": "storm"}) != first
    assert one(on("XNYS", {"date": day, "close": "13:00"}), day)["changed"] == "2024-07-05"


def test_rules_that_are_written_down_are_read_again() -> None:
    said = rules(
        {"every": "12-24", "since": 2000, "close": "13:00"},
        {"date": date(2024, 5, 6), "session": True, "open": "-1d 17:00", "close": "24:00"},
        hours={"zone": "Europe/Berlin", "open": "-1d 23:30", "close": "22:00"}
        | {"break": ["12:00", "13:00"]},
    )
    for mode in ("python", "json"):
        again = CalendarRules.model_validate(said.model_dump(mode=mode))
        assert again == said
        assert again.digest == said.digest


def test_a_universe_that_is_written_down_keeps_its_calendars() -> None:
    day = date(2024, 7, 5)
    share = Instrument(symbol="X", asset_class=AssetClass.EQUITY, calendar="XNYS")
    made = Universe(
        instruments=(share,), vendors=(), calendars={"XNYS": rules({"date": day, "closed": True})}
    )
    for again in (made, Universe.model_validate_json(made.model_dump_json())):
        assert again == made
        assert not is_session(again.instrument("X").calendar, day)
