"""Every row that was refused, once, with all its reasons and the fetch that brought it.

Rows that could not become a bar are refused when they are fetched, rows that break a rule when
they are curated. They are kept in the operations database, where a decision about them can be
recorded; this asset shows how many there are, and why. Its checks curate the raw bars of the
sessions once more in memory and compare.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import column_schema, markdown_table, materialised, run_range, table
from emp_assets.naming import OWNERS, QUARANTINE_KEY, curated_key
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.pipeline.quarantine_inspection import inspect_quarantine
from market_data.quality.quarantine_checks import CHECKS
from market_data.schemas import QUARANTINE
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.platform import PlatformResource

PAGE = "quarantine"
"""Of docs/runbooks."""


def quarantine_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of refused rows."""

    @dg.asset(
        key=QUARANTINE_KEY,
        deps=[curated_key(t) for t in Timeframe],
        group_name="curated",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"sqlite"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(QUARANTINE)},
    )
    def quarantine(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        log = platform.open().quarantine
        first, last = session_range(context.partition_keys)
        counts = pl.concat(
            log.counts(timeframe=t, sessions=(first, last)).with_columns(timeframe=pl.lit(str(t)))
            for t in Timeframe
        )
        by_reason = (
            counts.group_by("vendor", "timeframe", "stage", "reasons")
            .agg(pl.col("rows").sum(), pl.col("symbol").n_unique().alias("symbols"))
            .sort("rows", descending=True)
        )
        rows = log.read(sessions=(first, last), limit=20)
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, sorted(counts["symbol"].unique())),
                "rows": int(counts["rows"].sum()),
            },
            drawings={
                "by_reason": markdown_table(by_reason),
                "first_rows": table(rows.drop("row_id", "fetch_id"), rows=20),
            },
        )

    return quarantine


def quarantine_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the log of refused rows."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_quarantine(platform, first, last)

    return session_checks(
        QUARANTINE_KEY, session_partitions(universe.first_session), inspect, CHECKS, PAGE
    )
