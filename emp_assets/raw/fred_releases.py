"""The dates on which releases of macro data come out, as FRED named them, and what it took back.

A run asks for the dates of its range, those ahead included, and appends what is new: a date that
was not known, or one that FRED names no longer since the release was moved. Nothing is ever changed
or removed. Releases are those of config/reference/macro_releases.yaml.
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
from emp_assets.naming import FRED_RELEASES_KEY, OWNERS
from emp_assets.partitions import ONE_RUN, announced_partitions, session_range
from market_data.macro.schemas import FRED_RELEASES
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.macro_calendar import known_dates
from market_data.pipeline.macro_ingest import ingest_release_dates
from market_data.pipeline.macro_inspection import inspect_release_dates
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every release of the table has its next date as early as it should.",
    "staleness": "The dates were asked for shortly before: later they may have moved.",
    "drift": "FRED still names the dates that it named.",
}


def fred_releases_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of announced release dates."""

    @dg.asset(
        key=FRED_RELEASES_KEY,
        group_name="raw",
        partitions_def=announced_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(FRED_RELEASES)},
    )
    def fred_releases(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        opened = platform.open()
        first, last = session_range(context.partition_keys)
        if reason := opened.macro.off():
            context.log.warning("FRED is off: %s; nothing was asked of it", reason)
            return materialised(
                context,
                first,
                last,
                numbers={**run_range(first, last, ()), "off": reason},
                drawings={},
            )
        report = ingest_release_dates(opened, first, last, run_id=context.run.run_id)
        dates = known_dates(opened, first, last).filter("listed")
        counts = dates.group_by("session").agg(pl.len())
        add_session_metadata(
            context,
            first,
            last,
            {day: {"dagster/partition_row_count": rows} for day, rows in counts.iter_rows()},
        )
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, sorted(dates["name"].unique())),
                "rows": dates.height,
                "received_rows": report.rows,
                "new_rows": report.new,
                "revised_rows": report.revised,
            },
            drawings={"first_rows": table(dates.sort("session", "symbol"), rows=20)},
        )

    return fred_releases


def fred_releases_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of announced release dates."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_release_dates(platform, first, last)

    return session_checks(
        FRED_RELEASES_KEY, announced_partitions(universe.first_session), inspect, CHECKS
    )
