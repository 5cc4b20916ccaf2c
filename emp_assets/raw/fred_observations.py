"""Every value that FRED ever gave for the series behind the macro calendar, with its day.

A value that was revised is there once per vintage: what was known at any time can be told for ever.
A run asks for the series of the releases in its range, all vintages of the periods that these may
speak of, and appends what is new. A session is the day on which FRED began to give a value.
"""

import logging
from datetime import date

import dagster as dg
import polars as pl

from emp_assets.macro_asset import Made, macro_asset, macro_checks, unless_off
from emp_assets.metadata import markdown_table, table
from emp_assets.naming import FRED_OBSERVATIONS_KEY, FRED_RELEASES_KEY
from market_data.macro.schemas import FRED_OBSERVATIONS
from market_data.pipeline.macro_calendar import known_vintages
from market_data.pipeline.macro_ingest import ingest_vintages
from market_data.pipeline.macro_inspection import inspect_vintages
from market_data.pipeline.platform import Platform
from market_data.universe import Universe

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Something is known of every series whose release came out.",
    "staleness": "Every release that came out has brought its value.",
    "drift": "No vintage is far from the first publication of its period.",
}


def fred_observations_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of vintages."""
    return macro_asset(
        universe,
        # The dates before it have warned already.
        unless_off(_ask, level=logging.DEBUG),
        key=FRED_OBSERVATIONS_KEY,
        deps=[FRED_RELEASES_KEY],
        schema=FRED_OBSERVATIONS,
        description=__doc__,
    )


def _ask(context: dg.AssetExecutionContext, platform: Platform, first: date, last: date) -> Made:
    report = ingest_vintages(
        platform, first, last, run_id=context.run.run_id, progress=context.log.info
    )
    for series, trouble in report.failed:
        context.log.warning("%s: %s", series, trouble)
    known = known_vintages(platform, first, last)
    values = known.filter(pl.col("session").is_between(first, last))
    failed = pl.DataFrame(report.failed, schema=["series", "reason"], orient="row")
    return Made(
        report.asked,
        values.group_by("session").agg(rows=pl.len()),
        {
            "rows": values.height,
            "received_rows": report.rows,
            "new_rows": report.new,
            "revised_rows": report.revised,
            "rejected_rows": report.rejected,
            "failed_series": len(report.failed),
        },
        {
            "failed": markdown_table(failed),
            "first_rows": table(values.sort("session", "symbol"), rows=20),
        },
    )


def fred_observations_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of vintages."""
    return macro_checks(universe, FRED_OBSERVATIONS_KEY, inspect_vintages, CHECKS)
