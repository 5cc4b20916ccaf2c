"""Settings of TimescaleDB: every TIMESCALEDB_* variable, its default and its check.

What belongs here: the variables, and the URL that follows from them.
What does not: connections (connection.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.timescale.session import ENCODING, OPTIONS
from market_data.errors import ConfigurationError

_SCHEMES = ("postgresql", "postgres")
# A server whose machine or network dies says no goodbye: noticed after a minute instead of hours.
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


class TimescaleSettings(BaseSettings):
    """Where TimescaleDB is and how its connections behave.

    Each field but the URL is read from the environment variable TIMESCALEDB_<FIELD>.
    """

    model_config = SettingsConfigDict(
        title="TIMESCALEDB_*",
        env_prefix="TIMESCALEDB_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("TIMESCALEDB_URL", "TIMESCALE_URL", "DATABASE_URL"),
    )
    """postgresql://user:password@host:port/database; goes before the parts below. What it does not
    say of TLS is taken from TIMESCALEDB_SSL*."""

    host: str = ""
    """Server, where no URL is given. Empty: there is no TimescaleDB."""

    port: int = Field(default=5432, ge=1, le=65535)
    """Its port."""

    db: str = "emp"
    """Database."""

    user: str = "emp"
    """Login name."""

    password: SecretStr | None = None
    """Login password."""

    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = (
        None
    )
    """How far TLS is asked for and checked: disable, allow, prefer, require, verify-ca or
    verify-full; empty: verify-full where TIMESCALEDB_SSLROOTCERT is set, else prefer."""

    sslrootcert: Path | None = None
    """PEM file of the authority that signed the server's certificate."""

    sslcert: Path | None = None
    """PEM file of the client's certificate."""

    sslkey: Path | None = None
    """PEM file of its key, without a password, that its owner alone may read."""

    pool_size: int = Field(default=5, ge=1, le=1000)
    """Connections that stay open per process and kind of work: reading, writing and small
    statements have a pool of this size each, opened as they are needed."""

    max_overflow: int = Field(default=5, ge=0, le=1000)
    """Connections above these that each of the three pools may open while they are needed."""

    pool_timeout: float = Field(default=30.0, gt=0)
    """Seconds to wait for a free connection of the kind that is needed."""

    pool_recycle: float = Field(default=1800.0, gt=0)
    """Seconds after which a connection of any of the three pools is opened anew."""

    pool_pre_ping: bool = True
    """Try a connection of any of the three pools before it is handed out: about 0.1 ms."""

    statement_timeout_ms: int = Field(default=10_000, ge=0)
    """Longest time of one reading statement, in milliseconds; 0 for no limit. Writers have none."""

    connect_timeout: int = Field(default=5, ge=1)
    """Seconds to wait for a new connection."""

    retry_seconds: float = Field(default=60.0, ge=0)
    """Seconds for which interrupted work is tried again while the server is away; 0: not at all."""

    application_name: str = "emp-timescale-ingest"
    """Name under which the server shows the connections."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = []
        if self.url is not None:
            # Not repeated: the text holds the password.
            try:
                parts = urlsplit(self.url.get_secret_value())
                good = parts.scheme.split("+")[0] in _SCHEMES and bool(parts.hostname)
                # Behind the host it is the end of a password that the parts above are cut from.
                good = good and "@" not in parts.path + parts.query + parts.fragment
                _ = parts.port
            except ValueError:
                good = False
            if not good:
                wrong.append(
                    "TIMESCALEDB_URL must be postgresql://user:password@host:port/database, with "
                    "what is not a letter or digit in the password as %40 and the like"
                )
        files = {
            "TIMESCALEDB_SSLROOTCERT": self.sslrootcert,
            "TIMESCALEDB_SSLCERT": self.sslcert,
            "TIMESCALEDB_SSLKEY": self.sslkey,
        }
        wrong += [f"{n}: there is no file {f}" for n, f in files.items() if f and not f.is_file()]
        if (self.sslcert is None) != (self.sslkey is None):
            wrong.append("TIMESCALEDB_SSLCERT and TIMESCALEDB_SSLKEY belong together")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def configured(self) -> bool:
        """Whether there is a TimescaleDB to speak to."""
        return self.url is not None or bool(self.host)

    def conninfo(self) -> str:
        """The URL for libpq, with the password and the settings of every session in it.

        Raises:
            ConfigurationError: no server is named.
        """
        if not self.configured:
            raise ConfigurationError("TIMESCALEDB_URL is not set, nor TIMESCALEDB_HOST")
        options = {
            **self._tls(),
            "connect_timeout": str(self.connect_timeout),
            "application_name": self.application_name,
            **_KEEPALIVES,
        }
        session = {"client_encoding": ENCODING, "options": OPTIONS}
        if self.url is not None:
            url = self.url.get_secret_value()
            scheme, rest = url.split("://", 1)
            url = f"{scheme.split('+')[0]}://{rest.removesuffix('?')}"
            query = urlsplit(url).query
            # To libpq a plus sign is one.
            given = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
            if "sslrootcert" in given:
                options.setdefault("sslmode", "verify-full")
            missing = {k: v for k, v in options.items() if k not in given}
            # Of what is there twice libpq takes the last.
            session["options"] = f"{given.get('options', '')} {OPTIONS}".strip()
            return f"{url}{'&' if query else '?'}{_query({**missing, **session})}"
        secret = self.password.get_secret_value() if self.password else ""
        login = quote(self.user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        where = f"{host}:{self.port}/{quote(self.db, safe='')}"
        return f"postgresql://{login}@{where}?{_query({**options, **session})}"

    def _tls(self) -> dict[str, str]:
        """What libpq is told of TLS; an authority that is named is asked about the server."""
        mode = self.sslmode or ("verify-full" if self.sslrootcert else None)
        named = {
            "sslmode": mode,
            "sslrootcert": self.sslrootcert,
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
        }
        return {name: str(value) for name, value in named.items() if value}

    @property
    def shown(self) -> str:
        """Host, port and database, for people; no login."""
        if self.url is None:
            return f"{self.host}:{self.port}/{self.db}"
        parts = urlsplit(self.url.get_secret_value())
        return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def _query(options: dict[str, str]) -> str:
    # libpq takes a plus sign as it is: a space must be %20.
    return urlencode(options, quote_via=quote)
