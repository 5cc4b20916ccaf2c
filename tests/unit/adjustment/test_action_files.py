"""Corporate actions from a CSV, sources that contradict each other, and actions that come late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.corporate_actions.conflicts import conflicts
from market_data.corporate_actions.csv_text import parse_actions_csv
from market_data.corporate_actions.lateness import with_known_at
from market_data.errors import SchemaError
from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS
from market_data.universe import AssetClass, Instrument

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
APPLE = Instrument(symbol="AAPL", asset_class=AssetClass.EQUITY, calendar="XNYS")
EURO = Instrument(symbol="EURUSD", asset_class=AssetClass.FX, calendar="fx")


def parse(text: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    good, bad = parse_actions_csv(text, [APPLE, EURO], source="broker", now=NOW)
    CORPORATE_ACTIONS.check(good)
    REJECTED_ROWS.check(bad)
    return good, bad


def test_a_csv_becomes_actions() -> None:
    good, bad = parse(
        "\ufeffSymbol, ex_date ,kind,value,known_at,note\n".lstrip("\ufeff")
        + "AAPL,2020-08-31,Split,4,,four for one\n"
        + "AAPL,2023-11-10, dividend ,0.24,2023-11-02,\n"
        + "AAPL,2023-11-10, dividend ,0.24,2023-11-02,\n"
    )
    assert bad["reasons"].to_list() == ["repeated"]
    assert good.rows() == [
        ("AAPL", date(2020, 8, 31), "split", 4.0, "broker", datetime(2020, 8, 31, tzinfo=UTC)),
        ("AAPL", date(2023, 11, 10), "dividend", 0.24, "broker", datetime(2023, 11, 2, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ("NOSUCH,2020-08-31,split,4,", "unknown_symbol"),
        (",2020-08-31,split,4,", "unknown_symbol"),
        ("EURUSD,2020-08-31,split,4,", "not_adjustable"),
        ("AAPL,31.08.2020,split,4,", "bad_date"),
        ("AAPL,2020-08-30,split,4,", "not_a_session"),
        ("AAPL,2020-08-31,spinoff,4,", "bad_kind"),
        ("AAPL,2020-08-31,split,four,", "bad_value"),
        ("AAPL,2020-08-31,split,-4,", "bad_value"),
        ("AAPL,2020-08-31,split,1,", "bad_value"),
        ("AAPL,2020-08-31,dividend,nan,", "bad_value"),
        ("AAPL,2020-08-31,dividend,inf,", "bad_value"),
        ("AAPL,2020-08-31,split,1e300,", "implausible_split"),
        ("AAPL,2020-08-31,split,0.0001,", "implausible_split"),
        ("AAPL,2020-08-31,dividend,1e308,", "implausible_dividend"),
        ("AAPL,2020-08-31,split,4,tomorrow", "bad_known_at"),
        ("AAPL,2020-08-31,split,4,2024-06-02", "bad_known_at"),
        ("NOSUCH,x,spinoff,0,", "unknown_symbol,bad_date,bad_kind,bad_value"),
    ],
)
def test_a_row_is_refused_with_every_reason(row: str, reasons: str) -> None:
    good, bad = parse(f"symbol,ex_date,kind,value,known_at\n{row}\nAAPL,2014-06-09,split,7,\n")
    assert good["value"].to_list() == [7.0]
    assert bad["reasons"].to_list() == [reasons]


def test_two_values_of_one_action_are_both_refused() -> None:
    good, bad = parse(
        "symbol,ex_date,kind,value\nAAPL,2020-08-31,split,4\nAAPL,2020-08-31,split,5\n"
    )
    assert good.is_empty()
    assert bad["reasons"].to_list() == ["contradiction"] * 2


def test_an_action_that_is_said_twice_counts_once_and_is_told() -> None:
    good, bad = parse(
        "symbol,ex_date,kind,value,known_at\n"
        "AAPL,2020-08-31,dividend,0.5,never\n"
        "AAPL,2020-08-31,dividend,0.5,\n"
        "AAPL,2020-08-31,split,4,\n"
        "AAPL,2020-08-31,dividend,0.5,\n"
        "AAPL,2020-08-31,dividend,0.50,2020-08-01\n"
    )
    assert good.select("kind", "value").rows() == [("dividend", 0.5), ("split", 4.0)]
    assert bad["reasons"].to_list() == ["bad_known_at", "repeated", "repeated"]


@pytest.mark.parametrize("text", ["", "symbol,kind,value\nAAPL,split,4\n"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        parse(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_rows_or_a_typed_refusal(text: str) -> None:
    try:
        good, bad = parse("symbol,ex_date,kind,value\n" + text)
    except SchemaError:
        return
    assert good.is_empty() or set(good["symbol"]) == {"AAPL"}
    assert bad["reasons"].str.len_chars().min() != 0


def statement(source: str, ex_date: date, value: float, kind: str = "split") -> tuple:
    return ("AAPL", ex_date, kind, value, source, NOW)


def frame(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=CORPORATE_ACTIONS.dtypes, orient="row")


def test_contradictions_are_told_with_the_one_that_stands() -> None:
    day = date(2020, 8, 31)
    a, b = statement("lean", day, 4.0), statement("yahoo", day, 5.0)
    found = conflicts(frame(a, b), standing=frame(a))
    assert found.select("source", "value", "other_source", "other_value", "stands").rows() == [
        ("lean", 4.0, "yahoo", 5.0, "lean")
    ]
    apart = statement("yahoo", day + timedelta(days=1), 5.0)
    both = conflicts(frame(a, apart), standing=frame(a, apart))
    assert both["stands"].to_list() == ["lean and yahoo"]


def test_one_source_that_states_one_split_on_neighbouring_days_is_named() -> None:
    day = date(2020, 8, 31)
    twice = frame(statement("a", day, 4.0), statement("a", day + timedelta(days=1), 4.0))
    found = conflicts(twice, standing=twice)
    assert found.select("ex_date", "other_ex_date", "stands").rows() == [
        (day, day + timedelta(days=1), "a and a")
    ]
    corrected = frame(statement("a", day, 1.0), statement("a", day + timedelta(days=1), 4.0))
    assert conflicts(corrected, standing=corrected[1:]).is_empty()


def test_that_there_was_no_split_contradicts_the_one_of_its_day_alone() -> None:
    day = date(2020, 8, 31)
    none, split = statement("a", day, 1.0), statement("b", day, 4.0)
    near = statement("b", day + timedelta(days=1), 4.0)
    assert conflicts(frame(none, split), standing=frame(split))["stands"].to_list() == ["b"]
    assert conflicts(frame(none, near), standing=frame(near)).is_empty()


def test_statements_that_agree_or_are_of_other_events_are_no_contradiction() -> None:
    day = date(2020, 8, 31)
    agreed = frame(statement("lean", day, 4.0), statement("yahoo", day + timedelta(days=1), 4.0))
    rounded = frame(
        statement("lean", day, 0.20501, "dividend"), statement("yahoo", day, 0.205, "dividend")
    )
    others = frame(statement("lean", day, 4.0), statement("yahoo", date(2014, 6, 9), 7.0))
    for statements in (agreed, rounded, others):
        assert conflicts(statements, standing=statements).is_empty()


@pytest.mark.parametrize(
    ("asked_at", "session", "late"),
    [
        (datetime(2020, 9, 10, tzinfo=UTC), date(2020, 8, 28), True),
        # The answer was given before the split; on its day, hours count.
        (datetime(2020, 8, 30, 23, tzinfo=UTC), date(2020, 8, 28), False),
        (datetime(2020, 8, 31, 15, tzinfo=UTC), date(2020, 8, 28), True),
        # It was about later sessions, and tells what happened since them.
        (datetime(2020, 9, 10, tzinfo=UTC), date(2020, 9, 8), False),
    ],
)
def test_an_action_that_an_earlier_answer_did_not_tell_is_known_from_now_on(
    asked_at: datetime, session: date, late: bool
) -> None:
    told = frame(
        ("AAPL", date(2020, 8, 31), "split", 4.0, "yahoo", datetime(2020, 8, 31, tzinfo=UTC))
    )
    seen = pl.DataFrame(
        [("AAPL", session, asked_at)],
        schema={"symbol": pl.String, "session": pl.Date, "asked_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    known = with_known_at(told, seen, now=NOW)
    assert known["known_at"].to_list() == [NOW if late else datetime(2020, 8, 31, tzinfo=UTC)]
    assert with_known_at(told, seen.clear(), now=NOW).equals(told)
