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
from market_data.quality.view import limits_of
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

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
    """As `market_data.quality.view.limits_of`, a row per event, release or series.

    Releases have no limits of their own: those of an index's days stand in for `block_share`, the
    share of RED events above which the dataset is RED.
    """
    named = pl.concat([inspection.held.select("symbol"), inspection.findings.select("symbol")])
    index = Instrument(symbol="any", asset_class=AssetClass.INDEX, calendar="24/7")
    limits = limits_of([index], Timeframe.D1, platform.thresholds).drop("symbol")
    symbols = named.unique().sort("symbol")
    return symbols.join(limits, how="cross").with_columns(asset_class=pl.lit(_GROUP))
