"""What every validator hands back.

What belongs here: the outcome record and the few steps in which all validators build it.
What does not: what is measured and judged (one module per check).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from market_data.schemas import FINDINGS

SAMPLE_ROWS = 20
KEY = ["symbol", "session"]
WARN = "warn"
ERROR = "error"


@dataclass(frozen=True)
class CheckOutcome:
    """What one check found and measured.

    Attributes:
        findings: rows of FINDINGS sorted by (session, symbol, code); empty where all is well.
        rows: a sample of the offending rows, at most SAMPLE_ROWS, with symbol and session; the
            other columns are the check's own.
        measured: one row per symbol and session that was looked at, good or bad.
    """

    findings: pl.DataFrame = field(default_factory=FINDINGS.empty)
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    measured: pl.DataFrame = field(default_factory=pl.DataFrame)


def grade(
    value: str, warn: str, error: str, *, bad: Literal["above", "below"] = "above"
) -> tuple[pl.Expr, pl.Expr]:
    """The expressions `severity` (null where all is well) and `threshold` (the limit broken)."""
    measured = pl.col(value)

    def breaks(limit: str) -> pl.Expr:
        return measured > pl.col(limit) if bad == "above" else measured < pl.col(limit)

    severity = pl.when(breaks(error)).then(pl.lit(ERROR)).when(breaks(warn)).then(pl.lit(WARN))
    threshold = pl.when(breaks(error)).then(pl.col(error)).when(breaks(warn)).then(pl.col(warn))
    return severity.alias("severity"), threshold.alias("threshold")


def findings(frame: pl.DataFrame, *, check: str, dataset: str) -> pl.DataFrame:
    """Rows of FINDINGS from a frame that holds the other columns, sorted."""
    named = frame.with_columns(check=pl.lit(check), dataset=pl.lit(dataset))
    return FINDINGS.conform(named).sort("session", "symbol", "code")


def together(outcomes: Sequence[CheckOutcome]) -> CheckOutcome:
    """The outcomes of several rules as one check's."""

    def stacked(frames: list[pl.DataFrame]) -> pl.DataFrame:
        given = [f for f in frames if f.width]
        return pl.concat(given, how="diagonal_relaxed") if given else pl.DataFrame()

    found = pl.concat([FINDINGS.empty(), *(o.findings for o in outcomes)])
    return CheckOutcome(
        found.sort("session", "symbol", "code"),
        stacked([o.rows for o in outcomes]).head(SAMPLE_ROWS),
        stacked([o.measured for o in outcomes]),
    )


def per_cent(column: str) -> pl.Expr:
    """A share as text: '97.4 %'."""
    return pl.format("{} %", (pl.col(column) * 100).round(2))
