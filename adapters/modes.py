"""Which mode an installation runs in, and whether its settings suffice for it.

What belongs here: every settings class that institutional mode stands on, reading them all at
once, and the decision of `auto`.
What does not: the settings (each class lies with its adapter), opening anything (backend.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic_settings import BaseSettings

from adapters.settings import Mode, Settings
from adapters.variables import Problem, Reading, read_all
from adapters.vendors.registry import VENDOR_SETTINGS
from market_data.errors import BootstrapModeWarning, ConfigurationError

if TYPE_CHECKING:
    from adapters.cache.settings import RedisSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings


_INT32 = 2**31 - 1
_OPERATIONS = "EMP_OPERATIONS_URL"


@dataclass(frozen=True)
class Servers:
    """The settings of every server of institutional mode, all of them right."""

    operations_url: str
    timescale: TimescaleSettings
    redis: RedisSettings
    kafka: KafkaSettings

    def __repr__(self) -> str:
        """A form without the URLs, which hold passwords."""
        return "Servers(...)"


@dataclass(frozen=True)
class Installation:
    """An installation with its mode decided.

    Attributes:
        settings: folders and ports.
        mode: bootstrap or institutional, never auto.
        reason: why this mode.
        servers: their settings in institutional mode, None in bootstrap mode.
    """

    settings: Settings
    mode: Mode
    reason: str
    servers: Servers | None = None

    @property
    def operations_url(self) -> str:
        """SQLAlchemy URL of the operations database."""
        return self.servers.operations_url if self.servers else self.settings.local_operations_url


def decide(settings: Settings) -> Installation:
    """The mode of an installation.

    Warns:
        BootstrapModeWarning: auto came to bootstrap mode; once per process and reason.

    Raises:
        ConfigurationError: institutional mode was asked for and its settings do not suffice; the
            message names every one that is missing or wrong.
    """
    if settings.mode is Mode.BOOTSTRAP:
        return Installation(settings, Mode.BOOTSTRAP, "EMP_MODE=bootstrap")
    problems, servers = check(settings)
    if servers is not None:
        reason = f"EMP_MODE={settings.mode}, and every setting of the servers is right"
        return Installation(settings, Mode.INSTITUTIONAL, reason, servers)
    told = "; ".join(map(str, problems))
    if settings.mode is Mode.AUTO:
        _tell_of_bootstrap(told)
        reason = f"EMP_MODE=auto, and institutional mode lacks: {told}"
        return Installation(settings, Mode.BOOTSTRAP, reason)
    raise ConfigurationError(f"institutional mode cannot start: {told}")


def check(settings: Settings) -> tuple[list[Problem], Servers | None]:
    """Everything that institutional mode lacks, or the settings of its servers."""
    from adapters.cache.policy import RedisCacheSettings
    from adapters.cache.settings import RedisSettings
    from adapters.dagster_storage import DagsterStorageSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings

    timescale, redis = read_all(TimescaleSettings), read_all(RedisSettings)
    kafka = read_all(KafkaSettings)
    problems = [
        *_operations(settings),
        *_timescale(timescale),
        *_redis(redis),
        *read_all(RedisCacheSettings).problems,
        *_kafka(kafka),
        *read_all(DagsterStorageSettings).problems,
    ]
    if problems or not (timescale.settings and redis.settings and kafka.settings):
        return problems, None
    url = settings.operations_url.get_secret_value() if settings.operations_url else ""
    return [], Servers(url, timescale.settings, redis.settings, kafka.settings)


def settings_classes() -> list[type[BaseSettings]]:
    """Every class that reads variables, in the order of the documentation."""
    from adapters.alerts.settings import AlertSettings
    from adapters.cache.policy import RedisCacheSettings
    from adapters.cache.settings import RedisSettings
    from adapters.dagster_storage import DagsterStorageSettings
    from adapters.exports.settings import SparkSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.stores.object_settings import ObjectStoreSettings
    from adapters.timescale.settings import TimescaleSettings

    redis: list[type[BaseSettings]] = [RedisSettings, RedisCacheSettings]
    streams: list[type[BaseSettings]] = [KafkaSettings, DagsterStorageSettings]
    servers: list[type[BaseSettings]] = [TimescaleSettings, *redis, *streams]
    return [
        Settings,
        AlertSettings,
        ObjectStoreSettings,
        *servers,
        SparkSettings,
        *VENDOR_SETTINGS,
    ]


@cache
def _tell_of_bootstrap(reason: str) -> None:
    """Once per process: what was told stays remembered."""
    text = f"bootstrap mode, since institutional mode lacks: {reason}"
    warnings.warn(text, BootstrapModeWarning, stacklevel=3)


def _operations(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the operations database's URL; never with the URL in it."""
    from adapters.operations.database import parse_url

    given = settings.operations_url.get_secret_value() if settings.operations_url else ""
    if not given:
        yield Problem(_OPERATIONS, "set it: postgresql://user:password@host/database")
        return
    try:
        parsed = parse_url(given)
    except ConfigurationError:
        good = False
    else:
        drivers = ("postgresql+psycopg", "postgresql+psycopg2")
        good = parsed.drivername in drivers and bool(parsed.database)
    if not good:
        cure = "must be a PostgreSQL URL in institutional mode: "
        yield Problem(_OPERATIONS, cure + "postgresql://user:password@host/database")


def _timescale(reading: Reading[TimescaleSettings]) -> Iterator[Problem]:
    yield from reading.problems
    server, limit = ("TIMESCALEDB_URL", "TIMESCALEDB_HOST"), "TIMESCALEDB_STATEMENT_TIMEOUT_MS"
    if reading.nothing_against(*server) and not reading.of(*server).configured:
        yield Problem("TIMESCALEDB_URL", "set it, or TIMESCALEDB_HOST and its parts")
    if reading.of(limit).statement_timeout_ms > _INT32:
        yield Problem(limit, f"PostgreSQL takes no more than {_INT32}; 0 for no limit")


def _redis(reading: Reading[RedisSettings]) -> Iterator[Problem]:
    yield from reading.problems
    server = ("REDIS_URL", "REDIS_HOST")
    if reading.nothing_against(*server) and not reading.of(*server).configured:
        yield Problem("REDIS_URL", "set it, or REDIS_HOST and its parts")


def _kafka(reading: Reading[KafkaSettings]) -> Iterator[Problem]:
    yield from reading.problems
    server, switch = "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_INGEST_ENABLE_STREAMING"
    wanted = reading.of(server, switch)
    if reading.nothing_against(server) and not wanted.configured and wanted.ingest_enable_streaming:
        yield Problem(server, f"set it to host:port, or {switch}=false to do without")
