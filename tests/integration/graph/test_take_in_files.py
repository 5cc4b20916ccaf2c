"""Files that are dropped become bars: complete ones, once, the broken ones named and left."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml

from adapters.configuration import register
from adapters.registration.dropped import content_of
from adapters.settings import PROJECT, Settings
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.vendors.files.extent import extent
from emp.cli import run
from emp.inbox import folders
from jobs.take_in_files import NAME
from market_data.automation.drop import DropFolder
from market_data.calendars import trading_sessions
from market_data.datasets import curated_bars, raw_bars
from market_data.errors import StoreUnavailableError
from market_data.failover.state import Decision, Standing
from market_data.pipeline.missed import replay
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig
from sensors.dropped_files import dropped_files_sensor
from tests.support.graph import Graph, graph

CONFIGURED = """
drop:
  - { name: broker, folder: drop/broker, vendor: mybroker, spec: broker_daily, settle: 0s }
  - { name: marked, folder: drop/marked, vendor: mybroker, spec: broker_daily, marker: .done,
      after: keep }
"""
FOLDERS = [DropFolder.model_validate(entry) for entry in yaml.safe_load(CONFIGURED)["drop"]]
DAYS = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 1, 5))["session"].to_list()


@dataclass
class House:
    """An installation with two drop folders, and what its daemon would do."""

    made: Graph
    cursor: str | None = None
    runs: list[dg.RunRequest] = field(default_factory=list)

    @property
    def place(self) -> Path:
        return self.made.settings.data_dir / "drop" / "broker"

    def tick(self) -> list[dg.RunRequest]:
        sensor = dropped_files_sensor(FOLDERS)
        resource = (self.made.defs.resources or {})["platform"]
        with dg.build_sensor_context(
            cursor=self.cursor, resources={"platform": resource}
        ) as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor
        return list(found.run_requests or ())

    def ticks(self) -> dg.RunRequest:
        """The run that two ticks ask for."""
        assert self.tick() == []
        (request,) = self.tick()
        return request

    def run(self, request: dg.RunRequest) -> bool:
        job = self.made.defs.resolve_job_def(NAME)
        return job.execute_in_process(
            instance=self.made.instance, run_config=request.run_config, raise_on_error=False
        ).success

    def report(self) -> dict[str, Any]:
        operations = (self.made.defs.resources or {})["platform"].operations.open()
        return dict(operations.reports.newest("dropped_files")[0].body)

    def stored(self) -> pl.DataFrame:
        return self.made.platform.store.scan(
            curated_bars(Timeframe.D1), columns=["symbol", "session"]
        )

    def raw(self) -> int:
        return self.made.platform.raw_log.revisions(raw_bars("mybroker", Timeframe.D1)).height


def write(place: Path, symbol: str, days: list[date] = DAYS, close: float = 10.5) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{symbol}.csv"
    rows = "\n".join(f"{day},10,11,9,{close},100" for day in days)
    file.write_text(f"time,open,high,low,close,volume\n{rows}\n")
    return file


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    config = tmp_path / "config"
    shutil.copytree(PROJECT / "config", config)
    (config / "automation.yaml").write_text(CONFIGURED)
    spec = "extends: plain_daily\nsymbol_from: stem\n"
    (config / "formats" / "broker_daily.yaml").write_text(spec)
    register(
        Settings(data_dir=tmp_path / "data"),
        vendors=[VendorConfig(name="mybroker", reader="files", timeframes=(Timeframe.D1,))],
    )
    with graph(tmp_path, config_dir=config) as made:
        yield House(made)


def test_two_hundred_files_at_once_are_one_run_and_every_bar(house: House) -> None:
    names = [f"S{n:03d}" for n in range(200)]
    for name in names:
        write(house.place, name)
    request = house.ticks()
    assert len(request.run_config["ops"]["dropped_files"]["config"]["files"]) == 200
    # A tick that is repeated, of this daemon or of another, names the same run.
    lost = House(house.made)
    assert lost.ticks().run_key == request.run_key
    assert house.run(request)
    counted = dict(house.stored().group_by("symbol").len().iter_rows())
    assert counted == dict.fromkeys(names, len(DAYS))
    report = house.report()
    assert (len(report["taken"]), report["new_rows"]) == (200, 200 * len(DAYS))
    assert list(house.place.iterdir()) == []
    assert house.tick() == []
    (status, _) = folders(house.made.settings)
    assert (status.files, len(status.newest["taken"]), status.failed) == (0, 200, {})


def test_a_broken_file_is_named_and_the_others_land(house: House) -> None:
    good, bad = write(house.place, "GOOD"), house.place / "BAD.csv"
    odd = write(house.place, "ODD")
    odd.write_text(odd.read_text().replace("10,11,9,10.5", "10,none,9,10.5", 1))
    bad.write_text("this,is,no\nbar,at,all\n")
    (house.place / "notes.exe").write_text("x")
    assert not house.run(house.ticks())
    report = house.report()
    assert set(report["failed"]) == {"BAD.csv", "notes.exe"}
    assert (sorted(report["taken"]), report["rejected_rows"]) == (["GOOD.csv", "ODD.csv"], 1)
    assert not good.exists()
    assert bad.exists()
    assert house.raw() == 2 * len(DAYS) - 1
    assert house.tick() == []
    (status, _) = folders(house.made.settings)
    assert set(status.failed) == {"BAD.csv", "notes.exe"}
    # Mended, it is a new file.
    write(house.place, "BAD")
    assert house.run(house.ticks())
    (status, _) = folders(house.made.settings)
    assert set(status.failed) == {"notes.exe"}


def test_a_file_whose_name_is_no_text_is_named_and_the_others_land(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(house.place, "GOOD")
    odd = Path(os.fsdecode(os.fsencode(house.place) + b"/B\xe4R.csv"))
    odd.write_bytes(write(house.place, "BAR").read_bytes())
    closed = write(house.place, "CLOSED")
    copied = shutil.copy2

    def refusing(source: Path, target: Path) -> object:
        if source == closed:
            raise PermissionError(13, "Permission denied")
        return copied(source, target)

    def stumbles(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == "BAR.csv":
            raise MemoryError
        return extent(path, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr("adapters.dropped_files.shutil.copy2", refusing)
        patch.setattr("adapters.vendors.files.extent.extent", stumbles)
        assert not house.run(house.ticks())
    failed = house.report()["failed"]
    assert failed[odd.name] == "its name is not UTF-8; rename it"
    assert failed["CLOSED.csv"] == "it cannot be read: Permission denied"
    assert failed["BAR.csv"] == "it cannot be read: MemoryError: "
    assert house.report()["taken"] == ["GOOD.csv"]
    assert house.raw() == len(DAYS)
    assert odd.exists()
    assert house.tick() == []
    monkeypatch.setenv("EMP_DATA_DIR", str(house.made.settings.data_dir))
    monkeypatch.setenv("EMP_CONFIG_DIR", str(house.made.settings.config_dir))
    assert run(["inbox", "status"]) == 1
    assert "not taken in: B\ufffdR.csv: its name is not UTF-8; rename it" in capsys.readouterr().out


def test_a_file_that_is_replaced_after_a_kill_loses_nothing_of_what_was_copied(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house.place, "LATEST", DAYS[:2])
    request = house.ticks()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(BaseException):  # noqa: B017
        patch.setattr("jobs.take_in_files.content_of", dies)
        house.made.defs.resolve_job_def(NAME).execute_in_process(
            instance=house.made.instance, run_config=request.run_config
        )
    newer = write(house.place, "LATEST", DAYS[2:], close=10.25)
    assert house.run(request)
    assert (house.report()["taken"], house.raw()) == (["LATEST.csv"], 2)
    assert newer.exists()
    assert house.run(house.ticks())
    assert house.stored().height == len(DAYS)


def test_a_file_is_taken_once_it_stands_still(house: House) -> None:
    file = write(house.place, "AAA", DAYS[:2])
    (house.place / "BBB.csv.part").write_text("time")
    (house.place / ".hidden.csv").write_text("time")
    (house.place / "EMPTY.csv").write_text("")
    assert house.tick() == []
    write(house.place, "AAA", DAYS)
    assert house.tick() == []
    request = house.tick()[0]
    listed = request.run_config["ops"]["dropped_files"]["config"]["files"]
    assert [f["name"] for f in listed] == ["AAA.csv"]
    # It changes before the run begins: it is left to the next one.
    write(house.place, "AAA", DAYS[:3])
    assert house.run(request)
    assert (house.report()["changed"], house.raw()) == (["AAA.csv"], 0)
    assert file.exists()
    assert house.run(house.ticks())
    assert house.raw() == 3
    # A correction goes before what it corrects.
    write(house.place, "AAA", DAYS[:3], close=10.25)
    assert house.run(house.ticks())
    assert house.raw() == 6
    assert house.stored().height == 3


def test_a_marker_says_that_a_file_is_complete(house: House) -> None:
    place = house.place.with_name("marked")
    place.mkdir(parents=True)
    marker = place / "AAA.csv.done"
    marker.touch()
    os.utime(marker, (1, 1))
    file = write(place, "AAA")
    assert house.tick() == []
    assert house.tick() == []
    marker.touch()
    (request,) = house.tick()
    assert house.run(request)
    assert house.raw() == len(DAYS)
    # It stays, and is not asked for again; of an older cursor it is, as the same run.
    assert file.exists()
    assert house.tick() == []
    house.cursor = json.dumps({"version": 0, "anything": 1})
    (again,) = house.tick()
    assert again.run_key == request.run_key
    assert house.run(again)
    assert house.raw() == len(DAYS)
    house.cursor = json.dumps({"version": 2})
    with pytest.raises(ValueError, match="version 2"):
        house.tick()


def test_a_run_that_died_is_run_again_with_the_same_rows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house.place, "AAA")
    write(house.place, "BBB", [DAYS[0]])
    request = house.ticks()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    # After the files were brought to the batch; after their bars landed, before they were cleared.
    for where in ("jobs.take_in_files.content_of", "jobs.take_in_files.clear"):
        with monkeypatch.context() as patch, pytest.raises(BaseException):  # noqa: B017
            patch.setattr(where, dies)
            house.made.defs.resolve_job_def(NAME).execute_in_process(
                instance=house.made.instance, run_config=request.run_config
            )
        assert len(list(house.place.iterdir())) == 2
    assert house.run(request)
    assert house.raw() == len(DAYS) + 1
    assert list(house.place.iterdir()) == []


def test_a_file_that_is_written_over_while_it_is_taken_in_spoils_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house.place, "AAA")
    request = house.ticks()

    def written_over(*given: Any) -> Any:
        """Somebody writes into the same file, and is half way, after the batch was brought away."""
        with (house.place / "AAA.csv").open("r+") as file:
            file.write(file.read().replace("10.5,100", "1")[:60])
            file.truncate(60)
        return content_of(*given)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.take_in_files.content_of", written_over)
        assert house.run(request)
    assert house.raw() == len(DAYS)
    # What was taken in is kept as it was; what is written now is another file.
    (archived,) = (house.made.settings.data_dir / "inbox" / "broker").rglob("AAA.csv")
    assert archived.read_text().count("10.5,100") == len(DAYS)
    assert (house.place / "AAA.csv").stat().st_size == 60


def test_a_copy_that_was_cut_off_is_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(house.place, "AAA")
    request = house.ticks()

    def cut_off(source: Path, target: Path) -> None:
        Path(target).write_text(Path(source).read_text()[:40])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(BaseException):  # noqa: B017
        patch.setattr("adapters.dropped_files.shutil.copy2", cut_off)
        house.made.defs.resolve_job_def(NAME).execute_in_process(
            instance=house.made.instance, run_config=request.run_config
        )
    # Its sender takes it back meanwhile: the part of it that was copied is nothing to go by.
    file.unlink()
    assert house.run(request)
    assert (house.report()["gone"], house.raw()) == (["AAA.csv"], 0)


def test_while_the_warehouse_is_away_files_land_and_what_is_left_out_is_noted(
    house: House,
) -> None:
    write(house.place, "AAA")
    request = house.ticks()
    failover = (house.made.defs.resources or {})["platform"].operations.open().failover
    now = house.made.platform.clock.now()
    away = Decision(now, Standing.NORMAL, Standing.AWAY, "it does not answer")
    assert failover.take(away, after=0)
    assert house.run(request)
    assert (house.raw(), house.stored().height) == (len(DAYS), 0)
    assert list(house.place.iterdir()) == []
    (missed,) = failover.open()
    assert (missed.dataset, missed.symbols) == ("curated/bars_1d", ("AAA",))
    assert missed.sessions == (DAYS[0], DAYS[-1])
    replay(house.made.platform, missed)
    assert house.stored().height == len(DAYS)


def test_a_file_for_which_the_warehouse_did_not_answer_is_taken_once_it_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody touches it; the failover policy does not count the warehouse as away yet."""
    file = write(house.place, "AAA")
    first = house.ticks()

    def away(*_: object, **__: object) -> int:
        raise StoreUnavailableError("it does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(DeltaBarStore, "replace", away)
        assert not house.run(first)
    assert (house.report()["again"], file.exists()) == (["AAA.csv"], True)
    assert house.tick() == []
    note = house.made.settings.data_dir / "inbox" / "broker" / ".again.json"
    waiting = json.loads(note.read_text())
    assert 50 < waiting["AAA.csv"]["at"] - datetime.now(UTC).timestamp() <= 60
    waiting["AAA.csv"]["at"] = 0
    note.write_text(json.dumps(waiting))
    (again,) = house.tick()
    assert again.run_key != first.run_key
    assert again.run_config == first.run_config
    assert house.tick() == []
    assert house.run(again)
    assert house.stored().height == len(DAYS)
    assert not file.exists()
    assert json.loads(note.read_text()) == {}
    assert house.tick() == []
