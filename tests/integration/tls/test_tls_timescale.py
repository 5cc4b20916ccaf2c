"""TimescaleDB over TLS: both drivers check the server as they are told, and show who asks."""

from __future__ import annotations

import itertools
import time
import traceback
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from adapters.variables import read
from market_data.errors import ConfigurationError
from tests.integration.tls.conftest import KNOWN, PASSWORD, SEALED
from tests.support.servers import TimescaleServer
from tests.support.timescale_process import MINUTES, rows
from tests.support.tls import Authority

_PRICES = itertools.count(1)
DAY = date(2024, 3, 4), date(2024, 3, 4)
_SEEN = """
select datname, ssl, client_dn from pg_stat_activity join pg_stat_ssl using (pid)
where application_name = '{name}' order by 1
"""


class House:
    """Makes settings for the server as a user does: by the variables, and by nothing else."""

    def __init__(self, server: TimescaleServer, patch: pytest.MonkeyPatch, name: str) -> None:
        self._server, self._patch, self.name = server, patch, name

    def parts(self, user: str = SEALED, host: str = "localhost", **more: object) -> dict[str, str]:
        port, login = self._server.port(), {"user": user, "password": PASSWORD}
        return _upper({"host": host, "port": port, "db": "emp", **login, **more})

    def url(self, user: str = SEALED, host: str = "localhost", **options: object) -> str:
        query = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in options.items())
        address = f"{host}:{self._server.port()}/emp"
        return f"postgresql://{user}:{PASSWORD}@{address}{'?' if query else ''}{query}"

    def settings(self, variables: dict[str, str]) -> TimescaleSettings:
        for name in ("TIMESCALEDB_URL", "TIMESCALE_URL", "DATABASE_URL"):
            self._patch.delenv(name, raising=False)
        for name, value in variables.items():
            self._patch.setenv(name, value)
        self._patch.setenv("TIMESCALEDB_APPLICATION_NAME", self.name)
        return read(TimescaleSettings)

    def seen(self) -> list[str]:
        """Each connection of the test as the server sees it: database, whether TLS, by whom."""
        return self._server.query(_SEEN.format(name=self.name)).splitlines()


def _upper(options: dict[str, object]) -> dict[str, str]:
    return {f"TIMESCALEDB_{name.upper()}": str(value) for name, value in options.items()}


