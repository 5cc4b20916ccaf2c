"""Settings of Redis: every REDIS_* variable of its connection.

What belongs here: the variables, and what follows from them. What does not: clients
(redis_cache.py), what is kept for how long (policy.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market_data.errors import ConfigurationError


class RedisSettings(BaseSettings):
    """Where Redis is and how its connections behave.

    Each field is read from the environment variable REDIS_<FIELD>.
    """

    model_config = SettingsConfigDict(
        title="REDIS_*",
        env_prefix="REDIS_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("REDIS_URL", "REDIS_URI")
    )
    """redis://:password@host:port/db, rediss:// for TLS; goes before the parts below."""

    host: str = ""
    """Server, where no URL is given. Empty: there is no Redis."""

    port: int = Field(default=6379, ge=1, le=65535)
    """Its port."""

    db: int = Field(default=0, ge=0)
    """Number of the database."""

    username: str | None = None
    """Login name, where the server has several."""

    password: SecretStr | None = None
    """Login password."""

    ssl: bool = False
    """Speak TLS, and check the server's certificate and name."""

    ssl_cafile: Path | None = None
    """PEM file of the authority that signed the server's certificate; empty: the system's. For
    rediss:// too, where the URL does not name one itself (ssl_ca_certs)."""

    ssl_certfile: Path | None = None
    """PEM file of the client's certificate, where the server asks for one."""

    ssl_keyfile: Path | None = None
    """PEM file of the certificate's key, without a password."""

    client_name: str = "emp-professional-cache"
    """Name under which the server lists the connections."""

    socket_timeout: float = Field(default=5.0, gt=0)
    """Seconds to wait for the server before a read goes to the store."""

    health_check_interval: int = Field(default=30, ge=0)
    """Seconds after which an idle connection is tried before it is used."""

    retry_on_timeout: bool = False
    """Ask once more after a time-out: a server that hangs costs several of them then. A connection
    that was broken off is made once more in any case."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url is not None:
            # Not repeated: the text holds the password.
            try:
                parts = urlsplit(self.url.get_secret_value())
                good = parts.scheme in ("redis", "rediss") and bool(parts.hostname)
                _ = parts.port
            except ValueError:
                good = False
            if not good:
                raise ValueError("REDIS_URL must be redis://:password@host:port/db, or rediss://")
        if wrong := self._wrong_with_tls():
            raise ValueError("; ".join(wrong))
        return self

    def _wrong_with_tls(self) -> list[str]:
        files = {
            "REDIS_SSL_CAFILE": self.ssl_cafile,
            "REDIS_SSL_CERTFILE": self.ssl_certfile,
            "REDIS_SSL_KEYFILE": self.ssl_keyfile,
        }
        wrong = [f"{n}: there is no file {f}" for n, f in files.items() if f and not f.is_file()]
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            wrong.append("REDIS_SSL_CERTFILE and REDIS_SSL_KEYFILE belong together")
        if self.ssl and self.url is not None and not self.tls:
            wrong.append("REDIS_SSL asks for TLS, which REDIS_URL would not use: write rediss://")
        elif self.configured and any(files.values()) and not self.tls:
            cure = "write REDIS_URL as rediss://" if self.url is not None else "set REDIS_SSL=true"
            wrong.append(f"REDIS_SSL_* would not be used: {cure}")
        elif self.url is not None and not self.tls and "ssl_" in _query(self.url):
            wrong.append("REDIS_URL names ssl_* and would not use them: write rediss://")
        return wrong

    @property
    def configured(self) -> bool:
        """Whether there is a Redis to speak to."""
        return self.url is not None or bool(self.host)

    @property
    def shown(self) -> str:
        """Host, port and database, for people; no login."""
        if self.url is None:
            return f"{self.host}:{self.port}/{self.db}"
        parts = urlsplit(self.url.get_secret_value())
        return f"{parts.hostname}:{parts.port or 6379}{parts.path or '/0'}"

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        if self.url is None:
            return self.ssl
        return urlsplit(self.url.get_secret_value()).scheme == "rediss"

    def client_options(self) -> dict[str, Any]:
        """Options of a client of redis-py; they hold the password.

        Raises:
            ConfigurationError: no server is named.
        """
        if not self.configured:
            raise ConfigurationError("REDIS_URL is not set, nor REDIS_HOST")
        options: dict[str, Any] = {
            "client_name": self.client_name,
            "socket_timeout": self.socket_timeout,
            "socket_connect_timeout": self.socket_timeout,
            "health_check_interval": self.health_check_interval,
        }
        if self.tls:
            files = {
                "ssl_ca_certs": self.ssl_cafile,
                "ssl_certfile": self.ssl_certfile,
                "ssl_keyfile": self.ssl_keyfile,
            }
            options |= {name: str(file) for name, file in files.items() if file is not None}
            # Without one the library would ask for the password of a key on the terminal.
            options["ssl_password"] = ""
        if self.url is not None:
            return {**options, "url": self.url.get_secret_value()}
        return {
            **options,
            "host": self.host,
            "port": self.port,
            "db": self.db,
            "username": self.username,
            "password": self.password.get_secret_value() if self.password else None,
            "ssl": self.ssl,
        }


def _query(url: SecretStr) -> str:
    return urlsplit(url.get_secret_value()).query
