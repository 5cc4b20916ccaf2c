"""Settings of Dagster's records that a command cannot use."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.warm_python import run_python


def test_variables_that_dagster_yaml_takes_and_nobody_set_are_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    storage = "storage:\n  sqlite:\n    base_dir:\n      env: NOBODY_SET_THIS\n"
    (home / "dagster.yaml").write_text(storage)
    bare = {n: v for n, v in os.environ.items() if not n.startswith(("EMP_", "DAGSTER"))}
    own = {"EMP_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(home)}
    told = run_python(
        [
            "-m",
            "emp",
            "ingest",
            "--vendor",
            "sample_a",
            "--start",
            "2024-01-02",
            "--end",
            "2024-01-03",
        ],
        env={**bare, **own},
    )
    assert told.returncode == 1
    assert "dagster.yaml takes NOBODY_SET_THIS from the environment" in told.stderr
    assert "Traceback" not in told.stderr