@pytest.fixture
def house(
    sealed: TimescaleServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> House:
    return House(sealed, monkeypatch, f"tls {abs(hash(request.node.name))}")


@pytest.fixture
def opened() -> Iterator[Any]:
    """Opens a store; its connections are closed at the end."""
    held: list[Connections] = []

    def open_(settings: TimescaleSettings) -> TimescaleStore:
        held.append(open_connections(settings))
        return TimescaleStore(held[-1])

    yield open_
    for connections in held:
        connections.close()


def works(store: TimescaleStore) -> None:
    """Writes and reads by both drivers: frames by ADBC, the version by psycopg."""
    before, value = store.version(MINUTES), float(next(_PRICES))
    frame = rows(value, *DAY, ["AAA"])
    assert store.replace(MINUTES, frame, sessions=DAY, symbols=["AAA"]) == frame.height
    assert store.version(MINUTES) != before
    assert store.scan(MINUTES, symbols=["AAA"])["close"].to_list() == [value] * frame.height


def in_parts(house: House, root: Path) -> dict[str, dict[str, str]]:
    """Every way to ask for a TLS connection whose server is checked, or is not."""
    return {
        "require": house.parts(sslmode="require"),
        "require-checked": house.parts(sslmode="require", sslrootcert=root),
        "verify-ca": house.parts(host="127.0.0.1", sslmode="verify-ca", sslrootcert=root),
        "verify-full": house.parts(sslmode="verify-full", sslrootcert=root),
        "authority-alone": house.parts(sslrootcert=root),
        "url": {"TIMESCALEDB_URL": house.url(sslmode="verify-full", sslrootcert=root)},
        "url-and-parts": {
            "TIMESCALEDB_URL": house.url(),
            **_upper({"sslmode": "verify-full", "sslrootcert": root}),
        },
    }


@pytest.mark.parametrize(
    "way",
    [
        "require",
        "require-checked",
        "verify-ca",
        "verify-full",
        "authority-alone",
        "url",
        "url-and-parts",
    ],
)
def test_reads_and_writes_go_over_tls(house: House, authority: Authority, opened: Any, way: str):
    store = opened(house.settings(in_parts(house, authority.file)[way]))
    works(store)
    # A reader, a writer and one for small statements; nobody but TLS gets in as this user.
    assert house.seen() == ["emp|t|"] * 3


@pytest.mark.parametrize("by", ["parts", "url", "url-and-parts"])
def test_a_user_who_must_show_a_certificate_shows_it(
    house: House, authority: Authority, opened: Any, by: str
):
    own = authority.client(KNOWN)
    tls = {
        "sslmode": "verify-full",
        "sslrootcert": authority.file,
        "sslcert": own.certificate,
        "sslkey": own.key,
    }
    ways = {
        "parts": house.parts(KNOWN, **tls),
        "url": {"TIMESCALEDB_URL": house.url(KNOWN, **tls)},
        "url-and-parts": {"TIMESCALEDB_URL": house.url(KNOWN), **_upper(tls)},
    }
    works(opened(house.settings(ways[by])))
    assert [line.endswith(f"/CN={KNOWN}") for line in house.seen()] == [True] * 3


def test_a_url_that_names_another_authority_goes_before_the_parts(
    house: House, authority: Authority, stranger: Authority
):
    variables = {
        "TIMESCALEDB_URL": house.url(sslrootcert=stranger.file),
        **_upper({"sslrootcert": authority.file}),
    }
    with pytest.raises(ConfigurationError, match="TIMESCALEDB_SSLROOTCERT"):
        open_connections(house.settings(variables))


def wrong(
    house: House, authority: Authority, stranger: Authority, tmp_path: Path
) -> dict[str, tuple[dict[str, str], str]]:
    """Every way to get it wrong, and what must be said of it."""
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate hunter2")
    good = {"sslmode": "verify-full", "sslrootcert": authority.file}
    own, other = stranger.client(KNOWN), authority.client("other")
    strange = {"sslcert": own.certificate, "sslkey": own.key}
    torn = {"sslcert": other.certificate, "sslkey": own.key}
    secret = authority.client(KNOWN).lock()
    locked = {"sslcert": secret.certificate, "sslkey": secret.key}
    checked = "TIMESCALEDB_SSLROOTCERT must be .* TIMESCALEDB_SSLMODE"
    shown = "check TIMESCALEDB_SSLCERT and TIMESCALEDB_SSLKEY"
    other_host = "is for another host: .*TIMESCALEDB_URL.*TIMESCALEDB_SSLMODE=verify-ca"
    by_address = {"host": "127.0.0.1", "sslrootcert": authority.file}
    return {
        "authority": (house.parts(sslmode="verify-full", sslrootcert=stranger.file), checked),
        "authority-alone": (house.parts(sslrootcert=stranger.file), checked),
        "authority-preferred": (
            house.parts(sslmode="prefer", sslrootcert=stranger.file),
            checked,
        ),
        "authority-in-url": (
            {"TIMESCALEDB_URL": house.url(sslmode="verify-ca", sslrootcert=stranger.file)},
            checked,
        ),
        "no-authority": (house.parts(sslmode="verify-full"), checked),
        "nonsense": (house.parts(sslmode="verify-full", sslrootcert=nonsense), checked),
        "name": (house.parts(sslmode="verify-full", **by_address), other_host),
        # Whoever names an authority wants the server checked as far as can be.
        "name-by-default": (house.parts(**by_address), other_host),
        "name-in-url": ({"TIMESCALEDB_URL": house.url(**by_address)}, other_host),
        "plain": (house.parts(sslmode="disable"), "set TIMESCALEDB_SSLMODE to require"),
        "no-certificate": (house.parts(KNOWN, **good), shown),
        "strange-certificate": (house.parts(KNOWN, **good, **strange), shown),
        "locked-certificate": (house.parts(KNOWN, **good, **locked), shown),
        "torn-certificate": (house.parts(KNOWN, **good, **torn), shown),
        "certificate-of-another": (
            house.parts(KNOWN, **good, sslcert=other.certificate, sslkey=other.key),
            "refuses the login",
        ),
    }


@pytest.mark.parametrize(
    "way",
    [
        "authority",
        "authority-alone",
        "authority-preferred",
        "authority-in-url",
        "no-authority",
        "nonsense",
        "name",
        "name-by-default",
        "name-in-url",
        "plain",
        "no-certificate",
        "strange-certificate",
        "torn-certificate",
        "locked-certificate",
        "certificate-of-another",
    ],
)
def test_what_is_wrong_is_told_at_once(
    house: House,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
):
    monkeypatch.setenv("HOME", str(tmp_path))  # libpq looks for an authority there.
    variables, said = wrong(house, authority, stranger, tmp_path)[way]
    settings = house.settings(variables)
    one = Connections(settings)
    attempts = (
        lambda: open_connections(settings),
        lambda: TimescaleStore(one).scan(MINUTES),
        lambda: TimescaleStore(one).version(MINUTES),
        lambda: TimescaleStore(one).replace(
            MINUTES, rows(9.5, *DAY, ["AAA"]), sessions=DAY, symbols=["AAA"]
        ),
    )
    for attempt in attempts:
        began = time.monotonic()
        with pytest.raises(ConfigurationError, match=said) as caught:
            attempt()
        assert time.monotonic() - began < 3
        text = "".join(traceback.format_exception(caught.value))
        assert PASSWORD not in f"{text}{caught.value!r}{settings!r}"
        assert "hunter2" not in text
    assert house.seen() == []


def test_a_server_that_is_killed_under_tls_is_waited_for(
    house: House, sealed: TimescaleServer, authority: Authority, opened: Any
):
    store = opened(house.settings(house.parts(sslrootcert=authority.file)))
    works(store)
    sealed.kill()
    sealed.start()
    works(store)
    assert set(house.seen()) == {"emp|t|"}
