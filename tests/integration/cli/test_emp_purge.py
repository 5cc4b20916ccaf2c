"""`emp purge` and the job that does the same every night."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from adapters.settings import Settings
from definitions import build_definitions
from emp.cli import run
from emp.instance import open_instance
from tests.support.instances import give_installation

NIGHTLY = "purge_run_records"


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-01"))
def bars() -> None: ...


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation whose session was made three times, long ago."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    made = give_installation(tmp_path)
    with open_instance(made) as instance:
        for _ in range(3):
            dg.materialize([bars], partition_key="2024-01-02", instance=instance)
        with instance.run_storage.connect() as sql:  # type: ignore[attr-defined]
            sql.execute(sa.text("update runs set update_timestamp = '2020-01-02 00:00:00'"))
    return made


def test_it_tells_first_and_keeps_what_a_session_stands_on(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    assert run(["purge", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["kept"], told["removed"]) == (2, 1, 0)
    assert run(["purge"]) == 0
    assert "2 removed, 1 stay for the sessions" in capsys.readouterr().out
    with open_instance(settings) as instance:
        (left,) = instance.get_runs()
        (newest,) = instance.fetch_materializations(bars.key, limit=10).records
        assert newest.run_id == left.run_id
        assert instance.get_materialized_partitions(bars.key) == {"2024-01-02"}
    assert run(["purge", "--older-than", "soon"]) == 1
    assert "such as 15m or 2h" in capsys.readouterr().err


def test_the_nightly_job_goes_by_the_configuration(settings: Settings):
    nightly = build_definitions(settings).resolve_job_def(NIGHTLY)
    with open_instance(settings) as instance:
        done = nightly.execute_in_process(instance=instance)
        assert done.success
        (output,) = done.get_step_success_events()
        assert len(instance.get_runs()) == 2, "its own, and that of the session"
    (told,) = [e.step_output_data.metadata for e in done.all_node_events if e.is_successful_output]
    assert {name: told[name].value for name in ("removed", "kept_for_their_sessions")} == {
        "removed": 2,
        "kept_for_their_sessions": 1,
    }
    assert output.step_key == "remove_old_runs"
