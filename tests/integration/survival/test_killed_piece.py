"""kill -9 of the process of a backfill's piece: neither of its two runs stays at work for ever.

The run of the piece makes a run of its own, which is in the pools of the vendors that it asks.
While that counts as at work nobody else asks them.
"""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from adapters.settings import Settings
from definitions import build_definitions
from emp.instance import open_instance
from emp_assets.naming import INSTRUMENTS_KEY
from jobs.backfill_job import NAME
from jobs.ranged_run import Selection, execute
from tests.support.warm_python import run_python


def runs(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    """The run of the piece by the name of its job, and the other one as 'its own'."""
    return {
        run.job_name if run.job_name == NAME else "its own": run
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    }


def monitored(instance: dg.DagsterInstance) -> None:
    """One look of the daemon at the runs that are at work."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for record in instance.get_run_records(started):
        monitor_started_run(instance, None, record, logging.getLogger())  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    done = run_python(["-m", "tests.support.killed_piece", str(tmp_path)])
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Settings(data_dir=tmp_path)


def test_the_daemon_frees_the_pools_of_a_killed_piece(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(settings) as instance:
        left = runs(instance)
        assert set(left) == {NAME, "its own"}
        # A daemon elsewhere cannot look at processes; the end of the piece's run tells it.
        with monkeypatch.context() as patch:
            patch.setattr("resources.run_processes.machine", lambda: "elsewhere")
            monitored(instance)
            assert set(runs(instance)) == {NAME, "its own"}
            instance.report_run_failed(left[NAME], "as its code server says")
            monitored(instance)
        assert runs(instance) == {}


def test_the_next_command_on_its_machine_frees_them_too(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert set(runs(instance)) == {NAME, "its own"}
        table = Selection(frozenset([INSTRUMENTS_KEY]))
        assert execute(build_definitions(settings), instance, table)
        assert set(runs(instance)) == {NAME}
