"""kill -9 of a backfill's processes: every piece is made once, with the bars of a calm run.

One backfill of two pieces goes through it all: its driver dies while a piece is at work, which
goes on alone; the next driver waits for that piece; then the process of a piece dies and is begun
again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.modes import decide
from adapters.settings import PROJECT, Settings
from emp.instance import open_instance
from emp.reporting import operations_of
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.datasets import STORED, curated_bars, raw_bars
from market_data.timeframes import Timeframe
from tests.support.worlds import World

RANGE = ("2024-01-31", "2024-02-05")
ASKED = ["bars_1m", "--symbols", "DEMO-ACME", "--vendor", "sample_a",
         "--start", RANGE[0], "--end", RANGE[1]]  # fmt: skip
SECONDS = 200


class Installation:
    """A data folder of its own, in which a run holds few bars."""

    def __init__(self, folder: Path) -> None:
        config = folder / "config"
        shutil.copytree(PROJECT / "config", config)
        file = config / "automation.yaml"
        text = file.read_text()
        assert "bars_per_run: 2000000" in text
        file.write_text(text.replace("bars_per_run: 2000000", "bars_per_run: 400"))
        self.settings = Settings(data_dir=folder / "data", config_dir=config)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}
        own = {
            "EMP_DATA_DIR": str(self.settings.data_dir),
            "EMP_CONFIG_DIR": str(self.settings.config_dir),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "emp", "backfill", *words],
            env={**clean, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def backfill(self) -> Backfill | None:
        if not Path(self.settings.local_operations_url.removeprefix("sqlite:///")).exists():
            return None
        return next(iter(operations_of(decide(self.settings)).backfills.newest(1)), None)

    def ends_of_runs(self) -> dict[str, int]:
        """How the runs ended that Dagster has recorded."""
        with open_instance(self.settings) as instance:
            return dict(Counter(run.status.value for run in instance.get_runs()))

    def end(self) -> None:
        for process in self.started:
            for one in [*_children(process.pid), process]:
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    one.kill()
            process.communicate()


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    made = Installation(tmp_path)
    yield made
    made.end()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def works_on(installed: Installation, number: int) -> bool:
    found = installed.backfill()
    return found is not None and found.pieces[number].state is PieceState.RUNNING


def test_every_piece_is_made_once_whatever_is_killed(
    installed: Installation, tmp_path: Path
) -> None:
    driver = installed.start("launch", "--local", *ASKED)
    wait_for(lambda: works_on(installed, 0))
    orphans = _children(driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert any(orphan.is_running() for orphan in orphans)
    first = installed.backfill()
    assert first is not None
    assert first.state is BackfillState.RUNNING
    assert len(first.plan.pieces) == 2

    second = installed.start("launch", "--local", first.id[:6])
    wait_for(lambda: works_on(installed, 1))
    for child in _children(second.pid):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    out, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, err
    assert "piece 1: its process ended without a word; it is begun again" in err

    told = json.loads(out)
    assert told["state"] == "succeeded"
    assert [run["attempts"] for run in told["runs"]] == [1, 2]
    assert len({run["run_id"] for run in told["runs"]}) == 2
    assert told["runs"][0]["run_id"] == first.pieces[0].run_id
    assert told["symbol_sessions"] == {"done": 4, "of": 4}
    assert not any(orphan.is_running() for orphan in orphans)
    # The run of the process that was killed is recorded as failed, where it had begun.
    ends = installed.ends_of_runs()
    assert ends.pop("SUCCESS") == 2
    assert set(ends) <= {"FAILURE"}
    _same_as_undisturbed(installed, tmp_path / "calm")
    _rolled_back(installed, first.id)


def _rolled_back(installed: Installation, name: str) -> None:
    """Nothing was there before it, and nothing is told of it now: what died along the way, too."""
    process = installed.start("rollback", name, "--json")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["state"], told["rows"], told["made_anew"]) == ("rolled_back", 0, 0)
    assert told["fetches"] >= 2
    platform = open_platform(installed.settings)
    assert platform.raw_log.revisions(raw_bars("sample_a", Timeframe.M1)).is_empty()
    for dataset in STORED:
        assert platform.store.scan(dataset).is_empty(), dataset.name
    assert platform.ledger.read().is_empty()


def _same_as_undisturbed(installed: Installation, folder: Path) -> None:
    calm = World.at(folder, datetime(2024, 6, 1, tzinfo=UTC))
    calm.load_and_curate("sample_a", "1m", "DEMO-ACME", *RANGE)
    dataset = curated_bars(Timeframe.M1)
    made = open_platform(installed.settings)
    assert_frame_equal(made.store.scan(dataset), calm.platform.store.scan(dataset))
    columns = ["symbol", "session", "outcome", "rows", "final"]
    assert_frame_equal(
        made.ledger.read().select(columns), calm.platform.ledger.read().select(columns)
    )
