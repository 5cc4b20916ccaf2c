"""The operations database over TLS, as EMP_OPERATIONS_URL asks for it."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from adapters.operations import open_database, reading
from adapters.operations.database import open_existing
from adapters.probes import State
from adapters.probes.operations import operations_probe
from market_data.errors import ConfigurationError
from tests.integration.tls.conftest import KNOWN, PASSWORD, SEALED
from tests.support.servers import TimescaleServer
from tests.support.tls import Authority

_SEEN = sa.text("select ssl, client_dn from pg_stat_ssl where pid = pg_backend_pid()")


def url_of(
    server: TimescaleServer, user: str = SEALED, host: str = "localhost", **options: object
) -> str:
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())
    return f"postgresql://{user}:{PASSWORD}@{host}:{server.port()}/operations?{query}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_server_is_checked_and_sees_tls(
    sealed: TimescaleServer, authority: Authority, host: str
):
    mode = "verify-full" if host == "localhost" else "verify-ca"
    url = url_of(sealed, host=host, sslmode=mode, sslrootcert=authority.file)
    engine = open_database(url)
    with reading(engine) as connection:
        assert connection.execute(_SEEN).one() == (True, None)
    engine.dispose()
    assert operations_probe(url, "postgresql").look().state is State.OK


def test_a_certificate_is_shown(sealed: TimescaleServer, authority: Authority):
    own = authority.client(KNOWN)
    files = {"sslrootcert": authority.file, "sslcert": own.certificate, "sslkey": own.key}
    engine = open_database(url_of(sealed, KNOWN, sslmode="verify-full", **files))
    with reading(engine) as connection:
        assert str(connection.execute(_SEEN).one().client_dn).endswith(f"/CN={KNOWN}")
    engine.dispose()


@pytest.mark.parametrize(
    "wrong",
    ["authority", "authority-alone", "name", "name-by-default", "plain", "certificate"],
)
def test_what_is_wrong_is_told_with_the_variable(
    sealed: TimescaleServer, authority: Authority, stranger: Authority, wrong: str
):
    own = stranger.client(KNOWN)
    address = {"host": "127.0.0.1", "sslrootcert": authority.file}
    url = {
        "authority": url_of(sealed, sslmode="verify-ca", sslrootcert=stranger.file),
        "authority-alone": url_of(sealed, sslrootcert=stranger.file),
        "name": url_of(sealed, sslmode="verify-full", **address),
        "name-by-default": url_of(sealed, **address),
        "plain": url_of(sealed, sslmode="disable"),
        "certificate": url_of(sealed, KNOWN, sslcert=own.certificate, sslkey=own.key),
    }[wrong]
    for opening in (open_database, open_existing):
        with pytest.raises(ConfigurationError, match=r"TLS .* EMP_OPERATIONS_URL") as failure:
            opening(url)
        assert PASSWORD not in "".join(traceback.format_exception(failure.value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((PASSWORD, "hunter2"), "refuses the login"),
        (("/operations?", "/elsewhere?"), "is not there"),
    ],
)
def test_so_is_a_wrong_login_or_database(
    sealed: TimescaleServer, change: tuple[str, str], said: str
):
    url = url_of(sealed, sslmode="require").replace(*change)
    with pytest.raises(ConfigurationError, match=f"{said}.*EMP_OPERATIONS_URL") as failure:
        open_database(url)
    assert "hunter2" not in "".join(traceback.format_exception(failure.value))
