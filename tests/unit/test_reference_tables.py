"""Reference tables as frames: their rows, their oddities, and how two states differ."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from market_data.calendar_rules import CalendarRules
from market_data.calendars import trading_sessions, versioned
from market_data.pipeline.reference_impact import ReferenceImpact, changed_instruments
from market_data.reference.tables import (
    closed_table,
    duplicate_aliases,
    instruments_table,
    moved_sessions,
    sessions_table,
    tickers_table,
    unexplained_sessions,
    unnamed_sessions,
)
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS
from market_data.universe import Universe

FIRST, LAST = date(2024, 1, 1), date(2024, 12, 31)


def universe(*instruments: dict[str, Any], **days: list[dict[str, Any]]) -> Universe:
    """Instruments on XNYS, and days of calendars."""
    made = Universe.model_validate(
        {
            "instruments": [
                {"asset_class": "equity", "calendar": "XNYS", **i} for i in instruments
            ],
            "vendors": [],
            "calendars": {c: CalendarRules.model_validate({"days": d}) for c, d in days.items()},
        }
    )
    return made.on_calendars()


def sessions(*days: dict[str, Any]) -> pl.DataFrame:
    rules = {"XNYS": CalendarRules.model_validate({"days": days})}
    return trading_sessions(versioned("XNYS", rules), FIRST, LAST)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ({"closed": True}, "no longer a session"),
        ({"close": "13:00"}, "other hours"),
        ({"open": "10:00"}, "other hours"),
        ({"expected_until": "13:00"}, "other bars expected"),
        ({"expected": False}, "other bars expected"),
    ],
)
def test_a_moved_session_says_how_and_moves_back(said: dict[str, Any], change: str) -> None:
    day = date(2024, 5, 7)
    plain, moved = sessions(), sessions({"date": day, **said})
    assert moved_sessions(plain, moved).rows() == [("XNYS", day, change)]
    back = "new session" if change == "no longer a session" else change
    assert moved_sessions(moved, plain).rows() == [("XNYS", day, back)]
    assert moved_sessions(moved, moved).is_empty()


def test_only_days_that_are_named_may_differ_from_the_library() -> None:
    day = date(2024, 5, 7)
    closed = sessions({"date": day, "closed": True})
    named = universe({"symbol": "A"}, XNYS=[{"date": day, "closed": True}])
    assert unexplained_sessions(named, closed).is_empty()
    unnamed = universe({"symbol": "A"}, XNYS=[{"date": date(2024, 5, 8), "closed": True}])
    assert unexplained_sessions(unnamed, closed)["session"].to_list() == [day]
    assert unexplained_sessions(unnamed, closed.clear()).is_empty()


def test_rows_of_the_tables() -> None:
    said = universe(
        {
            "symbol": "B",
            "vendor_symbols": {"y": "BB", "a": "b.us"},
            "tickers": [
                {"vendor": "lean", "symbol": "NEW", "from": "2022-06-09"},
                {"vendor": "lean", "symbol": "OLD", "to": "2022-06-08"},
            ],
        },
        {"symbol": "A", "calendar": "24/7", "listed": "2020-01-02"},
        XNYS=[
            {"date": "2024-05-07", "closed": True, "note": "storm"},
            {"every": "12-24", "closed": True},
        ],
    )
    instruments = instruments_table(said)
    INSTRUMENTS.check(instruments)
    assert instruments.select("symbol", "calendar", "aliases", "tickers").rows() == [
        ("A", "24/7", "", ""),
        ("B", "XNYS", "a=b.us, y=BB", "lean=OLD ..2022-06-08, lean=NEW 2022-06-09.."),
    ]
    table = sessions_table(said, FIRST, LAST)
    TRADING_SESSIONS.check(table)
    assert dict(table.group_by("calendar").len().rows()) == {"24/7": 366, "XNYS": 250}
    assert closed_table(said, FIRST, LAST).rows() == [
        ("XNYS", date(2024, 5, 7), "storm"),
        ("XNYS", date(2024, 12, 24), ""),
    ]
    assert tickers_table(said)["ticker"].to_list() == ["OLD", "NEW"]


def test_one_name_for_two_is_found_where_they_meet_in_time() -> None:
    early = {"symbol": "A", "vendor_symbols": {"y": "X"}, "delisted": "2020-01-02"}
    late = {"symbol": "B", "vendor_symbols": {"y": "X"}, "listed": "2020-01-03"}
    assert duplicate_aliases(universe(early, late)).is_empty()
    both = universe(
        {**early, "delisted": "2020-01-03"}, late, {"symbol": "C", "vendor_symbols": {"z": "X"}}
    )
    assert duplicate_aliases(both).rows() == [("y", "X", "A, B")]


def test_sessions_without_a_name_are_told_in_runs() -> None:
    said = universe(
        {
            "symbol": "A",
            "listed": "2024-01-02",
            "delisted": "2024-01-31",
            "tickers": [
                {"vendor": "y", "symbol": "P", "from": "2024-01-04", "to": "2024-01-10"},
                {"vendor": "y", "symbol": "Q", "from": "2024-01-16", "to": "2024-01-30"},
            ],
        },
        {"symbol": "B"},
    )
    assert unnamed_sessions(said, FIRST, LAST).rows() == [
        ("A", "y", date(2024, 1, 2), date(2024, 1, 3), 2),
        ("A", "y", date(2024, 1, 11), date(2024, 1, 12), 2),
        ("A", "y", date(2024, 1, 31), date(2024, 1, 31), 1),
    ]


def test_changed_instruments_say_what_is_another() -> None:
    before = instruments_table(universe({"symbol": "A"}, {"symbol": "B"}, {"symbol": "C"}))
    now = universe(
        {"symbol": "A", "listed": "2020-01-02", "currency": "EUR"},
        {"symbol": "B", "name": "another name for people"},
        {"symbol": "D"},
    )
    changed = changed_instruments(now, before)
    assert changed.rows() == [
        ("A", "changed: currency, listed"),
        ("C", "gone"),
        ("D", "new"),
    ]
    assert changed_instruments(now, None)["change"].to_list() == ["new"] * 3
    older_release = before.drop("aliases", "tickers")
    assert "A" in changed_instruments(now, older_release)["symbol"]


def test_the_differences_in_words() -> None:
    impact = ReferenceImpact(
        moved=moved_sessions(sessions(), sessions({"date": date(2024, 5, 7), "closed": True})),
        symbols=pl.DataFrame({"symbol": [f"S{n:02}" for n in range(22)], "change": ["new"] * 22}),
        outdated=pl.DataFrame(
            {
                "dataset": ["curated/bars_1d"] * 2,
                "symbol": ["A", "B"],
                "session": [date(2024, 5, 7)] * 2,
                "reason": ["its session moved"] * 2,
            }
        ),
        gaps=pl.DataFrame(),
    )
    lines = impact.sentences()
    assert lines[20:] == [
        "2 more instruments differ",
        "XNYS: no longer a session: 1 (2024-05-07)",
        "curated/bars_1d: 2 sessions of 2 symbols are out of date (its session moved; 2024-05-07 "
        "to 2024-05-07)",
    ]
