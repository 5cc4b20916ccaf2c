"""Findings of the macro checks, in the few steps in which all of them are built.

What belongs here: frames to outcomes. What does not: rules (the checks beside this module).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.findings import SAMPLE_ROWS, CheckOutcome, findings
from market_data.quality.schema import check_schema
from market_data.schemas import FrameSchema


def schema_of(frame: pl.DataFrame, schema: FrameSchema, dataset: str) -> CheckOutcome:
    """Whether rows have the columns, types and filled cells of their schema."""
    return check_schema(frame, schema, dataset=dataset, expected=frame.select("symbol", "session"))


def outcome(
    check: str, dataset: str, found: pl.DataFrame, measured: pl.DataFrame | None = None
) -> CheckOutcome:
    """Findings, with their own rows as the sample."""
    sample = found.sort("session", "symbol").head(SAMPLE_ROWS)
    return CheckOutcome(
        findings(found, check=check, dataset=dataset),
        sample,
        pl.DataFrame() if measured is None else measured,
    )


def found_rows(
    frame: pl.DataFrame,
    code: str,
    severity: str | pl.Expr,
    detail: pl.Expr,
    *,
    value: pl.Expr | None = None,
    threshold: pl.Expr | None = None,
) -> pl.DataFrame:
    """The columns that `findings` needs, one row per row of the frame."""
    nothing = pl.lit(None, dtype=pl.Float64)
    return frame.select(
        "symbol",
        "session",
        code=pl.lit(code),
        severity=pl.lit(severity) if isinstance(severity, str) else severity,
        value=nothing if value is None else value.cast(pl.Float64),
        threshold=nothing if threshold is None else threshold.cast(pl.Float64),
        rows=pl.lit(1, dtype=pl.Int64),
        detail=detail,
    )
