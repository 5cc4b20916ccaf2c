"""workspace.yaml and dagster.yaml load as they lie there, with no setting at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from adapters.settings import PROJECT, Settings
from emp.instance import open_instance, prepare_home

VALIDATE = [sys.executable, "-m", "dagster", "definitions", "validate", "-w"]


@pytest.mark.slow
def test_the_definitions_validate_without_any_setting(tmp_path: Path) -> None:
    bare = {n: v for n, v in os.environ.items() if not n.startswith(("EMP_", "DAGSTER"))}
    done = subprocess.run(
        [*VALIDATE, str(PROJECT / "workspace.yaml")],
        env=bare,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "emp" in done.stderr + done.stdout


def test_the_instance_lies_below_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(data_dir=tmp_path)
    with open_instance(settings) as instance:
        assert instance.root_directory == str(tmp_path / "dagster")
        assert instance.telemetry_enabled is False
        assert instance.run_monitoring_enabled is True
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 6
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    prepare_home(settings)
    kept = (tmp_path / "dagster" / "dagster.yaml").read_bytes()
    assert kept == (PROJECT / "dagster.yaml").read_bytes()


def test_a_home_that_the_user_named_stays_his(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "mine"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert prepare_home(Settings(data_dir=tmp_path)) == home
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert not (tmp_path / "dagster").exists()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.root_directory == str(home)
