"""A Redis that dies, hangs or refuses: reads and ingests go on, told once, and recover."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from statistics import median
from typing import Any

import polars as pl
import pytest

from adapters.cache.presence import REST_SECONDS
from tests.support.institution import Institution, institution
from tests.support.servers import RedisServer, private_server
from tests.support.warm_python import StartedPython

INGEST = ["ingest", "--vendor", "sample_a", "--start", "2024-02-12", "--end", "2024-03-01"]
BARS = ["bars", "DEMO-BTC", "DEMO-ACME", "--start", "2024-02-12", "--end", "2024-03-01"]
SYMBOLS = ["DEMO-BTC", "DEMO-ACME"]
WARNING = "reads go to the store"

READER = """
import json, sys, time
import emp
from adapters.cache.presence import Presence
from emp.platforms import platform_of
waits, failed = [], Presence.failed
def noted(presence, trouble, *, took):
    waits.append(took)
    failed(presence, trouble, took=took)
Presence.failed = noted
for line in sys.stdin:
    started, found = time.monotonic(), set()
    waits.clear()
    for _ in range(int(line)):
        frame = emp.get_curated_bars(["DEMO-BTC", "DEMO-ACME"], "2024-02-12", "2024-03-01",
                                     quality="all")
        found.add(frame.write_csv())
    took = time.monotonic() - started
    cache = platform_of(None).store.cache
    print(json.dumps({"found": sorted(found), "seconds": took, "hits": cache.metrics().hits,
                      "state": cache.describe()["state"], "waits": waits}), flush=True)
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis that the tests of this module may stop and kill; each leaves it running."""
    with private_server(RedisServer) as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Institution]:
    """An installation that was filled while Redis was down."""
    with institution(tmp_path_factory.mktemp("institution")) as shared:
        made = replace(shared, environment={**shared.environment, "REDIS_URL": redis.url})
        assert made.run("migrate").returncode == 0
        redis.kill()
        ingested = made.run(*INGEST)
        assert ingested.returncode == 0, ingested.stderr[-3000:]
        assert json.loads(ingested.stdout)["status"] == "success"
        assert ingested.stderr.count(WARNING) == 1, ingested.stderr
        redis.start()
        yield made


@pytest.fixture(scope="module")
def expected(house: Institution) -> str:
    """The rows as the store has them, without any cache."""
    with reading(house, REDIS_CACHE_STRATEGY="disabled") as reader:
        (csv,) = reader.read(1)["found"]
    assert pl.read_csv(csv.encode()).height == 31
    return csv


class Reader:
    """A process that reads when it is told to."""

    def __init__(self, process: StartedPython, errors: Path) -> None:
        self._process = process
        self._errors = errors

    def read(self, times: int) -> dict[str, Any]:
        """Read so many times: the answers, seconds, Redis' hits and state, waits in vain."""
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert told, self._errors.read_text()
        return dict(json.loads(told))

    @property
    def warnings(self) -> int:
        return self._errors.read_text().count(WARNING)


@contextmanager
def reading(house: Institution, **more: str) -> Iterator[Reader]:
    errors = Path(house.environment["EMP_DATA_DIR"]) / f"reader-errors-{uuid.uuid4().hex}.txt"
    with errors.open("w") as err:
        process = StartedPython(["-c", READER], env={**house.environment, **more}, stderr=err)
        try:
            yield Reader(process, errors)
        finally:
            process.kill()
            process.communicate()


