"""Trends: half of the mean, one and a half times the best, two failures in a row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from market_data.operations.grades import Grade
from market_data.operations.limits import OperationsLimits, TrendLimits
from market_data.operations.trends import (
    ingest_trends,
    recent_runs,
    trend_reasons,
    trends_account,
)
from market_data.timeframes import Timeframe
from tests.support.operations_rows import attempt, evidence

LIMITS = TrendLimits()
DAYS = [4, 5, 6, 7, 8]
FOUR = {"symbols": ("AAA", "BBB", "CCC")}


def judged(*runs: Any, limits: TrendLimits = LIMITS) -> dict[str, Grade]:
    trends = ingest_trends(recent_runs(evidence(*runs).attempts, limits.runs))
    return {r.code: r.grade for r in trend_reasons(trends, limits)}


def yields(*shares: int) -> list[Any]:
    """Daily runs that bring so many of three bars that are due."""
    return [
        attempt(day, rows=rows, newest_bar=None, **FOUR)
        for day, rows in zip(DAYS, shares, strict=False)
    ]


def lagging(*hours: float) -> list[Any]:
    """Daily runs whose newest bar ends so long before the close."""
    return [
        attempt(d, newest_bar=datetime(2024, 3, d, 21, tzinfo=UTC) - timedelta(hours=h))
        for d, h in zip(DAYS, hours, strict=False)
    ]


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ((3, 3, 3, 3, 3), {}),
        # Mean of the four before: 1. 1/3 is below a half of it, 2/3 is not.
        ((3, 3, 3, 3, 1), {"row_drop": Grade.WARN}),
        ((3, 3, 3, 3, 2), {}),
        ((1, 1, 1, 1, 1), {}),
        ((3, 3, 3, 3, 0), {"row_drop": Grade.WARN}),
        ((0,), {}),
    ],
)
def test_rows_below_half_of_the_mean_warn(shares: tuple[int, ...], found: dict) -> None:
    assert judged(*yields(*shares)) == found


def test_the_yield_is_of_bars_that_were_due_so_that_history_and_holidays_are_no_trend() -> None:
    history = attempt(
        6, fetch_id="h", run_id="h", rows=4_000, sessions=(date(2020, 1, 2), date(2022, 1, 3))
    )
    saturday = attempt(
        8, fetch_id="s", run_id="s", rows=0, sessions=(date(2024, 3, 9), date(2024, 3, 9)),
        started_at=datetime(2024, 3, 8, 21, 45, tzinfo=UTC),
    )  # fmt: skip
    runs = yields(3, 3, 3, 3, 3)
    seen = recent_runs(evidence(*runs, history, saturday).attempts, 10)
    assert seen["run"].to_list() == [f"run-{d}" for d in DAYS] + ["s"]
    assert seen["yield"].to_list() == [1.0] * 5 + [None]
    trend = ingest_trends(seen).row(0, named=True)
    assert (trend["yield"], trend["mean_yield"], trend["runs"]) == (1.0, 1.0, 6)
    assert judged(*runs, history, saturday) == {}


def test_bars_of_a_session_that_still_runs_are_no_more_than_all_that_was_due() -> None:
    """They come on top; uncounted, so that a plain run after them is no drop."""
    runs = yields(9, 9, 9, 9, 3)
    assert recent_runs(evidence(*runs).attempts, 10)["yield"].to_list() == [1.0] * 5
    assert judged(*runs) == {}


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ((0, 0, 0, 0, 0.9), {}),
        ((0, 0, 0, 0, 1.1), {"freshness_regression": Grade.WARN}),
        # The best is 2 h: up to 3 h are allowed.
        ((2, 4, 3, 2, 2.9), {}),
        ((2, 4, 3, 2, 3.1), {"freshness_regression": Grade.WARN}),
        ((9,), {}),
    ],
)
def test_a_lag_beyond_one_and_a_half_times_the_best_warns(hours: Any, found: dict) -> None:
    assert judged(*lagging(*hours)) == found


def failures(*failed: bool) -> list[Any]:
    return [
        attempt(d, status="failed" if f else "ok", rows=0 if f else 1, newest_bar=None)
        for d, f in zip(DAYS, failed, strict=False)
    ]


@pytest.mark.parametrize(
    ("failed", "fails"),
    [
        ((False, False, False, False, True), False),
        ((False, False, False, True, True), True),
        ((True, True, True, True, False), False),
        ((True, True), True),
    ],
)
def test_two_failures_in_a_row_fail(failed: tuple[bool, ...], fails: bool) -> None:
    found = judged(*failures(*failed))
    assert (found.get("runs_failing") is Grade.FAIL) is fails


def test_feeds_are_compared_with_themselves_and_runs_counted_once() -> None:
    """One run may put several questions; of a feed the last ten runs count."""
    minutes = [
        attempt(d, fetch_id=f"m{d}{n}", timeframe=Timeframe.M1, rows=195, newest_bar=None)
        for d in DAYS
        for n in (1, 2)
    ]
    runs = recent_runs(evidence(*yields(3, 3, 3, 3, 3), *minutes).attempts, 3)
    assert runs.group_by("timeframe").len().sort("timeframe").rows() == [("1d", 3), ("1m", 3)]
    of_minutes = runs.filter(timeframe="1m")
    assert of_minutes["rows"].to_list() == [390] * 3
    assert of_minutes["expected"].to_list() == [780] * 3
    assert of_minutes["yield"].to_list() == [0.5] * 3


def test_the_report_names_the_feed_and_keeps_its_runs() -> None:
    account = trends_account(evidence(*yields(3, 3, 3, 3, 1)), OperationsLimits())
    told = account.to_json()
    assert told["status"] == "warn"
    assert told["findings"][0]["subject"] == "yahoo 1d"
    assert told["findings"][0]["value"] == pytest.approx(1 / 3)
    assert told["findings"][0]["limit"] == 0.5
    assert len(told["runs"]) == 5
    assert "brought 33% of the bars that were due; those before it 100%" in account.to_markdown()
    empty = trends_account(evidence(), OperationsLimits())
    assert empty.grade is Grade.OK
    assert "Nothing yet." in empty.to_markdown()
