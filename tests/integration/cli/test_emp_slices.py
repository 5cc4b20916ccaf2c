"""`emp ingest-once` and `emp run`: one slice after another, time limits, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import still_runs
from tests.support.warm_python import StartedPython, run_python

ONE = ["--vendors", "sample_a", "--symbols", "DEMO-BTC"]
SHORT = [*ONE, "--daily-lookback-days", "3", "--intraday-lookback-days", "0"]
LONG = ["--vendors", "sample_a,sample_b", "--intraday-lookback-days", "400"]


def environment(folder: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}
    return {**clean, "EMP_DATA_DIR": str(folder)}


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command that ends by itself."""
    done = run_python(["-m", "emp", *arguments], env=environment(folder))
    return done.returncode, done.stdout, done.stderr


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emp", *arguments],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(
    process: subprocess.Popen[str] | StartedPython, seconds: float = 120
) -> tuple[int | None, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(folder: Path) -> list[tuple[str, str]]:
    """Job and status of every run that Dagster recorded, oldest first."""
    script = (
        "from emp.instance import open_instance\n"
        "from emp.platforms import installation\n"
        "with open_instance(installation(None)) as i:\n"
        "    for r in reversed(i.get_runs()): print(r.job_name, r.status.value)\n"
    )
    done = run_python(["-c", script], env=environment(folder))
    assert done.returncode == 0, done.stderr
    return [tuple(line.split()) for line in done.stdout.splitlines()]  # type: ignore[misc]


def test_one_slice_is_a_job_whose_parts_are_runs_of_their_own(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "ingest-once", *ONE, "--intraday-timeframe", "15m",
                           "--daily-lookback-days", "5")  # fmt: skip
    assert status == 0, err
    told = json.loads(out)
    parts = {part["part"]: part for part in told["parts"]}
    assert parts["daily"]["rows"] == {"DEMO-BTC": 6}
    assert parts["intraday"]["timeframe"] == "15m"
    assert parts["intraday"]["rows"]["DEMO-BTC"] > 100
    assert parts["macro"]["status"] == "off"
    found = runs(tmp_path)
    assert ("ingest_market_slice", "SUCCESS") in found
    assert len(found) == 3
    again = json.loads(run(tmp_path, "ingest-once", *ONE, "--intraday-timeframe", "15m",
                           "--daily-lookback-days", "5")[1])  # fmt: skip
    same = ("rows", "vendors", "timeframe", "status")
    for before, after in zip(told["parts"], again["parts"], strict=True):
        kept = [name for name in same if name in before and before["part"] == "daily"]
        assert {n: before[n] for n in kept} == {n: after[n] for n in kept}


def test_two_at_once_take_turns(tmp_path: Path) -> None:
    words = ["-m", "emp", "ingest-once", *SHORT]
    both = [StartedPython(words, env=environment(tmp_path)) for _ in range(2)]
    ended = [end(process) for process in both]
    assert [status for status, _, _ in ended] == [0, 0], ended
    script = (
        "from emp.instance import open_instance\n"
        "from emp.platforms import installation\n"
        "with open_instance(installation(None)) as i:\n"
        "    for r in i.get_run_records():\n"
        "        if 'emp/market_slice_run' in r.dagster_run.tags:\n"
        "            print(r.start_time, r.end_time)\n"
    )
    done = run_python(["-c", script], env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    spans = sorted(tuple(map(float, line.split())) for line in done.stdout.splitlines())
    assert len(spans) == 2
    assert spans[0][1] <= spans[1][0]


@pytest.mark.parametrize("options", [[], ["--timeout", "1000"]])
def test_a_signal_ends_a_slice_and_leaves_nothing_running(
    tmp_path: Path, options: list[str]
) -> None:
    process = start(tmp_path, "ingest-once", *LONG, *options)
    seen: list[Any] = []

    def working() -> bool:
        assert process.poll() is None, process.communicate()
        seen[:] = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        return (tmp_path / "lake" / "raw").exists()

    wait_for(working)
    process.send_signal(signal.SIGTERM)
    status, _, err = end(process, 60)
    assert status == 128 + signal.SIGTERM, err
    assert not [p for p in seen if still_runs(p)]
    assert {state for _, state in runs(tmp_path)} & {"STARTED", "STARTING"} == set()
    # The next one goes on where it was left.
    status, _, err = run(tmp_path, "ingest-once", *SHORT)
    assert status == 0, err


def test_out_of_time_is_a_status_of_its_own(tmp_path: Path) -> None:
    status, _, err = run(tmp_path, "ingest-once", *LONG, "--timeout", "4")
    assert status == 124
    assert "--timeout" in err


def test_run_goes_on_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = start(tmp_path, "run", *SHORT, "--interval", "3600", "--jitter", "0")
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert line["status"] == 0
    assert line["slice"]["parts"][0]["rows"] == {"DEMO-BTC": 4}
    process.send_signal(signal.SIGTERM)
    status, out, err = end(process, 30)
    assert status == 0, err
    assert json.loads(out) == {"slices": 1, "failed": 0, "ended_by": "SIGTERM"}


def test_run_gives_up_after_failures_in_a_row(tmp_path: Path) -> None:
    process = start(tmp_path, "run", "--symbols", "NOBODY", "--max-failures", "1")
    status, out, err = end(process, 60)
    assert status == 1
    assert json.loads(out[out.index("{\n") :])["ended_by"] == "failures"
    assert "NOBODY" in err


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    for options, word in (
        (["--symbols", "NOBODY"], "NOBODY"),
        (["--intraday-timeframe", "7m"], "7m"),
        (["--vendors", "nobody"], "nobody"),
        (["--macro-start", "gibberish", "--macro-end", "2024-01-02"], "macro_start"),
        (["--macro-start", "2024-01-02"], "macro_end"),
        (["--macro-start", "2024-01-03", "--macro-end", "2024-01-02"], "before it starts"),
    ):
        status, out, err = run(tmp_path, "ingest-once", *options, "--dry-run")
        assert (status, out) == (1, "")
        assert word in err
        assert err.count("\n") == 1
