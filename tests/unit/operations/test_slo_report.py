"""Objectives: shares of what was promised, the budget that is left, what is missed and lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from market_data.operations.grades import Grade
from market_data.operations.limits import Objective, OperationsLimits
from market_data.operations.slo import measured, objectives, slo_account
from tests.support.operations_rows import NOW, attempt, evidence, reach, score

LIMITS = OperationsLimits()
SEEN = evidence(
    attempt(6),
    attempt(7, status="failed", rows=0),
    attempt(8, started_at=NOW - timedelta(minutes=6), ended_at=NOW),
    attempt(8, fetch_id="partial", status="partial"),
    reached=(reach("AAA", 8), reach("BBB", 7), reach("CCC", None)),
    scores=(
        score("AAA", 7, expected=390, observed=390, dataset="curated/bars_1m"),
        score("AAA", 8, expected=390, observed=780, dataset="curated/bars_1m", score=0.5),
        score("BBB", 8, expected=20, observed=0, dataset="curated/bars_1m", score=0.0),
    ),
    events=(
        ("CPI", date(2024, 3, 7), "released"),
        ("GDP", date(2024, 3, 8), "overdue"),
        ("NFP", date(2024, 3, 8), "scheduled"),
        ("PPI", date(2024, 1, 2), "overdue"),
    ),
)


def test_every_measure_is_a_share_of_what_was_promised():
    found = {(d, m): (good, of) for d, m, good, of in measured(SEEN, LIMITS).iter_rows()}
    assert found == {
        ("daily_bars", "freshness"): (1, 3),
        ("daily_bars", "success"): (3, 4),
        # One took six minutes; five are allowed.
        ("daily_bars", "latency"): (3, 4),
        # More bars than expected make up for none that are missing.
        ("intraday_bars", "completeness"): (780, 800),
        ("intraday_bars", "score"): (1.5, 3),
        ("macro_events", "completeness"): (1, 2),
    }


@pytest.mark.parametrize(
    ("good", "status", "budget"),
    [(1000, "met", 1.0), (995, "met", 0.0), (990, "missed", -1.0), (949, "lost", -9.2)],
)
def test_target_floor_and_budget(good: int, status: str, budget: float):
    """Of 1,000 bars five may be missing."""
    seen = evidence(scores=(score("AAA", 8, expected=1000, observed=good),))
    judged = objectives(measured(seen, LIMITS), LIMITS)
    row = judged.filter(dimension="daily_bars", measure="completeness").row(0, named=True)
    assert row["status"] == status
    assert row["budget"] == pytest.approx(budget)
    assert row["samples"] == 1000


def test_what_nobody_can_measure_is_unknown_and_no_fault():
    account = slo_account(evidence(), LIMITS)
    assert account.grade is Grade.OK
    assert {row["status"] for row in account.to_json()["objectives"]} == {"unknown"}


def test_the_report_says_what_is_missed_and_what_is_lost():
    account = slo_account(SEEN, LIMITS)
    found = {(r.subject, r.text.split()[0]): r.grade for r in account.reasons}
    assert found == {
        ("daily_bars", "freshness"): Grade.FAIL,
        ("daily_bars", "success"): Grade.FAIL,
        ("daily_bars", "latency"): Grade.FAIL,
        ("intraday_bars", "completeness"): Grade.WARN,
        ("intraday_bars", "score"): Grade.FAIL,
        ("macro_events", "completeness"): Grade.FAIL,
    }
    text = account.to_markdown()
    assert "| daily_bars | freshness | 0.3333 | 0.99 | 0.9 |" in text
    assert "freshness is 33.33%, below 90.00%" in text
    assert account.facts == {"objectives": 12, "lost": 5, "missed": 1, "unknown": 6}


def test_an_objective_is_ordered_and_about_something_known():
    with pytest.raises(ValidationError, match="floor must not be above target"):
        Objective(target=0.9, floor=0.95)
    with pytest.raises(ValidationError, match="no measure 'beauty'; there are: freshness"):
        OperationsLimits.model_validate(
            {"slo": {"objectives": {"daily_bars": {"beauty": {"target": 1, "floor": 0}}}}}
        )
