"""A URL that is wrong in any part: a clear typed error at once, and no secret anywhere."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections, open_reference_tables, open_store
from adapters.timescale.settings import TimescaleSettings
from adapters.variables import read
from market_data.errors import (
    ConfigurationError,
    MarketDataError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from tests.support.institution import Institution, institution
from tests.support.timescale_process import MINUTES

SECRET = "hunter2secret"

Change = Callable[[str], str]


def with_login(url: str, login: str) -> str:
    return urlsplit(url)._replace(netloc=f"{login}@{url.rpartition('@')[2].split('/')[0]}").geturl()


def with_host(url: str, host: str) -> str:
    return urlsplit(url)._replace(netloc=f"emp:{SECRET}@{host}").geturl()


WRONG: dict[str, tuple[Change, type[MarketDataError], str]] = {
    "password": (
        lambda url: with_login(url, f"emp:{SECRET}"),
        ConfigurationError,
        "refuses the login: check user and password in TIMESCALEDB_URL",
    ),
    "user": (
        lambda url: with_login(url, f"nobody:{SECRET}"),
        ConfigurationError,
        "refuses the login: check user and password in TIMESCALEDB_URL",
    ),
    "host": (
        lambda url: with_host(url, "no-such-host.invalid:5432"),
        StoreUnavailableError,
        "no connection to TimescaleDB at no-such-host.invalid:5432.*TIMESCALEDB_URL",
    ),
    "port": (
        lambda url: with_host(url, "127.0.0.1:1"),
        StoreUnavailableError,
        "no connection to TimescaleDB at 127.0.0.1:1/.*is it running",
    ),
    "database": (
        lambda url: urlsplit(url)._replace(path="/no_such_database").geturl(),
        ConfigurationError,
        "no such database: create it, or mend TIMESCALEDB_URL",
    ),
    "tls": (lambda url: f"{url}?sslmode=require", ConfigurationError, "TIMESCALEDB_SSLMODE"),
}
CASES = pytest.mark.parametrize(("change", "kind", "told"), WRONG.values(), ids=WRONG)


def password_of(url: str) -> str:
    return urlsplit(url).password or ""


def holds_no_secret(text: str, url: str) -> None:
    for secret in (SECRET, password_of(url)):
        assert secret not in text


@CASES
def test_a_wrong_url_is_told_at_once(
    timescale_url: str, change: Change, kind: type[MarketDataError], told: str
):
    url = change(timescale_url)
    settings = TimescaleSettings(url=url)
    # The first one is what a program meets; the others, what it meets later on.
    patient = settings.model_copy(update={"retry_seconds": 0})
    for attempt in (
        lambda: open_connections(settings),
        lambda: open_store(Connections(patient)).scan(MINUTES),
        lambda: open_store(Connections(patient)).version(MINUTES),
        lambda: open_reference_tables(Connections(patient)).get("reference/instruments"),
    ):
        began = time.monotonic()
        with pytest.raises(kind, match=told) as caught:
            attempt()
        assert time.monotonic() - began < 6
        text = "".join(traceback.format_exception(caught.value))
        holds_no_secret(f"{text}{caught.value!r}{caught.value.__dict__}", url)


def test_nothing_that_can_be_shown_holds_the_password(timescale_url: str):
    settings = TimescaleSettings(url=timescale_url)
    connections = open_connections(settings)
    store = TimescaleStore(connections)
    store.version(MINUTES)
    shown = (settings, connections, store, open_reference_tables(connections), connections._pools)
    for thing in shown:
        holds_no_secret(f"{thing}{thing!r}", timescale_url)
    for thing in (connections, store):
        with pytest.raises(UnsupportedOperationError):
            pickle.dumps(thing)
    connections.close()


@pytest.mark.parametrize("password", ["hunter2/secret", "hunter2?secret", "hun@ter2/secret@x"])
def test_a_password_that_breaks_the_url_is_refused_without_a_part_of_it(
    monkeypatch: pytest.MonkeyPatch, password: str
):
    monkeypatch.setenv("TIMESCALEDB_URL", f"postgresql://emp:{password}@db.example/emp")
    with pytest.raises(ConfigurationError, match="TIMESCALEDB_URL must be") as caught:
        read(TimescaleSettings)
    text = "".join(traceback.format_exception(caught.value))
    assert not any(part in text for part in ("hunter2", "secret", "ter2"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("institution")) as made:
        yield made


@pytest.mark.parametrize(
    ("change", "kind", "told"), [WRONG[name] for name in ("password", "host", "database")]
)
def test_emp_bars_tells_it_in_a_line_and_with_debug_no_secret(
    house: Institution, change: Change, kind: type[MarketDataError], told: str
):
    url = change(house.environment["TIMESCALEDB_URL"])
    done = house.run("--debug", "bars", "DEMO-BTC", TIMESCALEDB_URL=url)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert kind.__name__ in done.stderr.replace("LostConnectionError", "StoreUnavailableError")
    for secret in (SECRET, *house.secrets):
        assert secret not in done.stdout + done.stderr
    records = Path(house.environment["EMP_DATA_DIR"])
    for file in records.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


def test_emp_bars_without_debug_is_one_line(house: Institution):
    url = with_login(house.environment["TIMESCALEDB_URL"], f"emp:{SECRET}")
    done = house.run("bars", "DEMO-BTC", TIMESCALEDB_URL=url)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "check user and password in TIMESCALEDB_URL" in done.stderr
    assert SECRET not in done.stderr
