"""The daemon is killed with all its processes, where it hurts most, and is started again.

200 files are dropped and messages ask for a refresh. At one moment the tick has launched a run and
has not kept its cursor, the run has stored every bar and has not cleared the folder, and a batch of
messages is recorded while its offsets are not committed. Afterwards every bar is there once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from adapters.backend import open_platform
from adapters.configuration import register
from adapters.kafka.lag import consumer_lag
from adapters.kafka.refresh import send_refresh
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.operations_opening import Operations, open_operations
from adapters.settings import PROJECT, Settings
from adapters.variables import read
from market_data.backfill.records import BackfillState
from market_data.calendars import trading_sessions
from market_data.datasets import SCORES_DATASET, curated_bars, raw_bars
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig
from tests.support.institution import OURS, Institution, institution

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

TRAPS = PROJECT / "tests" / "support" / "traps"
DAYS = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 1, 5))["session"].to_list()
NAMES = [f"S{number:03d}" for number in range(200)]
ASKED = ("DEMO-ACME", "DEMO-BTC")
AUTOMATION = """
drop:
  - { name: broker, folder: drop, vendor: mybroker, spec: broker_daily, settle: 0s }
"""


@dataclass
class House:
    """An installation, and the folder of its traps."""

    made: Institution
    settings: Settings
    kafka: KafkaSettings
    traps: Path
    log: Path

    @property
    def platform(self) -> Platform:
        return open_platform(self.settings)

    @property
    def operations(self) -> Operations:
        return open_operations(self.made.environment["EMP_OPERATIONS_URL"])

    @property
    def drop(self) -> Path:
        return self.settings.data_dir / "drop"

    def wait(self, what: str, probe: Callable[[], Any], seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := probe():
                return found
            time.sleep(0.3)
        raise AssertionError(f"no {what} after {seconds} s; log:\n{self.log.read_text()[-6000:]}")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    config, home, traps = tmp_path / "config", tmp_path / "home", tmp_path / "traps"
    shutil.copytree(PROJECT / "config", config)
    (config / "automation.yaml").write_text(AUTOMATION)
    # The vendors of the samples alone: nobody is asked over a network.
    universe = yaml.safe_load((config / "universe.yaml").read_text())
    universe["vendors"] = [v for v in universe["vendors"] if v["name"].startswith("sample")]
    universe["instruments"] = [i for i in universe["instruments"] if i["symbol"].startswith("DEMO")]
    universe["priority"] = {"default": ["sample_a", "sample_b"]}
    (config / "universe.yaml").write_text(yaml.safe_dump(universe))
    spec = "extends: plain_daily\nsymbol_from: stem\n"
    (config / "formats" / "broker_daily.yaml").write_text(spec)
    for folder in (home, traps):
        folder.mkdir()
    # Records in SQLite cost the least; dead runs are looked for every few seconds.
    instance = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    instance["run_monitoring"]["poll_interval_seconds"] = 3
    instance["sensors"] = {"use_threads": True, "num_workers": 4}
    (home / "dagster.yaml").write_text(yaml.safe_dump(instance))
    topic = f"test-{uuid.uuid4().hex[:12]}-refresh"
    with institution(tmp_path / "data") as made:
        made.environment.update(
            EMP_CONFIG_DIR=str(config),
            DAGSTER_HOME=str(home),
            KAFKA_REFRESH_TOPIC=topic,
            KAFKA_REFRESH_GROUP=f"{topic}-group",
            EMP_TEST_TRAPS=str(traps),
            PYTHONPATH=os.pathsep.join([str(TRAPS), str(PROJECT)]),
            PYTHONUNBUFFERED="1",
        )
        for name, value in made.environment.items():
            if name.startswith(OURS):
                monkeypatch.setenv(name, value)
        settings, kafka = read(Settings), KafkaSettings()
        provision(kafka, [s for s in kafka.topic_specs(topic) if s.name == topic])
        register(
            settings,
            vendors=[VendorConfig(name="mybroker", reader="files", timeframes=(Timeframe.D1,))],
        )
        yield House(made, settings, kafka, traps, tmp_path / "daemon.log")


@contextmanager
def daemon(house: House) -> Iterator[list[psutil.Process]]:
    """A daemon with its code server; afterwards it is killed with everything that it began."""
    with house.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(PROJECT / "workspace.yaml")],
            cwd=PROJECT,
            env=house.made.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    family = psutil.Process(process.pid)
    try:
        yield [family]
    finally:
        # Those that it has begun go at the same moment, as with a machine that loses its power.
        with suppress(psutil.NoSuchProcess):
            family.suspend()
        for one in [family, *_children(family)]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        process.wait(30)


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def message(symbol: str, **changes: Any) -> bytes:
    content = {
        "version": 1,
        "dataset": "bars_1d",
        "symbols": [symbol],
        "start": str(DAYS[0]),
        "end": str(DAYS[-1]),
    }
    return json.dumps({**content, **changes}).encode()


def drop(place: Path) -> None:
    place.mkdir(parents=True)
    rows = "\n".join(f"{day},10,11,9,10.5,100" for day in DAYS)
    for name in NAMES:
        (place / f"{name}.csv").write_text(f"time,open,high,low,close,volume\n{rows}\n")


def test_what_a_killed_daemon_had_begun_is_done_once(house: House) -> None:
    drop(house.drop)
    bodies = [*(message(symbol) for symbol in ASKED), message("NOBODY"), b"\xff"]
    places = ("submitted", "landed", "recorded")
    for place in places:
        (house.traps / place).touch()
    with daemon(house):
        for place in places:
            if place == "recorded":
                # Last, since the next tick makes up for offsets that one before it left.
                send_refresh(house.kafka, [(str(n), body) for n, body in enumerate(bodies)])
            house.wait(place, (house.traps / f"{place}.reached").exists, 600)
    operations = house.operations
    assert len(list(house.drop.iterdir())) == len(NAMES)
    assert len(operations.backfills.newest(10, author="refresh_requests")) == 1
    assert _lag(house) == len(bodies)
    for place in places:
        (house.traps / place).unlink()

    began = time.monotonic()
    with daemon(house):
        house.wait("empty folder", lambda: not list(house.drop.iterdir()), 600)
        house.wait("end of the backfill", lambda: not operations.backfills.live(), 300)
        house.wait("report", lambda: len(operations.reports.newest("dropped_files", 5)) == 1, 30)
        assert _lag(house) == 0
    print(f"all work done after {time.monotonic() - began:.0f} s")

    platform = house.platform
    expected = {(name, day) for name in NAMES for day in DAYS}
    raw = platform.raw_log.revisions(raw_bars("mybroker", Timeframe.D1))
    bars = platform.store.scan(curated_bars(Timeframe.D1), symbols=NAMES)
    scores = platform.store.scan(SCORES_DATASET, symbols=NAMES)
    for frame in (raw, bars, scores):
        assert frame.height == len(expected)
        assert {*frame.select("symbol", "session").iter_rows()} == expected
    archived = [*(house.settings.data_dir / "inbox" / "broker").rglob("*.csv")]
    assert sorted(file.stem for file in archived) == NAMES
    (report,) = operations.reports.newest("dropped_files", 5)
    assert (len(report.body["taken"]), report.body["failed"]) == (len(NAMES), {})

    # Each message was taken once: one backfill of what they name, which is made; poison is parked.
    (backfill,) = operations.backfills.newest(10, author="refresh_requests")
    assert (backfill.plan.request.symbols, backfill.state) == (ASKED, BackfillState.SUCCEEDED)
    asked = platform.store.scan(curated_bars(Timeframe.D1), symbols=list(ASKED))
    assert {*asked.filter(symbol="DEMO-ACME")["session"]} == {*DAYS}
    assert len(operations.messages.parked()) == operations.messages.waiting()[0] == 2


def _lag(house: House) -> int:
    return consumer_lag(house.kafka, house.kafka.refresh_group, [house.kafka.refresh_topic]).total
