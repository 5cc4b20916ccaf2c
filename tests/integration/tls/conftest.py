"""Two authorities, and a TimescaleDB server that speaks TLS and asks a user for a certificate."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.servers import TimescaleServer, private_server
from tests.support.tls import Authority, Pair

PASSWORD = "tls-s3cret"
SEALED, KNOWN = "sealed", "known"
_HBA = f"""\
# A server of two kinds of users: those who come over TLS, and those who show a certificate as well.
hostssl all {SEALED} 127.0.0.1/32 scram-sha-256
hostssl all {KNOWN} 127.0.0.1/32 scram-sha-256 clientcert=verify-full
host all emp 127.0.0.1/32 scram-sha-256
"""
_FILES = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key", "ssl_ca_file": "ca.pem"}


class SealedTimescale(TimescaleServer):
    """A TimescaleDB server with a certificate for localhost only, not for its address."""

    authority: Authority
    shows: Pair

    def prepare(self) -> None:
        super().prepare()
        sources = (self.shows.certificate, self.shows.key, self.authority.file)
        for source, name in zip(sources, _FILES.values(), strict=True):
            shutil.copyfile(source, self.data / name)
            (self.data / name).chmod(0o600)
            self._give(self.data / name)
        (self.data / "pg_hba.conf").write_text(_HBA)

    def configuration(self) -> dict[str, str]:
        files = "".join(f"{setting} = '{name}'\n" for setting, name in _FILES.items())
        return {**super().configuration(), "95-tls.conf": f"ssl = on\n{files}"}

    def provision(self) -> None:
        super().provision()
        for user in (SEALED, KNOWN):
            self.query(f"create role {user} superuser login password '{PASSWORD}'")
        self.query("create database operations")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signed the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signed no server's certificate."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="session")
def sealed(authority: Authority) -> Iterator[TimescaleServer]:
    """Takes the user `sealed` over TLS alone, and `known` with a certificate only."""
    SealedTimescale.authority = authority
    SealedTimescale.shows = authority.server("localhost")
    with private_server(SealedTimescale) as server:
        yield server
