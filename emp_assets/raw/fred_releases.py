"""The dates on which releases of macro data come out, as FRED named them, and what it took back.

A run asks for the dates of its range, those ahead included, and appends what is new: a date that
was not known, or one that FRED names no longer since the release was moved. Nothing is ever changed
or removed. Releases are those of config/reference/macro_releases.yaml.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.macro_asset import Made, macro_asset, macro_checks, unless_off
from emp_assets.metadata import table
from emp_assets.naming import FRED_RELEASES_KEY
from market_data.macro.schemas import FRED_RELEASES
from market_data.pipeline.macro_calendar import known_dates
from market_data.pipeline.macro_ingest import ingest_release_dates
from market_data.pipeline.macro_inspection import inspect_release_dates
from market_data.pipeline.platform import Platform
from market_data.universe import Universe

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every release of the table has its next date as early as it should.",
    "staleness": "The dates were asked for shortly before: later they may have moved.",
    "drift": "FRED still names the dates that it named.",
}


def fred_releases_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of announced release dates."""
    return macro_asset(
        universe,
        unless_off(_ask),
        key=FRED_RELEASES_KEY,
        schema=FRED_RELEASES,
        description=__doc__,
    )


def _ask(context: dg.AssetExecutionContext, platform: Platform, first: date, last: date) -> Made:
    report = ingest_release_dates(
        platform, first, last, run_id=context.run.run_id, progress=context.log.info
    )
    dates = known_dates(platform, first, last).filter("listed")
    return Made(
        sorted(dates["name"].unique()),
        dates.group_by("session").agg(rows=pl.len()),
        {
            "rows": dates.height,
            "received_rows": report.rows,
            "new_rows": report.new,
            "revised_rows": report.revised,
        },
        {"first_rows": table(dates.sort("session", "symbol"), rows=20)},
    )


def fred_releases_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of announced release dates."""
    return macro_checks(universe, FRED_RELEASES_KEY, inspect_release_dates, CHECKS)
