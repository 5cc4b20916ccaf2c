"""What the health of the macro datasets is judged by.

What belongs here: which datasets these are, their inspections, window and limits.
What does not: the verdict (market_data/quality/health.py), what their checks find
(macro_inspection.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl

from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, MACRO_CALENDAR
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.macro_inspection import (
    inspect_calendar,
    inspect_release_dates,
    inspect_vintages,
)
from market_data.pipeline.platform import Platform

MACRO: Mapping[str, Callable[[Platform, date, date], Inspection]] = {
    MACRO_CALENDAR.name: inspect_calendar,
    FRED_RELEASE_DATES.name: inspect_release_dates,
    FRED_VINTAGES.name: inspect_vintages,
}
"""Dataset to what looks at a range of its sessions."""

WINDOW_DAYS = 35
"""Most releases come once a month: a shorter window would often hold none."""

_GROUP = "macro releases"


def macro_limits(platform: Platform, inspection: Inspection) -> pl.DataFrame:
    """The limits that a verdict needs, a row per event, release or series.

    Columns symbol, asset_class, block_share and those of bars and scores, which are null: nothing
    of a release is late by its bars, and none has a score.
    """
    named = pl.concat([inspection.held.select("symbol"), inspection.findings.select("symbol")])
    never = pl.lit(None, pl.Duration("us"))
    of_bars = ("coverage_warn", "coverage_error", "drift_error", "score_warn", "score_error")
    return (
        named.unique()
        .sort("symbol")
        .with_columns(
            asset_class=pl.lit(_GROUP),
            block_share=pl.lit(platform.thresholds.macro.block_share),
            stale_warn=never,
            stale_error=never,
            **dict.fromkeys(of_bars, pl.lit(None, pl.Float64())),
        )
    )
