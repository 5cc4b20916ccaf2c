"""What the checks of a run write to the event log stays small, however much they find."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._serdes import serialize_value

from emp_assets.bar_checks import CHECKS, _Report
from emp_assets.check_states import SessionResult
from emp_assets.evidence import ALL_SESSIONS, ONE_RESULT, PAGES, Evidence
from tests.support.planted_findings import planted_findings

KEY = dg.AssetKey(["curated", "bars_1d"])
COPIES = 3
"""Dagster keeps an evaluation in the log of the run, in the index, and beside the check."""
MEGABYTE = 1_000_000
ROOM = 200
"""A record that is so much longer than one without findings still shares its page of SQLite with
another."""


def report(found: pl.DataFrame) -> _Report:
    rows = found.head(200).select("symbol", "session", open=1.5, close=1.5, volume=1e6)
    inspection: Any = SimpleNamespace(
        findings=found,
        rows=dict.fromkeys(CHECKS, rows),
        accepted=found.clear(),
        symbol_sessions=found.height,
        block_reasons=lambda _: [],
    )
    keys = [str(day) for day in found["session"].unique().sort()]
    return _Report(KEY, inspection, keys, "docs/runbooks")


def added_by(check: str, result: SessionResult | dg.AssetCheckResult) -> int:
    """How much longer an evaluation's record is than that of a check that finds nothing."""
    clean = SessionResult(check, "", True, dg.AssetCheckSeverity.WARN, "nothing found", {})
    return _length(check, result) - _length(check, clean)


def _length(check: str, result: SessionResult | dg.AssetCheckResult) -> int:
    evaluation = dg.AssetCheckEvaluation(
        asset_key=KEY,
        check_name=check,
        passed=result.passed,
        metadata=dict(result.metadata or {}),
        description=result.description,
    )
    return len(serialize_value(evaluation))


def results_of(told: _Report) -> Iterator[tuple[str, SessionResult | dg.AssetCheckResult]]:
    for check in CHECKS:
        yield check, told.overall(check)
        for result in told.results(check, only_failed=True):
            yield check, result
    yield "run_summary", told.summary([])


@pytest.mark.parametrize(
    ("sessions", "symbols", "checks"),
    [(1, 1000, tuple(CHECKS)), (50, 20, tuple(CHECKS)), (100, 100, ("coverage",))],
)
def test_ten_thousand_findings_are_less_than_a_megabyte(
    sessions: int, symbols: int, checks: tuple[str, ...]
):
    told = report(planted_findings(sessions, symbols, checks))
    assert told.inspection.findings.height == 10_000
    assert COPIES * sum(added_by(*of) for of in results_of(told)) < MEGABYTE


def test_the_newest_sessions_have_tables_and_the_others_fit_into_half_a_page():
    told = report(planted_findings(100, 100, ("coverage",)))
    results = list(told.results("coverage", only_failed=True))
    assert [r.session for r in results[:2]] == ["2020-04-09", "2020-04-08"]
    shown = [len(r.metadata["findings"].records) for r in results if "findings" in r.metadata]
    assert shown[0] == ONE_RESULT
    assert 0 < sum(shown) <= ALL_SESSIONS
    bare = [r for r in results if "findings" not in r.metadata]
    assert bare
    for result in bare:
        assert result.metadata == {"symbols": 100}
        assert result.description == "100 findings: coverage_error"
        assert added_by("coverage", result) < ROOM
    shown_by = told.overall("coverage").metadata["all"]
    assert "emp quality summary curated/bars_1d --start 2020-01-01" in str(shown_by)


def test_the_one_error_of_long_ago_has_its_table_before_the_newest_warnings():
    found = planted_findings(150, 1, ("price_sanity",))
    error = pl.col("session") == pl.col("session").min()
    told = report(
        found.with_columns(
            severity=pl.when(error).then(pl.lit("error")).otherwise(pl.lit("warn")),
            code=pl.when(error).then(pl.lit("unit_error")).otherwise(pl.lit("jump")),
        )
    )
    *warned, old = told.results("price_sanity", only_failed=True)
    assert [r.session for r in warned] == sorted((r.session for r in warned), reverse=True)
    assert (old.session, old.severity) == ("2020-01-01", dg.AssetCheckSeverity.ERROR)
    assert [row.data["code"] for row in old.metadata["findings"].records] == ["unit_error"]
    assert "findings" not in warned[-1].metadata


def test_few_findings_are_shown_whole():
    told = report(planted_findings(3, 4, ("coverage",)))
    for result in told.results("coverage", only_failed=True):
        assert len(result.metadata["findings"].records) == 4
        assert result.metadata["runbook"].value.endswith("check-coverage.md#coverage_error")


def test_checks_that_fail_share_what_a_run_has():
    assert report(planted_findings(2, 2, ("coverage",))).share(PAGES) == PAGES
    assert report(planted_findings(2, 2, ("coverage", "drift"))).share(PAGES) == PAGES // 2
    assert report(planted_findings(2, 2, ("coverage",)).clear()).share(PAGES) == PAGES
    assert Evidence(0).of(planted_findings(1, 1, ("coverage",)), None) == {"symbols": 1}


@pytest.mark.parametrize(
    ("code", "severity", "shown"),
    [
        ("coverage_error", "error", dg.AssetCheckSeverity.ERROR),
        ("coverage_low", "warn", dg.AssetCheckSeverity.WARN),
        ("contradiction", "error", dg.AssetCheckSeverity.WARN),
        ("not_judged", "warn", dg.AssetCheckSeverity.ERROR),
        ("unit_error", "error", dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_check_is_as_severe_as_the_table_of_consequences_says(
    code: str, severity: str, shown: dg.AssetCheckSeverity
):
    planted = planted_findings(2, 1, ("coverage",))
    told = report(planted.with_columns(code=pl.lit(code), severity=pl.lit(severity)))
    assert told.overall("coverage").severity is shown
    assert {r.severity for r in told.results("coverage", only_failed=True)} == {shown}
