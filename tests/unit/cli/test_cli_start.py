"""What a process loads, and how the command line speaks of errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.settings import Settings
from emp.cli import EPILOG, run

COMMANDS = [
    ["ingest"],
    ["bars"],
    ["quality"],
    ["quality", "summary"],
    ["health"],
    ["report", "quality"],
    ["coverage"],
    ["demo"],
    ["dev"],
    ["files", "sniff"],
    ["files", "specs"],
    ["actions", "import"],
    ["actions", "list"],
    ["macro", "ingest"],
    ["macro", "events"],
    ["macro", "bias"],
]
COVERAGE = ["coverage", "AAPL", "--start", "2024-01-02", "--end"]
HEAVY = ("dagster", "pandas", "yfinance", "exchange_calendars", "deltalake", "sqlalchemy")


def loaded_by(code: str, tmp_path: Path) -> set[str]:
    """Which heavy modules a fresh process holds after running some code."""
    script = f"{code}\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"EMP_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(eval(done.stderr.strip().splitlines()[-1]))


def test_importing_emp_loads_nothing(tmp_path: Path) -> None:
    code = "import emp, sys; assert 'polars' not in sys.modules and 'emp.client' not in sys.modules"
    assert loaded_by(code, tmp_path) == set()


def test_reading_bars_never_loads_dagster_or_pandas(tmp_path: Path) -> None:
    code = "import emp; assert emp.get_curated_bars('AAPL', '2024-01-02').is_empty()"
    assert loaded_by(code, tmp_path) & {"dagster", "pandas", "yfinance"} == set()
    code = "from emp.cli import run; assert run(['bars', 'AAPL', '--last', '3']) == 0"
    assert loaded_by(code, tmp_path) & {"dagster", "pandas", "yfinance"} == set()


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by("from emp.cli import run; assert run(['--help']) == 0", tmp_path) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps_with_examples(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Example" in told
    assert f"emp {' '.join(command)}" in told


def test_the_epilog_names_every_setting() -> None:
    for name in Settings.model_fields:
        assert f"EMP_{name.upper()}" in EPILOG


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bars", "NOPE"], "'NOPE' is not in the universe"),
        (["bars", "AAPL", "--start", "soon"], "is no date"),
        (["bars", "AAPL", "--last", "3", "--start", "2024-01-02"], "not both"),
        (["bars", "AAPL", "--columns", "price"], "no column price; there are: symbol, ts"),
        (["bars", "AAPL", "--timeframe", "2h"], "2h"),
        (["ingest", "--vendor", "yahoo"], "say a period"),
        (["ingest", "--vendor", "yahoo", "--lookback-days", "many"], "--lookback-days"),
        (["nothing"], "No such command"),
        (["files"], "Missing command"),
        (["--env-file", "/nowhere/.env", "bars", "AAPL"], "no file /nowhere/.env"),
        (["actions", "import", "/nowhere/x.csv", "--symbol", "AAPL"], "cannot read"),
        (["actions", "import", "/nowhere/x.csv", "--symbol", "EURUSD"], "no splits"),
        ([*COVERAGE, "2024-01-01"], "before it starts"),
        ([*COVERAGE, "2024-01-03", "--vendor", "nobody"], "'nobody' is not configured"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_an_error_is_one_line_on_stderr_and_status_1(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    assert run(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("emp: ")
    assert words in told.err
    assert told.err.count("\n") == 1


def test_a_setting_that_does_not_fit_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMP_UI_PORT", "many")
    assert run(["bars", "AAPL"]) == 1
    assert "EMP_UI_PORT" in capsys.readouterr().err


def test_an_env_file_counts_after_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "settings.env"
    file.write_text(f"EMP_DATA_DIR={tmp_path / 'named'}\n")
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "real"))
    assert run(["--env-file", str(file), "bars", "AAPL"]) == 0
    assert (tmp_path / "real").exists()
    assert not (tmp_path / "named").exists()
    monkeypatch.delenv("EMP_DATA_DIR")
    assert run(["--env-file", str(file), "bars", "AAPL"]) == 0
    assert (tmp_path / "named").exists()


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    with pytest.raises(Exception, match="NOPE"):
        run(["--debug", "bars", "NOPE"])
