"""Redis over TLS: by URL and by parts, with and without a client's certificate."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from adapters.cache.policy import CachePolicy
from adapters.cache.presence import presence_of
from adapters.cache.redis_cache import RedisCache, client_of
from adapters.cache.settings import RedisSettings
from adapters.probes import State
from adapters.probes.redis import redis_probe
from adapters.variables import read
from market_data.errors import ConfigurationError
from tests.support.servers import RedisServer, private_server
from tests.support.tls import Authority

POLICY = CachePolicy(60, 8, 10_000, "emp:tls")
_TLS = """\
tls-port {port}
tls-cert-file "{shows.certificate}"
tls-key-file "{shows.key}"
tls-ca-cert-file "{authority}"
tls-auth-clients optional
"""


class SealedRedis(RedisServer):
    """A Redis with a second port that speaks TLS, and a certificate for localhost alone."""

    ports = ("port", "tls")
    authority: Authority

    def command(self) -> Any:
        command = super().command()
        pair = self.authority.server("localhost")
        with (self.folder / "redis.conf").open("a") as file:
            file.write(
                _TLS.format(port=self.port("tls"), shows=pair, authority=self.authority.file)
            )
        return command

    def order(self, *words: str) -> Any:
        """What it answers to its owner, on the port that needs no TLS."""
        with client_of(RedisSettings(url=self.url)) as client:
            return client.execute_command(*words)

    def show(self, authority: Authority, *names: str, **options: Any) -> None:
        """Takes another certificate from now on."""
        pair = authority.server(*names, **options)
        files = ("tls-cert-file", str(pair.certificate), "tls-key-file", str(pair.key))
        self.order("CONFIG", "SET", *files)


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[SealedRedis]:
    SealedRedis.authority = authority
    with private_server(SealedRedis) as server:
        yield server


@pytest.fixture
def server(running: SealedRedis, authority: Authority) -> Iterator[SealedRedis]:
    """The server as it was in the beginning; nobody knows it yet."""
    presence_of.cache_clear()
    yield running
    running.order("CONFIG", "SET", "tls-auth-clients", "optional")
    running.show(authority, "localhost")


class Variables:
    """Makes settings as a user does: by the variables, and by nothing else."""

    def __init__(self, server: SealedRedis, patch: pytest.MonkeyPatch) -> None:
        self._server, self._patch = server, patch
        for name in ("REDIS_URL", "REDIS_URI"):
            patch.delenv(name, raising=False)

    def parts(self, host: str = "localhost", **more: object) -> RedisSettings:
        given = {"host": host, "port": self._server.port("tls"), "ssl": "true", **more}
        return self._read({"password": self._server.password(), **given})

    def url(self, query: str = "", scheme: str = "rediss", **more: object) -> RedisSettings:
        login = f":{self._server.password()}@localhost:{self._server.port('tls')}"
        return self._read({"url": f"{scheme}://{login}/0{query}", **more})

    def _read(self, variables: dict[str, object]) -> RedisSettings:
        for name, value in variables.items():
            self._patch.setenv(f"REDIS_{name.upper()}", str(value))
        return read(RedisSettings)


@pytest.fixture
def variables(server: SealedRedis, monkeypatch: pytest.MonkeyPatch) -> Variables:
    return Variables(server, monkeypatch)


def works(settings: RedisSettings) -> None:
    cache = RedisCache(settings, POLICY)
    cache.check()
    with cache.loading("k") as mine:
        assert mine
        cache.put("k", b"bytes")
    assert cache.get("k") == b"bytes"
    assert cache.invalidate("k") == 1
    assert cache.describe()["tls"] == "on"
    assert cache.describe()["state"] == "there"
    cache.close()
    found = redis_probe(settings).look()
    assert (found.state, found.facts["tls"]) == (State.OK, True)


@pytest.mark.parametrize("way", ["parts", "url", "url-alone"])
def test_the_cache_works_over_tls(
    server: SealedRedis, variables: Variables, authority: Authority, way: str
):
    if way == "parts":
        settings = variables.parts(ssl_cafile=authority.file)
    elif way == "url":
        settings = variables.url(ssl_cafile=authority.file)
    else:
        settings = variables.url(f"?ssl_ca_certs={quote(str(authority.file), safe='')}")
    works(settings)


@pytest.mark.parametrize("way", ["parts", "url"])
def test_a_certificate_is_shown_to_a_server_that_wants_one(
    server: SealedRedis, variables: Variables, authority: Authority, way: str
):
    server.order("CONFIG", "SET", "tls-auth-clients", "yes")
    own = authority.client("cache")
    files = {"ssl_certfile": own.certificate, "ssl_keyfile": own.key}
    make = variables.parts if way == "parts" else variables.url
    works(make(ssl_cafile=authority.file, **files))


def refused(settings: RedisSettings, said: str) -> None:
    """A wrong setting: a process does not start with it, and `emp doctor` says so."""
    cache = RedisCache(settings, POLICY)
    with pytest.raises(ConfigurationError, match=said) as failure:
        cache.check()
    told = "".join(traceback.format_exception(failure.value))
    found = redis_probe(settings).look()
    assert found.state is State.ERROR
    assert "fails the checks of TLS (REDIS_SSL_CAFILE)" in found.detail
    password = settings.password or settings.url
    assert password is not None
    secret = password.get_secret_value().split("@")[0].removeprefix("rediss://:")
    assert secret not in f"{told}{failure.value!r}{cache!r}{settings!r}{found}"


@pytest.mark.parametrize(
    "way",
    ["authority", "authority-by-url", "system", "name", "nonsense", "missing", "torn", "locked"],
)
def test_a_wrong_setting_is_an_error_that_names_it(
    server: SealedRedis,
    variables: Variables,
    authority: Authority,
    stranger: Authority,
    tmp_path: Any,
    way: str,
):
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    one, other = authority.client("one"), authority.client("other")
    torn = {"ssl_certfile": one.certificate, "ssl_keyfile": other.key}
    locked = {"ssl_certfile": one.certificate, "ssl_keyfile": authority.client("l").lock().key}
    settings = {
        "authority": lambda: variables.parts(ssl_cafile=stranger.file),
        "authority-by-url": lambda: variables.url(ssl_cafile=stranger.file),
        "system": variables.parts,
        "name": lambda: variables.parts(host="127.0.0.1", ssl_cafile=authority.file),
        "nonsense": lambda: variables.parts(ssl_cafile=nonsense),
        "missing": lambda: variables.url("?ssl_ca_certs=/no/such/file.pem"),
        "torn": lambda: variables.parts(ssl_cafile=authority.file, **torn),
        "locked": lambda: variables.parts(ssl_cafile=authority.file, **locked),
    }[way]()
    assert settings.client_options()["ssl_password"] == ""  # None asks on the terminal.
    refused(settings, "fails the checks of TLS: REDIS_SSL_CAFILE .* REDIS_SSL_KEYFILE")


@pytest.mark.parametrize("way", ["no-certificate", "strange-certificate", "no-tls"])
def test_a_server_that_hangs_up_is_an_outage_whose_warning_names_tls(
    server: SealedRedis,
    variables: Variables,
    authority: Authority,
    stranger: Authority,
    caplog: pytest.LogCaptureFixture,
    way: str,
):
    server.order("CONFIG", "SET", "tls-auth-clients", "yes")
    strange = stranger.client("cache")
    settings = {
        "no-certificate": lambda: variables.parts(ssl_cafile=authority.file),
        "strange-certificate": lambda: variables.parts(
            ssl_cafile=authority.file, ssl_certfile=strange.certificate, ssl_keyfile=strange.key
        ),
        "no-tls": lambda: variables.parts(ssl="false"),
    }[way]()
    cache = RedisCache(settings, POLICY)
    cache.check()
    assert cache.get("k") is None
    (warning,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert "hangs up" in warning
    assert "REDIS_SSL_CERTFILE" in warning
    assert server.password() not in warning


def test_a_certificate_that_has_run_out_stops_no_process(
    server: SealedRedis,
    variables: Variables,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
):
    server.show(authority, "localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    cache = RedisCache(variables.parts(ssl_cafile=authority.file), POLICY)
    cache.check()
    assert cache.get("k") is None
    (warning,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert "has a certificate that is not valid now: reads go to the store" in warning


def test_a_server_without_tls_says_so(
    server: SealedRedis,
    variables: Variables,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
):
    settings = variables.parts(
        port=server.port(), ssl_cafile=authority.file, socket_timeout=0.2, retry_on_timeout="false"
    )
    RedisCache(settings, POLICY).check()
    assert "does not answer in TLS (REDIS_SSL)" in caplog.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ssl": "true"}, "REDIS_SSL asks for TLS.*write rediss://"),
        ({"ssl_cafile": "authority"}, "REDIS_SSL_.* would not be used.*rediss://"),
        ({"query": "?ssl_cert_reqs=none"}, "REDIS_URL names ssl_.*rediss://"),
        ({"ssl_cafile": "/no/such/file"}, "REDIS_SSL_CAFILE: there is no file"),
        ({"scheme": "rediss", "ssl_certfile": "authority"}, "REDIS_SSL_KEYFILE belong together"),
    ],
)
def test_tls_that_would_not_be_spoken_is_refused(
    variables: Variables, authority: Authority, more: dict[str, str], said: str
):
    given = {name: str(authority.file) if v == "authority" else v for name, v in more.items()}
    with pytest.raises(ConfigurationError, match=said):
        variables.url(**{"scheme": "redis", **given})
    if "ssl" in given or "query" in given:
        return
    with pytest.raises(ConfigurationError, match="REDIS_SSL"):
        variables.parts(ssl="false", **{k: v for k, v in given.items() if k != "scheme"})
