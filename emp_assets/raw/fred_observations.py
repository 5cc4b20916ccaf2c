"""Every value that FRED ever gave for the series behind the macro calendar, with its day.

A value that was revised is there once per vintage: what was known at any time can be told for ever.
A run asks for the series of the releases in its range, all vintages of the periods that these may
speak of, and appends what is new. A session is the day on which FRED began to give a value.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import (
    add_session_metadata,
    column_schema,
    markdown_table,
    materialised,
    run_range,
    table,
)
from emp_assets.naming import FRED_OBSERVATIONS_KEY, FRED_RELEASES_KEY, OWNERS
from emp_assets.partitions import ONE_RUN, announced_partitions, session_range
from market_data.macro.schemas import FRED_OBSERVATIONS
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.macro_calendar import known_vintages
from market_data.pipeline.macro_ingest import ingest_vintages
from market_data.pipeline.macro_inspection import inspect_vintages
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Something is known of every series whose release came out.",
    "staleness": "Every release that came out has brought its value.",
    "drift": "No vintage is far from the first publication of its period.",
}


def fred_observations_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of vintages."""

    @dg.asset(
        key=FRED_OBSERVATIONS_KEY,
        deps=[FRED_RELEASES_KEY],
        group_name="raw",
        partitions_def=announced_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(FRED_OBSERVATIONS)},
    )
    def fred_observations(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        opened = platform.open()
        first, last = session_range(context.partition_keys)
        if reason := opened.macro.off():
            # The dates before it have warned already.
            context.log.debug("FRED is off: %s", reason)
            return materialised(
                context,
                first,
                last,
                numbers={**run_range(first, last, ()), "off": reason},
                drawings={},
            )
        report = ingest_vintages(
            opened, first, last, run_id=context.run.run_id, progress=context.log.info
        )
        for series, trouble in report.failed:
            context.log.warning("%s: %s", series, trouble)
        values = known_vintages(opened, first, last).filter(
            pl.col("session").is_between(first, last)
        )
        counts = values.group_by("session").agg(pl.len())
        add_session_metadata(
            context,
            first,
            last,
            {day: {"dagster/partition_row_count": rows} for day, rows in counts.iter_rows()},
        )
        failed = pl.DataFrame(report.failed, schema=["series", "reason"], orient="row")
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, report.asked),
                "rows": values.height,
                "received_rows": report.rows,
                "new_rows": report.new,
                "revised_rows": report.revised,
                "failed_series": len(report.failed),
            },
            drawings={
                "failed": markdown_table(failed),
                "first_rows": table(values.sort("session", "symbol"), rows=20),
            },
        )

    return fred_observations


def fred_observations_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of vintages."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_vintages(platform, first, last)

    return session_checks(
        FRED_OBSERVATIONS_KEY, announced_partitions(universe.first_session), inspect, CHECKS
    )
