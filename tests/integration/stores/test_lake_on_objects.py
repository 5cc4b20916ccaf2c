"""An installation whose lake and warehouse lie on an object store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parent))
import store_worker as work

from adapters.backup.creating import Wanted, create
from adapters.modes import decide
from adapters.probes.lake import look_at_store
from adapters.probes.probe import State
from adapters.settings import Settings
from adapters.stores import delta_log_repair
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.object_settings import ObjectStoreSettings
from adapters.stores.objects import Objects
from adapters.stores.opening import open_lake
from adapters.stores.reference_tables import ReferenceTables
from adapters.stores.withdrawals import WithdrawnFetches
from market_data.datasets import STORED, curated_bars, raw_bars
from market_data.errors import (
    StoreUnavailableError,
    TableDamagedError,
    UnsupportedOperationError,
    VersionGoneError,
)
from market_data.ports import Payload
from market_data.timeframes import Timeframe
from tests.support.object_store import SECRET, ObjectStore, object_store
from tests.support.small_world import NOW, all_told, fill, small_world
from tests.support.warm_python import StartedPython

D1 = curated_bars(Timeframe.D1)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as started:
        yield started


@pytest.fixture
def lake(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty lake that the environment names."""
    uri = f"{server.bucket()}/some/prefix"
    monkeypatch.setenv("EMP_LAKE_URI", uri)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return uri