def await_hit(reader: Reader, seconds: float) -> dict[str, Any]:
    """Read until Redis answers a read."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = reader.read(2)
        if told["hits"]:
            return told
        time.sleep(0.2)
    return pytest.fail(f"no hit within {seconds:g} s")


@pytest.mark.slow
def test_a_redis_that_is_killed_and_comes_back(
    house: Institution, redis: RedisServer, expected: str
) -> None:
    with reading(house) as reader:
        told = reader.read(3)
        assert told["hits"] >= 2
        assert told["found"] == [expected]
        killer = threading.Timer(0.2, redis.kill)
        killer.start()
        for _ in range(5):
            told = reader.read(30)
            assert told["found"] == [expected]
            # In all, longer than Redis is left alone: it is asked again, and that is no news.
            time.sleep(1.5)
        killer.join()
        assert told["state"] == "away"
        assert reader.warnings == 1
        redis.start()
        told = await_hit(reader, 15)
        assert told["found"] == [expected]
        assert told["state"] == "there"
        assert reader.warnings == 1
        redis.kill()
        reader.read(5)
        assert reader.warnings == 2, "another outage is news"
        redis.start()


def test_a_redis_that_hangs_costs_readers_little(
    house: Institution, redis: RedisServer, expected: str
) -> None:
    with (
        reading(house, REDIS_SOCKET_TIMEOUT="0.2") as reader,
        reading(house, REDIS_CACHE_STRATEGY="disabled") as alone,
    ):
        reader.read(1)
        alone.read(1)
        hung, usual = [], []
        process = redis.process
        assert process is not None
        process.send(SIGSTOP)
        begun = time.monotonic()
        try:
            for _ in range(30):
                hung.append(reader.read(1))
                usual.append(alone.read(1))
            took = time.monotonic() - begun
        finally:
            process.send(SIGCONT)
        assert all(told["found"] == [expected] for told in hung)
        # One wait per rest. What the store takes is not Redis' doing.
        waits = [wait for told in hung for wait in told["waits"]]
        assert median(waits) < 1
        assert 1 <= len(waits) <= 1 + took / REST_SECONDS
        assert reader.warnings == 1
        # Nor is anything else waited for: other reads are as fast as where no Redis is asked, by
        # turns, since a machine is not always as busy.
        slower = median(h["seconds"] - u["seconds"] for h, u in zip(hung, usual, strict=True))
        assert slower < 0.2


@pytest.mark.slow
def test_what_was_written_in_an_outage_is_read_after_it(
    house: Institution, redis: RedisServer
) -> None:
    """A Redis that comes back with its old entries does not bring old rows with it."""
    more = ["ingest", "--vendor", "sample_a", "--start", "2024-03-04", "--end", "2024-03-05"]
    whole = [*BARS[:-1], "2024-03-05", "--format", "csv"]
    for _ in range(2):
        before = house.run(*whole).stdout
    process = redis.process
    assert process is not None
    process.send(SIGSTOP)
    try:
        ingested = house.run(*more, REDIS_SOCKET_TIMEOUT="0.2")
    finally:
        process.send(SIGCONT)
    assert ingested.returncode == 0, ingested.stderr[-3000:]
    assert ingested.stderr.count(WARNING) == 1
    after = house.run(*whole).stdout
    assert after == house.run(*whole, REDIS_CACHE_STRATEGY="disabled").stdout
    assert pl.read_csv(after.encode()).height == pl.read_csv(before.encode()).height + 4


def test_a_command_that_meets_no_redis_works_with_one_warning(
    house: Institution, redis: RedisServer
) -> None:
    there = house.run(*BARS)
    assert there.stderr == ""
    redis.stop()
    try:
        away = house.run(*BARS)
        disabled = house.run(*BARS, REDIS_CACHE_STRATEGY="disabled")
    finally:
        redis.start()
    assert (away.returncode, away.stdout) == (0, there.stdout)
    assert away.stderr.count(WARNING) == away.stderr.count("Redis") == 1
    assert disabled.stdout == there.stdout
    assert disabled.stderr == ""


def test_a_wrong_password_stops_commands_with_the_setting_to_mend(
    house: Institution, redis: RedisServer
) -> None:
    wrong = redis.url.replace(redis.password(), "hunter2")
    for command in (BARS, INGEST):
        done = house.run(*command, REDIS_URL=wrong)
        assert done.returncode == 1
        assert "refuses the login: check user and password in REDIS_URL" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
