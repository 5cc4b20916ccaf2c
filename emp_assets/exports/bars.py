"""Curated bars as hive-partitioned Parquet with a manifest, for Spark and whoever reads files.

Rows in error and bars of a period that still runs are left out. A run writes whole years or months
(fine bars), whichever its sessions lie in; what counts is what manifest.json names, with the rows,
checksum and content digest of every file. Spark writes them, on this machine or on a cluster;
EMP_EXPORT_ENGINE=polars writes the same without Java.
"""

import dagster as dg

from emp_assets.exports.checks import export_checks
from emp_assets.exports.telling import told
from emp_assets.metadata import column_schema
from emp_assets.naming import OWNERS, curated_key, export_key
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import ExportConfig
from market_data.errors import ConfigurationError
from market_data.exports.jobs import bars_job
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.exports import ExportsResource


def bars_export_asset(universe: Universe, timeframe: Timeframe) -> dg.AssetsDefinition:
    """The asset of the export of one timeframe."""
    job = bars_job(timeframe)

    @dg.asset(
        key=export_key(job.name),
        deps=[curated_key(timeframe)],
        group_name="exports",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"spark", "parquet"},
        owners=OWNERS,
        description=f"Export of curated {timeframe} bars.\n\n{__doc__}",
        metadata={"dagster/column_schema": column_schema(job.dataset.schema)},
    )
    def spark_bars(
        context: dg.AssetExecutionContext, config: ExportConfig, exports: ExportsResource
    ) -> dg.MaterializeResult[None]:
        from adapters.exports.reporting import reported

        sessions = session_range(context.partition_keys)
        with retried(context):
            platform = exports.platform
            try:
                with reported(
                    platform.operations.open().reports, platform.open().clock, job
                ) as kept:
                    kept.manifest = exports.exporter().run(
                        job, sessions, context.run_id, context.log.info, anew=config.anew
                    )
            except ConfigurationError as error:
                raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(metadata=told(exports, kept.manifest))

    return spark_bars


def bars_export_checks(universe: Universe, timeframe: Timeframe) -> dg.AssetChecksDefinition:
    """The checks of the export of one timeframe."""
    return export_checks(bars_job(timeframe), session_partitions(universe.first_session))
