"""What the result of one check says: how bad it is, in which words, with which rows.

What belongs here: findings to the verdict of a check.
What does not: finding (market_data/quality), how many rows are shown (evidence.py), recording
verdicts (check_states.py).
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.check_states import SessionResult
from emp_assets.evidence import Evidence
from emp_assets.metadata import runbook
from market_data.quality.actions import check_severity
from market_data.quality.findings import ERROR
from market_data.quality.runbooks import page_of_all

ABOUT = "about"
"""Metadata of a result with a table of its findings: see `about`."""


def about(findings: pl.DataFrame) -> str:
    """Names what findings are about: the same for the same symbols, codes and severities.

    Their values are left out: a number of robust deviations moves with every bar that comes.
    """
    told = findings.select("symbol", "code", "severity").unique().sort(pl.all())
    return blake2s(told.write_csv().encode(), digest_size=6).hexdigest()


def tells_of(result: dg.AssetCheckEvaluation, findings: pl.DataFrame) -> bool:
    """Whether a recorded failure is about these findings, as far as it says what it is about.

    Args:
        result: the record.
        findings: rows of FINDINGS of the same check and session.
    """
    if result.severity is not severity(findings):
        return False
    if (known := result.metadata.get(ABOUT)) is not None:
        return bool(known.value == about(findings))
    symbols = result.metadata.get("symbols")
    counted = symbols is not None and symbols.value == findings["symbol"].n_unique()
    return counted and result.description == _count(findings)


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
        told[ABOUT] = about(findings)
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
