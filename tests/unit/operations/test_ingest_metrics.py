"""Numbers and health of ingest by dimension: counted by what the calendar expects."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from market_data.operations.attempts import attempts
from market_data.operations.dimension_health import dimension_reasons, health_account
from market_data.operations.feed_anomalies import feed_anomalies
from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import OperationsLimits
from market_data.operations.metrics import ingest_metrics, metrics_account
from market_data.operations.observability import observability_account
from market_data.timeframes import Timeframe
from tests.support.operations_rows import NOW, SHARES, attempt, evidence, reach, score

LIMITS = OperationsLimits()
WEEK = timedelta(days=7)


def codes(seen) -> dict[str, Grade]:
    metrics = ingest_metrics(seen, WEEK)
    return {r.code: r.grade for r in dimension_reasons(seen, metrics, LIMITS.health)}


def test_an_attempt_could_bring_what_the_calendar_expects_of_sessions_that_were_over():
    """Thursday to Sunday; the 8th is over at 21:00 UTC. 390 minutes are a session of New York."""
    days = (date(2024, 3, 7), date(2024, 3, 10))
    early = datetime(2024, 3, 8, 20, tzinfo=UTC)
    runs = [
        attempt(8, sessions=days, symbols=("AAA", "BBB")),
        attempt(8, fetch_id="early", sessions=days, started_at=early, ended_at=early),
        attempt(8, fetch_id="minutes", sessions=days, timeframe=Timeframe.M1),
        attempt(8, fetch_id="strange", symbols=("ZZZ",)),
        attempt(8, fetch_id="old", sessions=(date(2020, 1, 2), date(2020, 3, 2))),
        attempt(8, fetch_id="long", sessions=(date(2023, 1, 2), date(2024, 3, 8))),
    ]
    rows = {r["fetch_id"]: r for r in attempts(runs, SHARES).iter_rows(named=True)}
    assert rows["f8"]["expected"] == 4
    assert rows["f8"]["due"] == datetime(2024, 3, 8, 21, tzinfo=UTC)
    assert rows["early"]["expected"] == 1
    assert rows["early"]["due"] == datetime(2024, 3, 7, 21, tzinfo=UTC)
    assert rows["minutes"]["expected"] == 780
    assert [rows[n]["expected"] for n in ("strange", "old", "long")] == [None, None, None]
    assert [rows[n]["current"] for n in ("f8", "old", "long")] == [True, False, True]


def test_a_listing_bounds_what_is_expected():
    young = {"AAA": SHARES["AAA"].model_copy(update={"listed": date(2024, 3, 8)})}
    run = attempt(8, sessions=(date(2024, 3, 4), date(2024, 3, 8)))
    assert attempts([run], young)["expected"].item() == 1


def test_the_numbers_of_a_dimension():
    seen = evidence(
        attempt(7, rows=3, new_rows=2, rejected_rows=1, status="partial"),
        attempt(8, started_at=NOW - timedelta(seconds=30), ended_at=NOW),
        attempt(1, fetch_id="before the window"),
        attempt(8, fetch_id="m", timeframe=Timeframe.M1, status="failed", rows=0, newest_bar=None),
        reached=(reach("AAA", 8), reach("BBB", 7), reach("CCC", None)),
        scores=(
            score("AAA", 8),
            score("BBB", 8, observed=0, coverage=0.0, score=0.5, status="RED", gaps=1, outliers=2),
            score("AAA", 8, dataset="curated/bars_1m", expected=390, observed=400),
        ),
    )
    rows = {r["dimension"]: r for r in ingest_metrics(seen, WEEK).iter_rows(named=True)}
    assert list(rows) == ["daily_bars", "intraday_bars", "macro_events"]
    daily = rows["daily_bars"]
    counted = ("attempts", "failed", "partial", "rows", "new_rows", "rejected_rows")
    assert [daily[n] for n in counted] == [2, 0, 1, 4, 3, 1]
    assert (daily["duration_mean"], daily["duration_max"]) == (20.0, 30.0)
    assert (daily["symbols"], daily["symbols_with_rows"], daily["symbols_late"]) == (3, 2, 1)
    assert daily["symbol_coverage"] == pytest.approx(2 / 3)
    # The close of the 8th was an hour ago, that of the 7th 25.
    assert (daily["freshness_seconds"], daily["oldest_seconds"]) == (3600.0, 25 * 3600.0)
    assert (daily["bar_coverage"], daily["score"], daily["red"]) == (0.5, 0.75, 1)
    assert (daily["gaps"], daily["outliers"]) == (1, 2)
    assert (daily["missing"], daily["late"]) == (["CCC"], ["BBB"])
    intraday = rows["intraday_bars"]
    assert (intraday["attempts"], intraday["failed"], intraday["expected_rows"]) == (1, 1, 390)
    assert intraday["bar_coverage"] == 1.0
    assert rows["macro_events"]["attempts"] == 0


def test_a_weekend_is_no_fault_and_a_late_or_absent_symbol_is():
    fine = evidence(attempt(8), reached=(reach("AAA", 8),))
    assert codes(fine) == {}
    late = evidence(attempt(8), reached=(reach("AAA", 8), reach("BBB", 7)))
    assert codes(late) == {"late_symbols": Grade.WARN}
    worse = evidence(attempt(8), reached=(reach("BBB", 6),))
    assert codes(worse) == {"late_symbols": Grade.FAIL}
    absent = evidence(attempt(8), reached=(reach("CCC", None),))
    assert codes(absent) == {"missing_symbols": Grade.FAIL}


def test_anomalies_of_feeds_have_names_of_their_own():
    def named(*reasons: tuple[str, Grade]) -> list[tuple[str, str, str]]:
        made = [Reason(grade, "told", code, "daily_bars", 2, 1) for code, grade in reasons]
        return [(a.dimension, a.code, a.severity) for a in feed_anomalies(made)]

    daily = "daily_bars"
    assert named(("no_rows", Grade.FAIL)) == [(daily, "feed_break", "critical")]
    assert named(("late_symbols", Grade.WARN)) == [(daily, "stale_feed", "warning")]
    assert named(("late_symbols", Grade.FAIL)) == [(daily, "stale_feed", "critical")]
    assert named(("events_overdue", Grade.WARN)) == [(daily, "stale_feed", "warning")]
    assert named(("missing_symbols", Grade.FAIL)) == [(daily, "missing_freshness", "warning")]
    assert named(("slow_fetch", Grade.FAIL)) == []


def test_the_payload_holds_the_anomalies_of_every_dimension():
    late = evidence(attempt(8), reached=(reach("AAA", 6),))
    (told,) = observability_account(late, LIMITS).to_json()["anomalies"]
    assert (told["dimension"], told["code"]) == ("daily_bars", "stale_feed")
    assert "AAA" in told["message"]
    assert observability_account(evidence(), LIMITS).to_json()["anomalies"] == []


def test_no_rows_of_bars_that_were_due_fail_and_of_none_that_were_due_do_not():
    nothing = {"rows": 0, "newest_bar": None}
    assert codes(evidence(attempt(8, **nothing))) == {"no_rows": Grade.FAIL}
    # The 9th is a Saturday.
    saturday = (date(2024, 3, 9), date(2024, 3, 9))
    assert codes(evidence(attempt(8, sessions=saturday, **nothing))) == {}
    # A load of history brings many rows, and says nothing of the feed.
    history = {"fetch_id": "old", "rows": 900, "sessions": (date(2020, 1, 2), date(2020, 3, 2))}
    both = evidence(attempt(8, **nothing), attempt(8, **history))
    assert codes(both) == {"no_rows": Grade.FAIL}
    row = ingest_metrics(both, WEEK).row(0, named=True)
    assert (row["rows"], row["counted_rows"], row["expected_rows"]) == (900, 0, 1)
    # What is known is not asked for: no attempt is no fault.
    assert codes(evidence()) == {}


def test_macro_events_are_judged_by_the_values_that_are_overdue():
    day = date(2024, 3, 8)
    fine = (("CPI", day, "released"), ("GDP", day, "scheduled"))
    assert codes(evidence(events=fine)) == {}
    late = evidence(events=(*fine, ("NFP", day, "overdue")))
    assert codes(late) == {"events_overdue": Grade.WARN}
    row = ingest_metrics(late, WEEK).row(2, named=True)
    assert (row["symbols"], row["symbols_with_rows"], row["late"]) == (2, 1, ["NFP"])


def test_health_says_per_dimension_how_it_is_and_what_is_not_used():
    seen = evidence(attempt(8), reached=(reach("BBB", 6),))
    account = health_account(seen, LIMITS)
    told = account.to_json()
    assert told["status"] == "fail"
    assert {d: v["status"] for d, v in told["dimensions"].items()} == {
        "daily_bars": "fail", "intraday_bars": "off", "macro_events": "off",
    }  # fmt: skip
    assert told["findings"][0]["subject"] == "daily_bars"
    text = account.to_markdown()
    assert text.startswith("# Ingest health: fail\n")
    assert "BBB 1d ends with 2024-03-06, and 2024-03-08 is due" in text
    assert "docs/runbooks/ingest-health.md#late_symbols" in text


def test_reports_are_json_of_bounded_size_without_secrets():
    many = tuple(reach(f"S{n:04}", None) for n in range(2_000))
    run = attempt(8, status="failed", error="GET https://u:hunter2@host/ failed")
    for account in (
        metrics_account(evidence(run, reached=many), LIMITS),
        health_account(evidence(run, reached=many), LIMITS),
    ):
        told = json.dumps(account.to_json(), allow_nan=False)
        assert len(told) < 20_000
        assert "hunter2" not in told + account.to_markdown()