def test_an_installation_tells_the_same_as_on_a_disk(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = small_world(tmp_path / "remote")
    fill(remote)
    assert not (tmp_path / "remote/data/lake").exists()
    assert not (tmp_path / "remote/data/warehouse").exists()
    found = all_told(remote)
    withdrawn = WithdrawnFetches(remote.settings.lake_place)
    raw = raw_bars("first", Timeframe.D1)
    fetches = remote.platform.raw_log.revisions(raw)["fetch_id"].unique().to_list()
    withdrawn.withdraw("b1", {raw.name: fetches})
    assert remote.platform.raw_log.revisions(raw).is_empty()
    withdrawn.reinstate("b1")
    assert_frame_equal(remote.platform.raw_log.revisions(raw), found["raw first"])
    with pytest.raises(UnsupportedOperationError, match="the lake lies at s3://"):
        create(decide(remote.settings), Wanted(tmp_path / "backups", "b", NOW), print)

    monkeypatch.delenv("EMP_LAKE_URI")
    local = small_world(tmp_path / "local")
    fill(local)
    expected = all_told(local)
    for name in (*(dataset.name for dataset in STORED), "read", "as of"):
        assert_frame_equal(found[name], expected[name])
    assert found["read"].height > 0


def test_the_archive_and_reference_tables(lake: str) -> None:
    root = Settings().lake_place
    _, payloads = open_lake(root)
    content = os.urandom(3000) * 400
    address = payloads.put(Payload(content, "application/json"))
    assert payloads.put(Payload(content, "application/json")) == address
    assert payloads.get(address) == content
    with pytest.raises(KeyError):
        payloads.get("0" * 64)
    (kept,) = [o["path"] for o in Objects(f"{root}/payloads", _options()).below()]
    objects = Objects(f"{root}/payloads", _options())
    objects.put(kept, objects.get(kept)[:-9])
    with pytest.raises(Exception, match="damaged"):
        payloads.get(address)

    tables, name = ReferenceTables(Settings().warehouse_place), "reference/instruments"
    rows = pl.DataFrame({"symbol": ["B", "A"], "n": [1, None]})
    with pytest.raises(FileNotFoundError, match="not been materialised"):
        tables.get(name)
    assert tables.put(name, rows)
    assert not tables.put(name, rows)
    assert_frame_equal(tables.get(name), rows)


def _options() -> dict[str, str]:
    return ObjectStoreSettings().options()


def test_processes_that_race_lose_nothing(lake: str) -> None:
    """Nobody queues: every replace rewrites the one file of the year that the others wrote."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    writers = [
        StartedPython(
            ["-m", "store_worker", "replace_each", f"{lake}/w", str(n), str(n), "8"],
            env=environment,
            cwd=Path(__file__).parent,
        )
        for n in range(3)
    ]
    for writer in writers:
        _, err = writer.communicate(timeout=240)
        assert writer.returncode == 0, err
    expected = pl.concat(
        work.rows(work.BARS.schema, work.SESSIONS[number::8], float(number)) for number in range(3)
    )
    store = DeltaBarStore(f"{lake}/w", _options())
    assert_frame_equal(store.scan(work.BARS), expected.sort("symbol", "ts"))
    replaced = [v for v in store.history(work.BARS) if v.operation == "replace"]
    assert len(replaced) == 15


def test_versions_upkeep_restore_and_repair(lake: str) -> None:
    root = f"{lake}/t"
    store = DeltaBarStore(root, _options())
    days = work.SESSIONS[:4]
    for close in (1.0, 2.0):
        frame = work.rows(D1.schema, days, close)
        store.replace(D1, frame, sessions=(days[0], days[-1]), symbols=work.SYMBOLS)
    table = store.table(D1)
    assert table.read(1)["close"].unique().to_list() == [1.0]
    assert table.optimize().after.files == 1
    assert table.restore(1, dry_run=False).changed.height == 12
    assert store.scan(D1)["close"].unique().to_list() == [1.0]
    table.restore(2, dry_run=False)
    with pytest.raises(Exception, match="on an object store at least 24 h are kept"):
        table.vacuum(_hours(1), dry_run=False, force=True)
    assert table.vacuum(_hours(24), dry_run=False, force=True).removed == ()
    (path,) = DeltaBarStore(root, _options())._table(D1).snapshot().files["path"]
    Objects(f"{root}/{D1.name}", _options()).remove([path])
    with pytest.raises(TableDamagedError, match=rf"s3://.*{path} is gone"):
        store.scan(D1)
    assert table.repair()[1].removed == (path,)
    assert store.scan(D1).is_empty()
    with pytest.raises(VersionGoneError):
        table.read(2)
    log = Objects(f"{root}/{D1.name}/_delta_log", _options())
    newest = max(o["path"] for o in log.below() if o["path"].endswith(".json"))
    log.put(newest, b"{")
    with pytest.raises(TableDamagedError, match="its log cannot be read"):
        DeltaBarStore(root, _options()).scan(D1)


def test_a_log_is_mended(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads it before its rows are there, and who has it open does not go on with it."""
    root = f"{lake}/r"
    held = DeltaRawLog(root, _options())
    for number in range(3):
        frame = work.rows(work.RAW.schema, work.SESSIONS[:2], float(number))
        fetched = pl.col("fetched_at") + pl.duration(hours=number)
        held.append(work.RAW, frame.with_columns(fetched_at=fetched, fetch_id=pl.lit(f"f{number}")))
    before = held.revisions(work.RAW)
    Objects(f"{root}/{work.RAW.name}/_delta_log", _options()).put(f"{2:020d}.json", b"{")
    taken_in = delta_log_repair._taken_in

    def looked_at(own: DeltaFiles) -> int:
        for log in (held, DeltaRawLog(root, _options())):
            with pytest.raises(TableDamagedError, match="is being mended at this moment"):
                log.revisions(work.RAW)
        return taken_in(own)

    with monkeypatch.context() as patched:
        patched.setattr(delta_log_repair, "_taken_in", looked_at)
        DeltaRawLog(root, _options()).table(work.RAW).repair()
    for log in (held, DeltaRawLog(root, _options())):
        assert_frame_equal(log.revisions(work.RAW), before)
    assert held.table(work.RAW).damage().none


def _hours(count: int) -> Any:
    from datetime import timedelta

    return timedelta(hours=count)


def test_the_key_is_shown_to_nobody(
    lake: str, server: ObjectStore, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Not in any repr, not in what is told of a store that is away, refuses or has no bucket."""
    settings = ObjectStoreSettings()
    store = DeltaBarStore(lake, settings.options())
    shown = [repr(settings), repr(store), repr(store.table(D1)), repr(store._table(D1))]
    shown += [repr(store._table(D1).place), repr(Objects(lake, settings.options()))]
    shown += [repr(WithdrawnFetches(lake)), repr(Settings())]
    assert look_at_store(lake).state is State.OK
    away = {**settings.options(), "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    for reach in (
        lambda: DeltaBarStore(lake, away).scan(D1),
        lambda: DeltaBarStore(lake, away).history(D1),
        lambda: Objects(lake, away).get("x"),
        lambda: DeltaBarStore("s3://no-such-bucket", settings.options()).scan(D1),
        lambda: Objects("s3://no-such-bucket", settings.options()).put("x", b""),
    ):
        with pytest.raises(StoreUnavailableError, match=r"s3://") as error:
            reach()
        shown.append(f"{error.value} {error.value.__cause__!r}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    found = look_at_store(lake)
    assert found.state is State.ERROR
    shown.append(repr(found))
    out, err = capfd.readouterr()
    assert SECRET not in " ".join([*shown, out, err])
