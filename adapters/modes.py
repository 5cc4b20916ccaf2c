"""Which mode an installation runs in, and whether its settings suffice for it.

What belongs here: every settings class that institutional mode stands on, reading them all at
once, and the decision of `auto`.
What does not: the settings (each class lies with its adapter), opening anything (backend.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from adapters.settings import Mode, Settings
from adapters.variables import Problem, S, problems_of
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.cache.settings import RedisSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings


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
        reason = f"EMP_MODE=auto, and institutional mode lacks: {told}"
        return Installation(settings, Mode.BOOTSTRAP, reason)
    raise ConfigurationError(f"institutional mode cannot start: {told}")


def check(settings: Settings) -> tuple[list[Problem], Servers | None]:
    """Everything that institutional mode lacks, or the settings of its servers."""
    from adapters.cache.settings import RedisSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings

    problems = list(_operations(settings))
    timescale = _read(TimescaleSettings, problems)
    redis = _read(RedisSettings, problems)
    kafka = _read(KafkaSettings, problems)
    if timescale is not None and not timescale.configured:
        problems.append(Problem("TIMESCALEDB_URL", "set it, or TIMESCALEDB_HOST and its parts"))
    if redis is not None and not redis.configured:
        problems.append(Problem("REDIS_URL", "set it, or REDIS_HOST and its parts"))
    if kafka is not None and not kafka.configured and kafka.ingest_enable_streaming:
        cure = "set it to host:port, or KAFKA_INGEST_ENABLE_STREAMING=false to do without"
        problems.append(Problem("KAFKA_BOOTSTRAP_SERVERS", cure))
    if problems or timescale is None or redis is None or kafka is None:
        return problems, None
    url = settings.operations_url.get_secret_value() if settings.operations_url else ""
    return [], Servers(url, timescale, redis, kafka)


def settings_classes() -> list[type[BaseSettings]]:
    """Every class that reads variables, in the order of the documentation."""
    from adapters.cache.policy import RedisCacheSettings
    from adapters.cache.settings import RedisSettings
    from adapters.dagster_storage import DagsterStorageSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings

    servers = [TimescaleSettings, RedisSettings, RedisCacheSettings, KafkaSettings]
    return [Settings, *servers, DagsterStorageSettings]


def _read(kind: type[S], problems: list[Problem]) -> S | None:
    try:
        return kind()
    except ValidationError as error:
        problems += problems_of(kind, error)
        return None


def _operations(settings: Settings) -> Iterator[Problem]:
    given = settings.operations_url.get_secret_value() if settings.operations_url else ""
    if not given:
        yield Problem("EMP_OPERATIONS_URL", "set it: postgresql://user:password@host/database")
    elif not given.startswith(("postgresql", "postgres:")):
        yield Problem("EMP_OPERATIONS_URL", "must be a PostgreSQL URL in institutional mode")
