"""The calendar of macro releases: what comes out when, what it said, what it says now.

One row per event and announced date, at the instant of the release in UTC. Dates and values are
FRED's; the hour, the currency and the importance are those of the reviewed table
config/reference/macro_releases.yaml. A value that was revised shows its newest state beside its
first publication; readers may ask for what was known at any time. FRED knows no forecasts: there
are none here.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.macro_asset import Made, macro_asset, macro_checks
from emp_assets.metadata import table
from emp_assets.naming import FRED_OBSERVATIONS_KEY, FRED_RELEASES_KEY, MACRO_CALENDAR_KEY
from market_data.macro.schemas import MACRO_EVENTS
from market_data.pipeline.macro_calendar import curate_macro
from market_data.pipeline.macro_inspection import inspect_calendar
from market_data.pipeline.platform import Platform
from market_data.universe import Universe

_SHOWN = (
    "ts",
    "symbol",
    "importance",
    "period",
    "actual",
    "previous",
    "first_published",
    "status",
)
CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every date that FRED announced is in the calendar.",
    "staleness": "No release is overdue, and nothing newer is known than the calendar says.",
    "drift": "No value has gone far from its first publication.",
}


def macro_calendar_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of the macro calendar."""
    return macro_asset(
        universe,
        _curate,
        key=MACRO_CALENDAR_KEY,
        deps=[FRED_RELEASES_KEY, FRED_OBSERVATIONS_KEY],
        schema=MACRO_EVENTS,
        description=__doc__,
    )


def _curate(
    context: dg.AssetExecutionContext,  # noqa: ARG001  as every such asset is called
    platform: Platform,
    first: date,
    last: date,
) -> Made:
    events = curate_macro(platform, first, last)
    statuses = dict(events.group_by("status").len().sort("status").iter_rows())
    return Made(
        sorted(events["symbol"].unique()),
        events.group_by("session").agg(
            rows=pl.len(), released=pl.col("status").eq("released").sum()
        ),
        {"rows": events.height, "rows_by_status": dg.MetadataValue.json(statuses)},
        {"first_rows": table(events.sort("ts", "symbol").select(_SHOWN), rows=50)},
    )


def macro_calendar_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the macro calendar."""
    return macro_checks(universe, MACRO_CALENDAR_KEY, inspect_calendar, CHECKS)
