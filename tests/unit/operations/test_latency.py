"""Percentiles of fetches and deliveries: milliseconds, linear, negative times counted as none."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from market_data.operations.evidence import DELIVERIES
from market_data.operations.grades import Grade
from market_data.operations.latency import latency, latency_reasons, latency_section, percentiles
from market_data.operations.limits import LatencyLimits
from tests.support.operations_rows import NOW, attempt, evidence

LIMITS = LatencyLimits()


def deliveries(*seconds: float) -> pl.DataFrame:
    rows = [("quality", NOW - timedelta(seconds=s), NOW) for s in seconds]
    return pl.DataFrame(rows, schema=DELIVERIES, orient="row")


def test_percentiles_are_linear_between_two_values():
    """Of 1 to 5 and of -10, which counts as 0: rank 0.95 * 5 = 4.75 lies between 4 and 5."""
    times = pl.DataFrame({"stage": "fetch", "dimension": "d", "ms": [1.0, 2, 3, 4, 5, -10]})
    (row,) = percentiles(times).to_dicts()
    assert (row["samples"], row["p50"], row["max"]) == (6, 2.5, 5.0)
    assert row["p95"] == pytest.approx(4.75)
    assert row["p99"] == pytest.approx(4.95)


def test_fetches_of_the_journal_and_events_of_the_outbox():
    seen = evidence(
        attempt(8, started_at=NOW - timedelta(seconds=90), ended_at=NOW),
        attempt(1, fetch_id="long ago"),
        deliveries=deliveries(2, 4),
    )
    rows = latency(seen, timedelta(days=1)).to_dicts()
    assert [(r["stage"], r["dimension"], r["samples"], r["p50"]) for r in rows] == [
        ("delivery", "quality", 2, 3_000.0),
        ("fetch", "daily_bars", 1, 90_000.0),
    ]


@pytest.mark.parametrize(
    ("seconds", "grade"), [(600, None), (601, Grade.WARN), (1_800, Grade.WARN), (1_801, Grade.FAIL)]
)
def test_slow_deliveries(seconds: float, grade: Grade | None):
    seen = evidence(deliveries=deliveries(*[seconds] * 5))
    found = list(latency_reasons(latency(seen, LIMITS.window), LIMITS))
    assert [(r.code, r.subject, r.grade) for r in found] == (
        [("slow_delivery", "quality", grade)] if grade else []
    )


def test_slow_fetches_of_which_there_are_enough():
    def section(count: int):
        slow = {"started_at": NOW - timedelta(minutes=6), "ended_at": NOW}
        runs = [attempt(8, fetch_id=f"f{n}", **slow) for n in range(count)]
        return latency_section(evidence(*runs), LIMITS)

    assert section(4).grade is Grade.OK
    five = section(5)
    assert five.grade is Grade.WARN
    assert five.facts == {"fetch_daily_bars_p95_seconds": 360.0}
    assert five.reasons[0].value == 360.0
    assert five.reasons[0].limit == 300.0
