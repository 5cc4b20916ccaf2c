"""The composition root: settings in, Dagster definitions out.

What belongs here: which resources stand behind the graph. Tests and the command line call
`build_definitions` with their own settings and overrides.
What does not: assets, checks, jobs; each has its own room.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from adapters.automation import load_automation
from adapters.configuration import load_universe
from adapters.modes import Installation, decide
from adapters.settings import Mode, Settings
from adapters.variables import read
from adapters.vendors.table import load_vendor_table
from emp_assets.graph import all_assets, all_checks
from jobs.automation import automation_jobs, automation_schedules
from jobs.backfill_job import backfill_piece_jobs
from jobs.backup import backup_job, backup_schedule
from jobs.drill import failover_drill_job, failover_drill_schedule
from jobs.exports import drill_exports_job, exports_job, exports_schedule
from jobs.macro_schedule import macro_schedule
from jobs.market_slice import market_slice_job
from jobs.operations import operations_schedules, report_ingest_job, report_operations_job
from jobs.rebuild import rebuild_job
from jobs.take_in_files import take_in_files_job
from jobs.vendor_jobs import vendor_jobs
from market_data.automation.drop import check_folders
from market_data.automation.policy import AutomationPolicy
from resources.exports import ExportsResource
from resources.operations_reports import OperationsReportsResource
from resources.platform import PlatformResource
from resources.readiness import ReadinessResource
from resources.requests import RequestBudgetResource, SharedRequestBudgetResource
from resources.servers import KafkaResource, RedisResource, TimescaleResource
from resources.spark import SparkResource
from resources.storage import (
    LakeResource,
    OperationsResource,
    TimescaleWarehouseResource,
    WarehouseResource,
)
from sensors.alerts import alert_delivery, alerts_of_runs, platform_alerts
from sensors.backfills import backfill_sensor
from sensors.corporate_actions import rebuild_after_corporate_actions
from sensors.dropped_files import dropped_files_sensor
from sensors.failover import watch_the_store
from sensors.kafka_relay import relay_kafka_events
from sensors.outages import outage_sensor
from sensors.recovery import recovery_sensor
from sensors.reference_files import reference_files
from sensors.refresh_requests import refresh_sensor
from sensors.reports import reports_follow_their_inputs


def build_resources(found: Installation) -> dict[str, Any]:
    """The resources of an installation.

    Secrets are named by their variables, which Dagster reads when a run needs them.
    """
    settings = found.settings
    servers: dict[str, Any] = {}
    warehouse = WarehouseResource(root=settings.warehouse_place)
    operations = OperationsResource(url=found.operations_url)
    requests = RequestBudgetResource()
    if found.servers is not None:
        servers = {
            "timescale": TimescaleResource(
                url=variable("TIMESCALEDB_URL", "TIMESCALE_URL", "DATABASE_URL")
            ),
            "redis": RedisResource(url=variable("REDIS_URL", "REDIS_URI")),
            "kafka": KafkaResource(bootstrap_servers=variable("KAFKA_BOOTSTRAP_SERVERS")),
        }
        warehouse = TimescaleWarehouseResource(
            timescale=servers["timescale"], redis=servers["redis"]
        )
        operations = OperationsResource(
            url=dg.EnvVar("EMP_OPERATIONS_URL"), streaming=found.servers.kafka.streaming
        )
        requests = SharedRequestBudgetResource(redis=servers["redis"])
    platform = PlatformResource(
        lake=LakeResource(root=settings.lake_place),
        warehouse=warehouse,
        operations=operations,
        requests=requests,
        data_dir=str(settings.data_dir.resolve()),
        config_dir=str(settings.config_dir.resolve()),
        reference_dir=str(settings.reference_dir.resolve()) if settings.reference_dir else "",
    )
    spark = SparkResource()
    exports = ExportsResource(
        platform=platform,
        spark=spark,
        root=str(settings.export_root),
        engine=settings.export_engine,
        keep_hours=settings.export_keep_hours,
    )
    return {
        "platform": platform,
        "spark": spark,
        "exports": exports,
        "readiness_report": ReadinessResource(platform=platform, mode=str(found.mode)),
        "operations_reports": OperationsReportsResource(platform=platform),
        **servers,
    }


def _streaming(found: Installation) -> bool:
    return found.servers is not None and found.servers.kafka.streaming


def _sensors(
    found: Installation, policy: AutomationPolicy, pieces: Sequence[dg.JobDefinition]
) -> list[dg.SensorDefinition]:
    alerts = [alerts_of_runs, platform_alerts(policy.daily), alert_delivery]
    driven = backfill_sensor(policy.backfill, pieces)
    always = [rebuild_after_corporate_actions, reference_files, driven, *alerts]
    asks = policy.starts(institutional=found.mode is Mode.INSTITUTIONAL)
    outages = outage_sensor(policy.backfill, on=asks)
    servers = [watch_the_store] if found.servers is not None else []
    relays = [relay_kafka_events] if _streaming(found) else []
    return [*always, outages, reports_follow_their_inputs, *servers, *relays]


def _requested(found: Installation, policy: AutomationPolicy) -> list[dg.SensorDefinition]:
    """What is asked for by stale bars, by messages and by files."""
    on = policy.starts(institutional=found.mode is Mode.INSTITUTIONAL)
    messages = [refresh_sensor(on=on)] if _streaming(found) else []
    dropped = [dropped_files_sensor(policy.drop)] if policy.drop else []
    return [recovery_sensor(on=on), *messages, *dropped]


def variable(*names: str) -> str:
    """The first of some variables that is set, by its name; empty where none is."""
    found = next((name for name in names if os.environ.get(name)), None)
    return dg.EnvVar(found) if found else ""


def build_definitions(
    settings: Settings | None = None, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything that Dagster loads.

    Args:
        settings: where data and configuration lie; read from the environment where None.
        overrides: resources by name that replace the ones of the settings.

    Raises:
        ConfigurationError: a setting or a configuration file is wrong; the message says how.
    """
    found = decide(settings or read(Settings))
    universe, policy = load_universe(found.settings), load_automation(found.settings)
    check_folders(universe, policy.drop)
    assets = all_assets(universe, load_vendor_table(found.settings))
    # The slice job runs assets of the very definitions that hold it.
    graph: list[dg.Definitions] = []
    pieces = backfill_piece_jobs(lambda: graph[0])
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=all_checks(universe),
        jobs=[
            *vendor_jobs(universe),
            market_slice_job(lambda: graph[0]),
            *pieces,
            backup_job(found),
            *([take_in_files_job(lambda: graph[0], policy.drop)] if policy.drop else []),
            rebuild_job,
            *automation_jobs(universe, policy),
            report_ingest_job,
            report_operations_job,
            failover_drill_job,
            exports_job(),
            drill_exports_job,
        ],
        schedules=[
            *automation_schedules(found, universe, policy),
            backup_schedule(found, policy),
            macro_schedule(
                policy, running=policy.starts(institutional=found.mode is Mode.INSTITUTIONAL)
            ),
            failover_drill_schedule(policy, servers=found.servers is not None),
            *operations_schedules(policy, streaming=_streaming(found)),
            exports_schedule(found.settings, policy),
        ],
        sensors=[*_sensors(found, policy, pieces), *_requested(found, policy)],
        resources={**build_resources(found), **(overrides or {})},
        metadata={"mode": str(found.mode), "mode_reason": found.reason},
        executor=dg.in_process_executor,
    )
    graph.append(definitions)
    return definitions


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: made when it asks, not when somebody imports `build_definitions`."""
    settings = read(Settings)
    if settings.warm_runs and sys.platform == "linux":
        from resources.warm_runs import keep_warm

        keep_warm()
    return build_definitions(settings)
