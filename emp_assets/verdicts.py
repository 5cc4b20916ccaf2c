"""What the result of one check says: how bad it is, in which words, with which rows.

What belongs here: findings to the verdict of a check.
What does not: finding (market_data/quality), how many rows are shown (evidence.py), recording
verdicts (check_states.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from emp_assets.check_states import SessionResult
from emp_assets.evidence import Evidence
from emp_assets.metadata import runbook
from market_data.quality.actions import check_severity
from market_data.quality.findings import ERROR
from market_data.quality.runbooks import page_of_all


def well(check: str, session: str) -> SessionResult:
    """A check that found nothing in a session."""
    return SessionResult(check, session, True, dg.AssetCheckSeverity.WARN, "nothing found", {})


def failure(
    check: str,
    session: str,
    findings: pl.DataFrame,
    evidence: Evidence,
    runbooks: str,
    rows: pl.DataFrame | None = None,
) -> SessionResult:
    """A check that found something in a session; see `shown`."""
    told = shown(check, findings, evidence, runbooks, rows)
    # Dagster writes a description three times into each of its records.
    words = sentence(findings) if "findings" in told else _count(findings)
    return SessionResult(check, session, False, severity(findings), words, told)


def shown(
    check: str,
    findings: pl.DataFrame,
    evidence: Evidence,
    runbooks: str,
    rows: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """Metadata of findings: a table of them, of the rows that they are about, what to do.

    Args:
        check: name of the check.
        findings: rows of FINDINGS.
        evidence: how much may be shown.
        runbooks: address of their folder.
        rows: offending rows of the check, with symbol and session; None where there are none.
    """
    told = evidence.of(findings, rows)
    if "findings" in told:
        page = page_of_all(findings.get_column("code").to_list(), check)
        told["runbook"] = runbook(runbooks, page, whole=evidence.page())
    return told


def severity(findings: pl.DataFrame) -> dg.AssetCheckSeverity:
    """The severity of a check with these findings."""
    error = check_severity(findings) == ERROR
    return dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN


def sentence(findings: pl.DataFrame) -> str:
    """The first finding in words, and how many more there are."""
    worst = findings.sort("severity", "session", "symbol")
    head = f"{worst['symbol'].item(0)} {worst['session'].item(0)}: {worst['detail'].item(0)}"
    return head if worst.height == 1 else f"{head} (and {worst.height - 1} more)"


def _count(findings: pl.DataFrame) -> str:
    """What was found in a few letters."""
    codes = findings["code"].unique().sort()
    return f"{findings.height} findings: {', '.join(codes.head(2))}"
