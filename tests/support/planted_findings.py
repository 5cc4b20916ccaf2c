"""Findings of checks in any number, for tests and measurements of what they cost.

What belongs here: the rows. What does not: what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from market_data.quality.findings import findings

FIRST = date(2020, 1, 1)
"""The first session that has findings."""


def planted_findings(sessions: int, symbols: int, checks: Iterable[str]) -> pl.DataFrame:
    """Rows of FINDINGS as the validators make them: one per session, symbol and check."""
    days = pl.DataFrame({"session": [FIRST + timedelta(days=n) for n in range(sessions)]})
    names = pl.DataFrame({"symbol": [f"BENCH{n:04d}" for n in range(symbols)]})
    each = days.join(names, how="cross").with_columns(
        code=pl.lit("coverage_error"),
        severity=pl.lit("error"),
        value=pl.lit(0.512820512820513),
        threshold=pl.lit(0.75),
        rows=pl.lit(190),
        detail=pl.lit("200 of 390 expected bars are there (51.28 %), in 17 gap(s)"),
    )
    return pl.concat(findings(each, check=c, dataset="curated/bars_1d") for c in checks)
