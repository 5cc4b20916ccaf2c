"""A backup goes into TimescaleDB and PostgreSQL, and comes back out of them into files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from polars.testing import assert_frame_equal

from adapters.backup.creating import Wanted
from adapters.backup.keeping import back_up, put_back
from adapters.backup.manifest import Manifest, read_manifest
from adapters.backup.verifying import verify
from adapters.cache.settings import RedisSettings
from adapters.clock import FixedClock
from adapters.kafka.settings import KafkaSettings
from adapters.modes import Installation, Servers, decide
from adapters.operations import SqlAnnotations, open_database
from adapters.operations.database import reading
from adapters.operations.models import ledger
from adapters.settings import Mode, Settings
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import curated_bars
from market_data.errors import CopyRefusedError
from market_data.pipeline.platform import silent
from market_data.ports import Annotation, Decision
from market_data.timeframes import Timeframe
from tests.support.small_world import NOW, all_told, fill, small_world
from tests.support.worlds import World

CLOCK = FixedClock(NOW)


@pytest.fixture
def on_servers(
    empty_timescale_url: str, empty_postgres_url: str, tmp_path: Path
) -> Iterator[Installation]:
    settings = Settings(data_dir=tmp_path / "institution", mode=Mode.INSTITUTIONAL)
    servers = Servers(
        empty_postgres_url,
        TimescaleSettings(url=empty_timescale_url),
        # A backup asks neither.
        cast("RedisSettings", None),
        cast("KafkaSettings", None),
    )
    yield Installation(settings, Mode.INSTITUTIONAL, "as the test says", servers)


def make(found: Installation, folder: Path, name: str) -> Manifest:
    return back_up(found, Wanted(folder, name, NOW), CLOCK, silent).manifest


def digests(manifest: Manifest) -> dict[str, object]:
    own = ("operations/reports",)
    return {part.name: part.digests for part in manifest.parts if part.name not in own}


def test_into_the_servers_and_back(on_servers: Installation, tmp_path: Path) -> None:
    world = small_world(tmp_path)
    fill(world)
    engine = open_database(world.settings.local_operations_url)
    day = NOW.date()
    SqlAnnotations(engine).add(
        Annotation(NOW, "me", "curated/bars_1d", "AAA", day, day, Decision.ACCEPT, "Ω")
    )
    engine.dispose()
    before = all_told(world)
    backups = tmp_path / "backups"
    first = make(decide(world.settings), backups, "of-files")

    done = put_back(on_servers, backups / "of-files", CLOCK, silent, overwrite=False)
    assert done.rows == first.rows
    assert on_servers.servers is not None
    opened = open_connections(on_servers.servers.timescale)
    bars = open_store(opened).scan(curated_bars(Timeframe.D1))
    opened.close()
    assert_frame_equal(bars, before["curated/bars_1d"], check_exact=True)
    engine = open_database(on_servers.operations_url)
    with reading(engine) as connection:
        assert len(connection.execute(ledger.select()).all()) == 10
    # Numbers go on where they were: the next annotation takes none that is taken.
    SqlAnnotations(engine).add(
        Annotation(NOW, "me", "curated/bars_1d", "BBB", day, day, Decision.ACCEPT, "more")
    )
    engine.dispose()
    with pytest.raises(CopyRefusedError, match="the institutional installation"):
        put_back(on_servers, backups / "of-files", CLOCK, silent, overwrite=False)

    second = make(on_servers, backups, "of-servers")
    assert second.mode == "institutional"
    changed = {n for n, d in digests(second).items() if d != digests(first)[n]}
    assert changed == {"operations/annotations"}
    text = (backups / "of-servers" / "manifest.json").read_text()
    secret = on_servers.operations_url.split("@")[0].rsplit(":", 1)[1]
    assert secret not in text
    assert "postgresql://" not in text

    put_back(on_servers, backups / "of-files", CLOCK, silent, overwrite=True)
    other = Settings(data_dir=tmp_path / "other")
    third = make(on_servers, backups, "again")
    assert digests(third) == digests(first)
    put_back(decide(other), backups / "again", CLOCK, silent, overwrite=False)
    for name, frame in all_told(World(other, NOW)).items():
        assert_frame_equal(frame, before[name], check_exact=True)
    assert verify(backups / "again", silent).problems == ()
    assert read_manifest(backups / "again").payloads == first.payloads
