"""Requests to vendors in institutional mode: counted in Redis by all, and on this machine too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from adapters.requests.redis_store import NAMESPACE
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.settings import Settings
from tests.support.institution import Institution, institution
from tests.support.replay_server import ReplayServer, json_body
from tests.support.yahoo_replay import CHART, chart, serve_basics

INGEST = ["ingest", "--vendor", "yahoo", "--symbols", "AAPL"]
DAYS = ["--start", "2024-01-02", "--end", "2024-01-03"]
STAMPS = [1704205800, 1704292200]
"""Half past nine in New York, on the second and the third of January 2024."""
ASKED = 4
"""The page of the cookie, the crumb, the months of later events, and the days."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with ReplayServer() as server, institution(tmp_path_factory.mktemp("budget")) as made:
        serve_basics(server)
        bars = chart(STAMPS, [185.0, 184.0], currency="USD", zone="America/New_York")
        server.reply(CHART + "AAPL", json_body(bars), interval="1d")
        server.reply(CHART + "AAPL", json_body(chart([], [])), interval="1mo")
        made.environment["EMP_YAHOO_URL"] = server.url
        assert made.run("migrate").returncode == 0
        done = made.run(*INGEST, *DAYS)
        assert done.returncode == 0, done.stderr
        yield made


def used(house: Institution, **more: str) -> tuple[list[int], str]:
    done = house.run("budget", "--vendor", "yahoo", "--json", **more)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return [window["used"] for window in found["windows"]], done.stderr


def test_the_requests_of_a_run_are_counted_in_redis_and_on_the_machine(
    house: Institution,
) -> None:
    assert used(house)[0][1] == ASKED
    with Redis.from_url(house.environment["REDIS_URL"]) as client:
        windows = sorted(client.scan_iter(f"{NAMESPACE}:{{yahoo}}:g:*"))
        assert [client.zcard(window) for window in windows][:1] == [ASKED]
    here = SqliteRequestStore(
        Settings(data_dir=Path(house.environment["EMP_DATA_DIR"])).requests_path
    )
    assert {use.used for use in here.look("yahoo").uses} == {ASKED}
    here.close()


def test_without_redis_the_machines_own_count_takes_over(house: Institution) -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    counts, told = used(house, **away)
    assert counts[1] == ASKED
    assert told.count("this machine counts its requests to vendors alone meanwhile") == 1
    refused = house.run(*INGEST, *DAYS, "--refetch", YAHOO_REQUESTS_PER_HOUR=str(ASKED), **away)
    assert refused.returncode == 1
    assert f"{ASKED} requests per hour are used up" in refused.stdout
    assert used(house)[0][1] == ASKED
