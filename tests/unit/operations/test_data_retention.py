"""Retention of data: how much history is asked for, and what may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.settings import PROJECT
from market_data.operations.data_retention import (
    ALL_SYMBOLS,
    graded,
    retention_account,
    retention_section,
)
from market_data.operations.evidence import HISTORY
from market_data.operations.grades import Grade
from market_data.operations.limits import OperationsLimits
from market_data.retention.policy import SLACK, DataRetention, RetentionRule
from tests.support.operations_rows import NOW, evidence

TODAY = NOW.date()
POLICY = DataRetention()


def held(symbol: str, days: int | None, **changes: Any) -> dict[str, Any]:
    """A row of HISTORY of daily bars that reach back so many days."""
    row = {
        "dataset": "curated/bars_1d",
        "symbol": symbol,
        "oldest": None if days is None else TODAY - timedelta(days=days),
        "newest": None if days is None else TODAY,
        "rows": 100,
        "empty_months": 0,
        "listed": None,
        "rule": "daily bars",
        "target_days": 365,
        "minimum_days": 300,
    }
    return {**row, **changes}


def grade(**changes: Any) -> Grade:
    """The grade of one symbol with a history of so many `days`."""
    row = held("AAA", changes.pop("days"), **changes)
    return Grade(graded(pl.DataFrame([row], schema=HISTORY), TODAY)["grade"][0])


# The documents: daily 365 and 300 days, intraday 30 and 7, macro 365 and 180.
@pytest.mark.parametrize(
    ("dataset", "target", "minimum"),
    [
        ("curated/bars_1d", 365, 300),
        *((f"curated/bars_{t}", 30, 7) for t in ("1m", "5m", "15m", "30m", "1h", "4h")),
        ("curated/macro_calendar", 365, 180),
    ],
)
def test_the_shipped_rules_are_those_of_the_documents(dataset: str, target: int, minimum: int):
    rule = POLICY.rule(dataset, "AAA")
    assert rule is not None
    assert (rule.target, rule.minimum) == (timedelta(days=target), timedelta(days=minimum))
    assert rule.keep is None


def test_the_shipped_file_holds_the_defaults_and_removes_nothing():
    content = yaml.safe_load((PROJECT / "config" / "retention.yaml").read_text())
    assert DataRetention.model_validate(content) == POLICY
    assert set(content) == set(DataRetention.model_fields)
    assert not any(POLICY.may_lose(rule) for rule in ("curated/bars_1d", "quality/scores"))
    text = (PROJECT / "docs" / "retention.md").read_text()
    for key in RetentionRule.model_fields:
        assert f"`rules[].{key}`" in text


@pytest.mark.parametrize(
    ("days", "wanted"),
    [(400, Grade.OK), (352, Grade.OK), (350, Grade.WARN), (287, Grade.WARN), (285, Grade.FAIL),
     (0, Grade.FAIL), (None, Grade.FAIL)],
)  # fmt: skip
def test_a_history_is_whole_within_two_weeks_of_what_is_asked_for(days: int, wanted: Grade):
    assert grade(days=days) is wanted


def test_nothing_is_asked_for_before_a_listing():
    listed = TODAY - timedelta(days=100)
    assert grade(days=100, listed=listed) is Grade.OK
    assert grade(days=87, listed=listed) is Grade.OK
    assert grade(days=80, listed=listed) is Grade.FAIL
    assert grade(days=None, listed=TODAY - timedelta(days=3)) is Grade.OK
    assert grade(days=None, listed=TODAY - timedelta(days=20)) is Grade.FAIL


def test_what_is_not_asked_for_is_well_and_holes_warn():
    assert grade(days=1, target_days=None, minimum_days=None) is Grade.OK
    assert grade(days=400, empty_months=2) is Grade.WARN
    assert grade(days=10, minimum_days=None) is Grade.WARN


@given(st.integers(0, 800), st.integers(0, 800))
def test_more_history_is_never_worse(one: int, other: int):
    order = list(Grade)
    less, more = sorted((one, other))
    assert order.index(grade(days=more)) <= order.index(grade(days=less))


def test_the_report_names_symbols_dates_and_the_command():
    rows = [held(f"S{n}", n) for n in range(7)]
    rows += [held("MID", 320), held("OLD", 500), held("GAP", 500, empty_months=3)]
    rows += [held(ALL_SYMBOLS, 200, dataset="curated/macro_calendar", minimum_days=180)]
    seen = replace(evidence(), history=pl.DataFrame(rows, schema=HISTORY))
    account = retention_account(seen, OperationsLimits())
    found = {(r.subject, r.code): r for r in account.reasons}
    assert {key: r.grade for key, r in found.items()} == {
        ("curated/bars_1d", "history_short"): Grade.FAIL,
        ("curated/bars_1d", "history_below_target"): Grade.WARN,
        ("curated/bars_1d", "history_broken"): Grade.WARN,
        ("curated/macro_calendar", "history_below_target"): Grade.WARN,
    }
    short = found["curated/bars_1d", "history_short"]
    assert "7 of 10 symbols reach back less than 300 days" in short.text
    assert "S0, S1, S2, S3, S4 and 2 more" in short.text
    assert (short.value, short.limit) == (0, 300)
    start = TODAY - timedelta(days=365)
    assert f"--start {start} --end {TODAY}" in short.text
    assert "emp macro ingest" in found["curated/macro_calendar", "history_below_target"].text
    assert "OLD" not in account.to_markdown().split("What to do")[1]
    assert account.to_markdown().startswith("# Retention of data: fail\n")
    # An installation with little history is fit for what it has.
    section = retention_section(account.section())
    assert (section.grade, len(section.reasons)) == (Grade.WARN, 4)


def test_an_installation_that_keeps_nothing_current_has_no_fault():
    assert retention_account(evidence(), OperationsLimits()).grade is Grade.OK


def rule(**given: Any) -> RetentionRule:
    return RetentionRule.model_validate({"name": "x", "datasets": ["curated/bars_1d"], **given})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"minimum": "30d"}, "minimum needs a target"),
        ({"minimum": "30d", "target": "20d"}, "minimum needs a target"),
        ({"target": "365d", "keep": "370d"}, "longer than target"),
        ({"keep": "29d"}, "greater than or equal to"),
        ({"datasets": ["raw/yahoo_bars_1d"]}, "kept for good"),
        ({"datasets": ["curated/bars_1d", "raw/*"]}, "kept for good"),
        ({"datasets": []}, "at least 1 item"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(given: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        rule(**given)


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="two rules are called 'x'"):
        DataRetention(rules=(rule(), rule()))


@given(st.integers(0, 3000))
def test_what_has_to_be_there_never_may_go(days: int):
    target = timedelta(days=days)
    least = max(target + SLACK, timedelta(days=30))
    made = rule(target=target, keep=least)
    horizon = made.horizon(TODAY)
    assert horizon is not None
    assert horizon <= TODAY - target - SLACK


def test_an_exception_stands_before_the_rule():
    policy = DataRetention(
        rules=(
            rule(name="short", symbols=["BTC*"], keep="60d"),
            rule(name="others", keep="400d"),
        )
    )
    assert policy.horizons("curated/bars_1d", ["BTCUSD", "AAPL"], date(2024, 3, 8)) == {
        "BTCUSD": date(2024, 1, 8),
        "AAPL": date(2023, 2, 2),
    }
    assert policy.horizons("curated/bars_1h", ["BTCUSD"], date(2024, 3, 8)) == {}
