"""The asset of an export, whatever it is of.

What belongs here: a run as Dagster starts and records it. What does not: what it is of (bars.py,
features.py), what a run does (adapters/exports/running.py).

Dagster reads annotations while the asset is made, so these must be objects, not text.
"""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from emp_assets.exports.checks import checks_of_exports
from emp_assets.exports.telling import told
from emp_assets.metadata import column_schema
from emp_assets.naming import EXPORTS_POOL, OWNERS, export_key
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import ExportConfig
from market_data.errors import ConfigurationError
from market_data.exports.jobs import ExportJob
from market_data.universe import Universe
from resources.exports import ExportsResource


@dataclass(frozen=True)
class ExportAsset:
    """An asset.

    Attributes:
        name: spark_bars_1d.
        jobs: what is exported with it.
        sources: assets that are made before.
        about: what it is.
    """

    name: str
    jobs: tuple[ExportJob, ...]
    sources: tuple[dg.AssetKey, ...]
    about: str


def export_asset(universe: Universe, described: ExportAsset) -> dg.AssetsDefinition:
    """The asset."""

    @dg.asset(
        key=export_key(described.name),
        deps=list(described.sources),
        group_name="exports",
        pool=EXPORTS_POOL,
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"spark", "parquet"},
        owners=OWNERS,
        description=described.about,
        metadata={"dagster/column_schema": column_schema(described.jobs[0].dataset.schema)},
    )
    def export(
        context: dg.AssetExecutionContext, config: ExportConfig, exports: ExportsResource
    ) -> dg.MaterializeResult[None]:
        from adapters.exports.reporting import reported

        sessions = session_range(context.partition_keys)
        platform = exports.platform
        made: list[Any] = []
        with retried(context):
            reports, clock = platform.operations.open().reports, platform.open().clock
            exporter = exports.exporter()
            for job in described.jobs:
                try:
                    with reported(reports, clock, job) as kept:
                        kept.manifest = exporter.run(
                            job, sessions, context.run.run_id, context.log.info, anew=config.anew
                        )
                except ConfigurationError as error:
                    # No further attempt helps.
                    raise dg.Failure(str(error), allow_retries=False) from error
                made.append(kept.manifest)
        return dg.MaterializeResult(metadata=told(exports, made))

    return export


def export_checks(universe: Universe, described: ExportAsset) -> dg.AssetChecksDefinition:
    """Its checks."""
    partitions = session_partitions(universe.first_session)
    return checks_of_exports(described.name, described.jobs, partitions)
