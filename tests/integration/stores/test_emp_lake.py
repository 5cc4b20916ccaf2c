"""`emp lake`, as somebody types it, and the client's functions of the same name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import emp
from adapters.cache.cached_store import CachedBarStore
from adapters.operations import SqlLedger
from adapters.timescale.bar_store import TimescaleStore
from emp.cli import run
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError, VersionGoneError
from market_data.timeframes import Timeframe
from tests.support.small_world import DAYS, SYMBOLS, all_told, fill, small_world, write_files
from tests.support.worlds import World

D1 = curated_bars(Timeframe.D1)
Shell = Callable[..., tuple[int, str]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two versions of curated bars: closes of 50, then of 60 on the last day."""
    world = small_world(tmp_path)
    fill(world)
    return world


@pytest.fixture
def shell(
    world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))

    def typed(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        status = run(words)
        told = capfd.readouterr()
        return status, told.out + told.err

    return typed


def told(answer: tuple[int, str]) -> Any:
    status, text = answer
    assert status == 0, text
    return json.loads(text)


def change(world: World, close: float) -> None:
    """The vendor says another close of the last day."""
    write_files(world.settings.data_dir.parent, "first", {**dict.fromkeys(DAYS, 50.0)})
    rows = world.platform.store.scan(D1).with_columns(close=pl.lit(close), high=pl.lit(close))
    first, last = rows["session"].min(), rows["session"].max()
    world.platform.store.replace(D1, rows, sessions=(first, last), symbols=SYMBOLS)  # type: ignore[arg-type]


def data_files(world: World, dataset: str) -> list[Path]:
    layer = (
        world.settings.lake_root if dataset.startswith("raw/") else world.settings.warehouse_root
    )
    return sorted((layer / dataset).glob("year=*/*.parquet"))


def test_a_former_version_is_listed_read_and_restored(world: World, shell: Shell) -> None:
    change(world, 60.0)
    listed = told(shell("lake", "history", D1.name, "--json"))
    assert [row["operation"] for row in listed][:2] == ["replace", "replace"]
    number, moment = listed[1]["version"], listed[1]["timestamp"]
    for how in (["--version", str(number)], ["--at", moment]):
        status, text = shell("lake", "show", D1.name, *how, "--symbols", "AAA", "--format", "json")
        assert status == 0, text
        assert {row["close"] for row in json.loads(text)} == {50.0}
        assert len(json.loads(text)) == len(DAYS)
    rows = emp.get_lake_rows(D1.name, version=number, columns="close", settings=world.settings)
    assert rows["close"].unique().to_list() == [50.0]
    now = emp.get_lake_rows(D1.name, settings=world.settings)
    assert now["close"].unique().to_list() == [60.0]
    history = emp.get_lake_history(D1.name, settings=world.settings)
    assert history["version"].is_sorted(descending=True)

    status, text = shell("lake", "restore", D1.name, "--version", str(number))
    assert status == 0
    assert "nothing was done: say --yes" in text
    assert f"{len(DAYS) * 2} symbol-sessions would be others" in text
    done = told(shell("lake", "restore", D1.name, "--at", moment, "--yes", "--json"))[0]
    assert done["changed_symbol_sessions"] == len(done["changed"]) == len(DAYS) * 2
    assert done["after"]["version"] == listed[0]["version"] + 1
    assert any("raw logs again" in note for note in done["notes"])
    assert emp.get_curated_bars("AAA", settings=world.settings)["close"].to_list() == [50.0] * 5


def test_wrong_questions_are_answered(world: World, shell: Shell) -> None:
    for words, message in (
        (("history", "curated/bars_2d"), "no dataset 'curated/bars_2d'; there are: curated/"),
        (("history", "curated/bars_1m"), "nothing was written to it yet"),
        (("show", D1.name, "--version", "99"), "no version 99: there are 0 to"),
        (("show", D1.name, "--version", "1", "--at", "2024-01-01"), "not by both"),
        (("restore", D1.name), "say which version"),
        (("vacuum", D1.name, "--retention", "24h"), "below 720 h"),
        (("vacuum", D1.name, "--retention", "soon"), "--retention soon"),
        (("optimize", "curated/bars_1m"), "nothing was written to it yet"),
    ):
        status, text = shell("lake", *words)
        assert status == 1, words
        assert message in text
    with pytest.raises(VersionGoneError):
        emp.get_lake_rows(D1.name, at="2001-01-01", settings=world.settings)
    with pytest.raises(ConfigurationError):
        emp.get_lake_rows("bars", settings=world.settings)


def test_what_timescaledb_keeps_is_refused_by_name_and_never_left_out_silently(
    world: World, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As TimescaleDB's store answers; it is asked for nothing else here.
    server = TimescaleStore.__new__(TimescaleStore)
    monkeypatch.setattr(CachedBarStore, "table", lambda _, dataset: server.table(dataset))
    for words in (
        ("history", D1.name),
        ("show", D1.name),
        ("optimize", D1.name),
        ("vacuum", D1.name, "--yes"),
        ("restore", D1.name, "--version", "1", "--yes"),
        ("repair", D1.name, "--yes"),
    ):
        status, text = shell("lake", *words)
        assert status == 1, words
        assert "bars_1d on TimescaleDB keeps no versions" in text
    status, text = shell("lake", "optimize")
    assert status == 0
    assert "raw/first_bars_1d: optimize" in text
    assert "left alone, since TimescaleDB keeps no versions: curated/bars_1m" in text


def test_upkeep_tells_files_and_bytes(world: World, shell: Shell) -> None:
    change(world, 60.0)
    before = all_told(world)
    (only,) = told(shell("lake", "optimize", D1.name, "--json"))
    assert only["before"]["files"] == only["after"]["files"] == 1
    everything = told(shell("lake", "optimize", "--json"))
    assert {row["dataset"] for row in everything} >= {D1.name, "raw/first_bars_1d"}
    dry = told(shell("lake", "vacuum", "--retention", "0h", "--force", "--dry-run", "--json"))
    count = len(data_files(world, D1.name))
    done = told(shell("lake", "vacuum", "--retention", "0h", "--force", "--yes", "--json"))
    assert [row["removed_files"] for row in dry] == [row["removed_files"] for row in done]
    assert len(data_files(world, D1.name)) == 1 < count
    found = {row["dataset"]: row for row in told(shell("lake", "tables", "--json"))}
    assert found[D1.name]["stored_files"] == found[D1.name]["files"] == 1
    for name, frame in all_told(world).items():
        assert_frame_equal(frame, before[name])


def test_lost_curated_bars_are_named_and_made_anew(world: World, shell: Shell) -> None:
    before = all_told(world)
    (file,) = data_files(world, D1.name)
    assert told(shell("lake", "repair", D1.name, "--json"))["whole"]
    file.unlink()
    status, text = shell("bars", "AAA")
    assert status == 1
    assert D1.name in text
    assert file.name in text
    assert f"emp lake repair {D1.name}" in text
    status, text = shell("lake", "repair", D1.name)
    assert status == 1
    assert "10 symbol-sessions lost rows" in text
    assert "say --yes" in text
    status, text = shell("lake", "repair", D1.name, "--yes", "--json")
    assert status == 0, text
    found = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    keys = {(row["symbol"], row["session"]) for row in found["lost"]}
    assert keys == {(symbol, day) for symbol in SYMBOLS for day in DAYS}
    assert found["remade"]
    assert found["lost_rows"] == 10
    for name, frame in all_told(world).items():
        assert_frame_equal(frame, before[name])


def test_lost_raw_bars_are_asked_for_again(world: World, shell: Shell) -> None:
    name = "raw/first_bars_1d"
    (file,) = data_files(world, name)
    file.unlink()
    status, text = shell("lake", "repair", name, "--yes", "--json")
    assert status == 0, text
    found = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    assert {row["told_by"] for row in found["lost"]} == {"ledger"}
    assert len(found["lost"]) == 10
    assert found["to_do"] == [
        "emp ingest --vendor first --timeframe 1d --symbols AAA,BBB --start 2024-02-12 "
        "--end 2024-02-16 --refetch"
    ]
    assert told(shell("lake", "repair", name, "--json"))["whole"]


@pytest.mark.parametrize("how", ["killed", "left"])
def test_a_repair_that_did_not_end_remembers_what_was_lost(
    world: World, shell: Shell, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    before = all_told(world)
    data_files(world, D1.name)[0].unlink()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    if how == "killed":
        with monkeypatch.context() as patched:
            patched.setattr("market_data.pipeline.lake_losses.remake", die)
            assert shell("lake", "repair", D1.name, "--yes")[0] != 0
    else:
        status, text = shell("lake", "repair", D1.name, "--yes", "--no-remake")
        assert status == 0
        assert f"to do: emp lake repair {D1.name} --yes" in text
    assert world.platform.store.scan(D1).is_empty()
    status, text = shell("lake", "repair", D1.name)
    assert status == 1
    assert "a repair was not finished" in text
    assert "10 symbol-sessions lost rows" in text
    assert shell("lake", "repair", D1.name, "--yes")[0] == 0
    for name, frame in all_told(world).items():
        assert_frame_equal(frame, before[name])
    assert told(shell("lake", "repair", D1.name, "--json"))["whole"]


def test_a_log_that_is_mended_forgets_nothing_of_a_repair_before(
    world: World, shell: Shell
) -> None:
    before = all_told(world)
    bars = world.platform.store.scan(D1)
    data_files(world, D1.name)[0].unlink()
    assert shell("lake", "repair", D1.name, "--yes", "--no-remake")[0] == 0
    one = bars.filter(symbol="AAA", session=bars["session"].max())
    day = one["session"][0]
    world.platform.store.replace(D1, one, sessions=(day, day), symbols=["AAA"])
    log = world.settings.warehouse_root / D1.name / "_delta_log"
    max(log.glob("*.json")).write_text("{")
    status, text = shell("lake", "repair", D1.name, "--yes", "--json")
    assert status == 0, text
    found = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    assert len(found["lost"]) == len(DAYS) * len(SYMBOLS)
    for name, frame in all_told(world).items():
        assert_frame_equal(frame, before[name])


def test_lost_scores_are_scored_anew(world: World, shell: Shell) -> None:
    before = all_told(world)
    (file,) = data_files(world, "quality/scores")
    file.write_bytes(file.read_bytes()[:100])
    status, text = shell("lake", "repair", "quality/scores", "--yes", "--json")
    assert status == 0, text
    for name, frame in all_told(world).items():
        assert_frame_equal(frame, before[name])


@pytest.mark.parametrize("forgotten", ["scores", "ledger and scores"])
def test_losses_are_named_where_scores_or_ledger_do_not_know_them(
    world: World, shell: Shell, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    before = world.platform.store.scan(D1)
    for file in data_files(world, "quality/scores"):
        shutil.rmtree(file.parents[1], ignore_errors=True)
    if forgotten != "scores":
        empty = world.platform.ledger.read().clear()
        monkeypatch.setattr(SqlLedger, "read", lambda *_, **__: empty)
    data_files(world, D1.name)[0].unlink()
    status, text = shell("lake", "repair", D1.name, "--yes", "--json")
    assert status == 0, text
    found = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    keys = {(row["symbol"], row["session"]) for row in found["lost"]}
    wanted = {(symbol, day) for symbol in SYMBOLS for day in DAYS}
    # What nobody knows is everything that may have been in the file: other symbols as well.
    assert keys == wanted if forgotten == "scores" else keys > wanted
    teller = "ledger" if forgotten == "scores" else "range of the file"
    assert {row["told_by"] for row in found["lost"]} == {teller}
    assert_frame_equal(world.platform.store.scan(D1), before)
