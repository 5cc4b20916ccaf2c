"""Both dagster.yaml: pools, the queue, retries of runs; and what the graph says of pools."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.scheduler import DagsterDaemonScheduler

from adapters.settings import PROJECT, Settings
from definitions import build_definitions
from emp.instance import open_instance
from emp_assets.naming import EXPORTS_POOL
from jobs.automation.limits import run_limits
from jobs.backfill_job import JOBS, STEPS
from jobs.backfill_piece import TAG_TOKEN
from jobs.exports import JOB
from market_data.automation.policy import AutomationPolicy
from market_data.backfill.plans import LOCAL, SPARK

FILES = ["dagster.yaml", "docker/dagster.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_both_say_the_same_of_what_runs_by_itself(name: str):
    found = yaml.safe_load((PROJECT / name).read_text())
    assert found["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert found["run_queue"] == {
        "dequeue_interval_seconds": 1,
        # A run that finds the code location away, as while it is started anew, waits for it.
        "max_user_code_failure_retries": 5,
        "user_code_failure_retry_delay": 60,
    }
    assert found["run_monitoring"]["enabled"]
    # Of a process in a container that is gone nobody knows: its run must not hold a pool for ever.
    assert found["run_monitoring"]["max_runtime_seconds"] == 24 * 3600
    assert found["scheduler"]["config"] == {"max_tick_retries": 60}
    assert found["run_retries"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_asset_or_op_failure": False,
    }


@pytest.mark.parametrize("name", FILES)
def test_backfills_leave_places_to_schedules(name: str):
    """Of each, the run of a piece and the one that it makes count; only the former is limited."""
    found = yaml.safe_load((PROJECT / name).read_text())["concurrency"]["runs"]
    (limit,) = found["tag_concurrency_limits"]
    assert (limit["key"], "value" in limit) == (TAG_TOKEN, False)
    assert found["max_concurrent_runs"] - 2 * limit["limit"] >= 2


def test_dagster_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(Settings(data_dir=tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert (str(pools.pool_granularity.value), pools.default_pool_limit) == ("run", 1)
        # A tick that raised is tried again every minute; without it a day would be lost.
        assert isinstance(instance.scheduler, DagsterDaemonScheduler)
        assert instance.scheduler.max_tick_retries == 60
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert instance.run_monitoring_max_runtime_seconds == 24 * 3600
        queue = instance.get_concurrency_config().run_queue_config
        assert queue.max_user_code_failure_retries == 5
        assert queue.tag_concurrency_limits == [{"key": TAG_TOKEN, "limit": 2}]
        assert "EVENT_LOG_CONSUMER" in instance.get_required_daemon_types()

        @dg.job
        def nothing() -> None: ...

        def may_run_again(**tags: str) -> bool:
            run = instance.create_run_for_job(
                nothing, status=dg.DagsterRunStatus.FAILURE, tags=tags
            )
            return bool(auto_reexecution_should_retry_run(instance, run, None))

        assert may_run_again()
        policy = AutomationPolicy()
        assert may_run_again(**run_limits(policy, again=1))
        assert not may_run_again(**run_limits(policy, again=0))
        # Runs of the command line: nobody but their own process has their definitions.
        assert not may_run_again(**{"dagster/max_retries": "0"})


def test_every_vendor_has_a_pool_and_nothing_else_waits_in_it(tmp_path: Path):
    graph = build_definitions(Settings(data_dir=tmp_path)).resolve_asset_graph()
    pools = {node.key.to_user_string(): node.pools for node in graph.asset_nodes}
    assert pools["raw/yahoo_bars_1d"] == pools["raw/yahoo_bars_1m"] == {"vendor_yahoo"}
    assert pools["raw/fred_bars_1d"] == {"vendor_fred"}
    assert pools["raw/fred_releases"] == pools["raw/fred_observations"] == {"vendor_fred"}
    exporting = {name for name, found in pools.items() if found == {EXPORTS_POOL}}
    assert exporting == {"operations/export_drill", *(n for n in pools if n.startswith("exports/"))}
    others = {name for name, found in pools.items() if found} - exporting
    assert all(name.startswith("raw/") for name in others)


def test_one_run_at_a_time_exports_or_backfills_with_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As the queue judges it: from the records of runs and the pools of their steps."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(data_dir=tmp_path)
    defs = build_definitions(settings)
    with open_instance(settings) as instance:

        def run_of(name: str, status: dg.DagsterRunStatus) -> dg.DagsterRun:
            config = {"backfill": "b", "number": 0, "token": "t"}
            steps = {JOBS[engine]: STEPS[engine] for engine in JOBS}
            wanted = {"ops": {steps[name]: {"config": config}}} if name in steps else {}
            job = defs.resolve_job_def(name)
            return instance.create_run_for_job(job, run_config=wanted, status=status)

        spark = (JOB, "drill_exports", JOBS[SPARK])
        waiting = [run_of(name, dg.DagsterRunStatus.NOT_STARTED) for name in spark]
        others = [
            run_of(n, dg.DagsterRunStatus.NOT_STARTED) for n in ("drill_failover", JOBS[LOCAL])
        ]

        def blocked() -> list[bool]:
            started = [
                record
                for record in instance.get_run_records()
                if record.dagster_run.status is dg.DagsterRunStatus.STARTED
            ]
            config = instance.get_concurrency_config().pool_config
            counter = GlobalOpConcurrencyLimitsCounter(
                instance,
                [*waiting, *others],
                started,
                instance.event_log_storage.get_concurrency_keys(),
                instance.event_log_storage.get_pool_limits(),
                slot_count_offset=0,
                pool_granularity=config.pool_granularity,
            )
            return [counter.is_blocked(run) for run in (*waiting, *others)]

        assert blocked() == [False] * 5
        at_work = run_of(JOBS[SPARK], dg.DagsterRunStatus.STARTED)
        assert blocked() == [True, True, True, False, False]
        instance.report_run_failed(at_work)
        assert blocked() == [False] * 5
        run_of(JOB, dg.DagsterRunStatus.STARTED)
        assert blocked() == [True, True, True, False, False]
