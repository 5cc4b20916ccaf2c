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

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import (
    add_session_metadata,
    column_schema,
    materialised,
    run_range,
    table,
)
from emp_assets.naming import (
    FRED_OBSERVATIONS_KEY,
    FRED_RELEASES_KEY,
    MACRO_CALENDAR_KEY,
    OWNERS,
)
from emp_assets.partitions import ONE_RUN, announced_partitions, session_range
from market_data.macro.schemas import MACRO_EVENTS
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.macro_calendar import curate_macro
from market_data.pipeline.macro_inspection import inspect_calendar
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every date that FRED announced is in the calendar.",
    "staleness": "No release is overdue, and nothing newer is known than the calendar says.",
    "drift": "No value has gone far from its first publication.",
}


def macro_calendar_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of the macro calendar."""

    @dg.asset(
        key=MACRO_CALENDAR_KEY,
        deps=[FRED_RELEASES_KEY, FRED_OBSERVATIONS_KEY],
        group_name="curated",
        partitions_def=announced_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(MACRO_EVENTS)},
    )
    def macro_calendar(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        first, last = session_range(context.partition_keys)
        events = curate_macro(platform.open(), first, last)
        counts = events.group_by("session").agg(pl.len(), pl.col("status").eq("released").sum())
        add_session_metadata(
            context,
            first,
            last,
            {
                day: {"dagster/partition_row_count": rows, "released": released}
                for day, rows, released in counts.iter_rows()
            },
        )
        shown = events.sort("ts", "symbol").select(
            "ts",
            "symbol",
            "importance",
            "period",
            "actual",
            "previous",
            "first_published",
            "status",
        )
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, sorted(events["symbol"].unique())),
                "rows": events.height,
                "rows_by_status": dg.MetadataValue.json(
                    dict(events.group_by("status").len().sort("status").iter_rows())
                ),
            },
            drawings={"first_rows": table(shown, rows=50)},
        )

    return macro_calendar


def macro_calendar_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the macro calendar."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_calendar(platform, first, last)

    return session_checks(
        MACRO_CALENDAR_KEY, announced_partitions(universe.first_session), inspect, CHECKS
    )
