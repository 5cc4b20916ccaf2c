"""Readiness fuses the parts' grades, hides nothing, and says what to do."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.operations.grades import Grade, Reason
from market_data.operations.ingest_health import evaluate_ingest_health
from market_data.operations.limits import TrendLimits
from market_data.operations.quality_health import evaluate_quality
from market_data.operations.readiness import Section, fuse
from market_data.ports import IngestRun
from market_data.schemas import SCORES
from market_data.timeframes import Timeframe

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)


def attempt(status: str, hours: float, vendor: str = "yahoo") -> IngestRun:
    at = NOW - timedelta(hours=hours)
    return IngestRun(
        fetch_id=f"{vendor}{hours}",
        run_id="",
        vendor=vendor,
        timeframe=Timeframe.D1,
        symbols=("AAPL",),
        sessions=(date(2024, 3, 7), date(2024, 3, 8)),
        status=status,
        rows=2,
        new_rows=2,
        rejected_rows=0,
        started_at=at,
        ended_at=at,
        error="" if status == "ok" else "429",
    )


def scored(*statuses: str, session: date = date(2024, 3, 8)) -> pl.DataFrame:
    defaults = {
        name: {pl.String: "", pl.Int64: 1, pl.Float64: 1.0}.get(type(dtype))
        for name, dtype in SCORES.dtypes.items()
    }
    rows = [
        {**defaults, "dataset": "curated/bars_1d", "symbol": f"S{n}", "session": session}
        | {"status": s}
        for n, s in enumerate(statuses)
    ]
    return pl.DataFrame(rows, schema=SCORES.dtypes)


def test_the_worst_part_decides_and_a_part_that_breaks_is_not_ready() -> None:
    def broken() -> Section:
        raise RuntimeError("password=hunter2")

    fine = Section.of("quality", [], {"red": 0})
    low = Section.of("cache", [Reason(Grade.WARN, "few hits")])
    off = Section.switched_off("kafka", "bootstrap mode")
    assert fuse(NOW, "bootstrap", {"quality": lambda: fine, "kafka": lambda: off}).grade is Grade.OK
    warned = fuse(NOW, "bootstrap", {"quality": lambda: fine, "cache": lambda: low})
    assert warned.grade is Grade.WARN
    verdict = fuse(NOW, "bootstrap", {"cache": lambda: low, "lake": broken, "kafka": lambda: off})
    assert verdict.grade is Grade.FAIL
    told = json.dumps(verdict.to_json()) + verdict.to_markdown()
    assert "hunter2" not in told
    assert "RuntimeError" in told
    assert verdict.to_json()["sections"]["kafka"]["status"] == "off"
    assert "few hits" in verdict.to_markdown()


@pytest.mark.parametrize(
    ("runs", "grade"),
    [
        ([attempt("ok", 1), attempt("failed", 2)], Grade.OK),
        ([attempt("failed", 1), attempt("ok", 2)], Grade.WARN),
        ([attempt("partial", 1), attempt("failed", 2), attempt("ok", 3)], Grade.FAIL),
        ([attempt("ok", 1, "lean"), attempt("failed", 2), attempt("failed", 3)], Grade.FAIL),
        ([attempt("failed", 24 * 9)], Grade.WARN),
        ([], Grade.WARN),
    ],
)
def test_feeds_that_keep_failing_are_not_ready(runs: list[IngestRun], grade: Grade) -> None:
    assert evaluate_ingest_health(runs, NOW, TrendLimits()).grade is grade


def test_how_many_failures_in_a_row_fail_is_configured() -> None:
    runs = [attempt("failed", 1), attempt("failed", 2), attempt("ok", 3)]
    assert evaluate_ingest_health(runs, NOW, TrendLimits(failures=3)).grade is Grade.WARN
    assert evaluate_ingest_health(runs, NOW, TrendLimits(failures=1)).grade is Grade.FAIL


def test_red_scores_of_late_count_and_old_ones_do_not() -> None:
    old = pl.concat([scored("RED", session=date(2024, 2, day)) for day in range(1, 9)])
    late = pl.concat([scored("GREEN", "GREEN", session=date(2024, 3, day)) for day in range(4, 9)])
    assert evaluate_quality(pl.concat([old, late])).grade is Grade.OK
    some = pl.concat([late, scored("RED", session=date(2024, 3, 8))])
    assert evaluate_quality(some).grade is Grade.WARN
    assert evaluate_quality(scored("RED", "GREEN", "GREEN", "GREEN")).grade is Grade.FAIL
    assert evaluate_quality(SCORES.empty()).grade is Grade.WARN
