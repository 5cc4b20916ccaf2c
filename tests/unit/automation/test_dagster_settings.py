"""Both dagster.yaml: pools, the queue, retries of runs; and what the graph says of pools."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.scheduler import DagsterDaemonScheduler

from adapters.settings import PROJECT, Settings
from definitions import build_definitions
from emp.instance import open_instance
from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy

FILES = ["dagster.yaml", "docker/dagster.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_both_say_the_same_of_what_runs_by_itself(name: str):
    found = yaml.safe_load((PROJECT / name).read_text())
    assert found["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert found["run_queue"] == {"dequeue_interval_seconds": 1}
    assert found["run_monitoring"]["enabled"]
    assert found["scheduler"]["config"] == {"max_tick_retries": 60}
    assert found["run_retries"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_asset_or_op_failure": False,
    }


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
    assert not any(found for name, found in pools.items() if not name.startswith("raw/"))
