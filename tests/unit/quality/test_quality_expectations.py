"""What sessions are expected to hold: the file, the check, and the version of what is expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from adapters.configuration import load_expectations
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.quality.checks import BarsView, evaluate_bars
from market_data.quality.expectations import Expectations
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe

MakeView = Callable[..., BarsView]
DAY = date(2024, 1, 2)


def expecting(**entry: Any) -> Expectations:
    given = {"name": "so many", "datasets": ["curated/bars_1h"], **entry}
    return Expectations.parse({"expectations": [given]})


@pytest.fixture
def hours(make_view: MakeView) -> BarsView:
    """Two symbols, two sessions of seven hours."""
    return make_view("XNYS", Timeframe.H1, DAY, date(2024, 1, 3), symbols=("AAA", "BBB"))


def found(view: BarsView, thresholds: Thresholds, expected: Expectations) -> list[tuple[Any, ...]]:
    outcomes = evaluate_bars(view, thresholds, expected)
    columns = ["symbol", "session", "code", "severity", "value", "threshold", "detail"]
    assert "coverage" in outcomes["coverage"].measured.columns
    return outcomes["coverage"].findings.select(columns).rows()


def test_what_is_shipped_finds_nothing_in_flawless_bars(hours: BarsView, thresholds: Thresholds):
    shipped = load_expectations(Settings())
    assert shipped.entries
    assert found(hours, thresholds, shipped) == []


def test_too_many_and_too_few_rows(hours: BarsView, thresholds: Thresholds):
    assert found(hours, thresholds, expecting(at_least=7, at_most=7)) == []
    few = found(hours, thresholds, expecting(at_least=8, symbols=["A*"]))
    assert [row[:6] for row in few] == [
        ("AAA", date(2024, 1, d), "row_count", "warn", 7.0, 8.0) for d in (2, 3)
    ]
    assert few[0][-1] == "7 row(s), expected at least 8 (so many)"
    many = found(hours, thresholds, expecting(at_most=6, severity="error"))
    assert {(row[2], row[3]) for row in many} == {("row_count", "error")}
    assert len(many) == 4


def test_a_share_of_the_calendars_bars(hours: BarsView, thresholds: Thresholds):
    view = replace(hours, bars=hours.bars.filter(pl.int_range(pl.len()) != 13))
    rows = found(view, thresholds, expecting(coverage=0.95))
    (row,) = [row for row in rows if row[2] != "coverage_low"]
    assert row[:4] == ("AAA", date(2024, 1, 3), "below_expectation", "warn")
    assert row[-1] == "coverage is 85.71 %, expected 95.0 % (so many)"


def test_a_session_without_rows_or_one_that_runs_is_not_judged(
    hours: BarsView, thresholds: Thresholds, make_view: MakeView
):
    empty = replace(hours, bars=hours.bars.clear())
    codes = {row[2] for row in found(empty, thresholds, expecting(at_least=8))}
    assert codes == {"no_data"}
    running = replace(hours, now=hours.expected["close"].min())
    judged = {row[1] for row in found(running, thresholds, expecting(at_least=8))}
    assert judged == {DAY}


def test_the_first_entry_that_fits_counts():
    both = Expectations.parse(
        {
            "expectations": [
                {"name": "mine", "datasets": ["*"], "symbols": ["AAA"], "at_most": 3},
                {"name": "all", "datasets": ["*bars_1d"], "at_most": 1},
            ]
        }
    )
    names = [e and e.name for e in (both.of("x/bars_1d", s) for s in ("AAA", "BBB"))]
    assert names == ["mine", "all"]
    assert both.of("x/bars_1m", "BBB") is None
    assert both.version("x/bars_1m", "BBB") == ""


def test_a_version_tells_what_is_expected_and_no_more():
    one, name, other = expecting(at_most=7), expecting(at_most=7, name="x"), expecting(at_most=8)
    key = ("curated/bars_1h", "AAA")
    assert one.version(*key) == name.version(*key) != other.version(*key)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rules": []}, "unknown key 'rules'"),
        ({"expectations": {"a": 1}}, "must be a list"),
        ({"expectations": ["x"]}, "entry 1"),
        ({"expectations": [{"name": "a", "datasets": ["*"]}]}, "entry 1 (a): give at_least"),
        (
            {"expectations": [{"name": "a", "datasets": ["*"], "at_most": 1, "at_least": 2}]},
            "at_most is less than at_least",
        ),
        ({"expectations": [{"name": "a", "datasets": [], "at_most": 1}]}, "entry 1 (a), datasets"),
        ({"expectations": [{"name": "a", "datasets": ["*"], "most": 1}]}, "entry 1 (a), most"),
        (
            {"expectations": [{"name": "a", "datasets": ["*"], "coverage": 2}]},
            "entry 1 (a), coverage",
        ),
    ],
)
def test_a_wrong_file_names_the_entry(content: Any, words: str):
    with pytest.raises(ConfigurationError) as told:
        Expectations.parse(content)
    assert words in str(told.value)
