"""The trusted series of one timeframe: one bar per symbol and time, unadjusted, with its source.

Open, high, low and close come whole from the best vendor that has the bar; volume, vwap and trades
may be filled from the next vendor on the same basis, and the row says so. Bars of 1m stand in where
no vendor has native ones. Rows that break a rule are in quarantine, with every reason; sessions
that cannot be trusted carry dq_status = error and are withheld from readers unless they ask.
"""

from datetime import date

import dagster as dg
import polars as pl

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import (
    add_session_metadata,
    column_schema,
    coverage_heat_map,
    materialised,
    run_range,
    table,
)
from emp_assets.naming import OWNERS, curated_key, raw_key
from emp_assets.noting import noted
from emp_assets.outcome_map import outcome_drawings
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import EngineConfig
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.inspection import Inspection, inspect_curated
from market_data.pipeline.inspection_beside import Beside, beside_curated
from market_data.pipeline.platform import Platform
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.platform import PlatformResource
from resources.spark import SparkResource


def curated_bars_asset(universe: Universe, timeframe: Timeframe) -> dg.AssetsDefinition:
    """The asset of the curated bars of one timeframe."""
    feeds = {
        raw_key(vendor.name, source)
        for source in (timeframe, Timeframe.M1)
        for vendor in universe.vendors_of(source)
    }

    @dg.asset(
        key=curated_key(timeframe),
        deps=sorted(feeds),
        group_name="curated",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=f"Curated {timeframe} bars.\n\n{__doc__}",
        metadata={"dagster/column_schema": column_schema(CURATED_BARS)},
    )
    def curated_bars(
        context: dg.AssetExecutionContext,
        config: EngineConfig,
        platform: PlatformResource,
        spark: SparkResource,
    ) -> dg.MaterializeResult[None]:
        first, last = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            with noted(context, platform, timeframe, symbols, (first, last)):
                report = curate_sessions(
                    opened,
                    timeframe,
                    symbols,
                    first,
                    last,
                    progress=context.log.info,
                    work=spark.curation(config.engine),
                )
        counts = report.per_session.group_by("session").agg(
            pl.col("rows").sum(), pl.col("coverage").mean()
        )
        add_session_metadata(
            context,
            first,
            last,
            {
                session: {"dagster/partition_row_count": rows, "mean_coverage": coverage or 0.0}
                for session, rows, coverage in counts.iter_rows()
            },
        )
        return materialised(
            context,
            first,
            last,
            numbers={
                **run_range(first, last, report.symbols),
                "rows": report.rows,
                "quarantined_rows": report.quarantined,
                "rows_by_status": dg.MetadataValue.json(report.statuses),
                "rows_by_source": dg.MetadataValue.json(report.sources),
                "rule_version": opened.rule_version,
            },
            drawings={
                "coverage_heat_map": coverage_heat_map(
                    report.per_session.drop_nulls("coverage"),
                    {s: _coverage_limits(opened, s, timeframe) for s in report.symbols},
                ),
                **outcome_drawings(opened, timeframe, symbols, (first, last)),
                "first_rows": table(report.preview),
            },
        )

    return curated_bars


def _coverage_limits(platform: Platform, symbol: str, timeframe: Timeframe) -> tuple[float, float]:
    rules = platform.thresholds.rule(platform.universe.instrument(symbol).asset_class, timeframe)
    return rules.coverage_warn, rules.coverage_error


def curated_bars_checks(universe: Universe, timeframe: Timeframe) -> dg.AssetChecksDefinition:
    """The checks of the curated bars of one timeframe."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_curated(platform, timeframe, first, last)

    def beside(platform: Platform, first: date, last: date) -> Beside:
        return beside_curated(platform, timeframe, first, last)

    return session_checks(
        curated_key(timeframe),
        session_partitions(universe.first_session),
        inspect,
        beside=beside,
    )
