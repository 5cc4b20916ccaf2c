"""The servers of institutional mode: TimescaleDB, Redis, Kafka.

What belongs here: one resource per server. Its URL is given as the name of a variable, so that
neither the UI nor a stored run shows it; every other setting comes from the variables that
docs/configuration.md lists.
What does not: what is kept on them (storage.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from adapters.variables import read

if TYPE_CHECKING:
    from adapters.cache.redis_cache import RedisCache
    from adapters.cache.settings import RedisSettings
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.reference_tables import TimescaleReferenceTables
    from adapters.timescale.settings import TimescaleSettings


class TimescaleResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """TimescaleDB: curated datasets, scores, reference tables."""

    url: str = Field(default="", description="TIMESCALEDB_URL; empty: from its parts.")

    def __repr__(self) -> str:
        """A form without the URL, which holds the password."""
        return "TimescaleResource(url=...)"

    def settings(self) -> TimescaleSettings:
        """Every TIMESCALEDB_* variable."""
        from adapters.timescale.settings import TimescaleSettings

        return read(TimescaleSettings, **({"url": self.url} if self.url else {}))

    def reference(self) -> TimescaleReferenceTables:
        """The small tables that are replaced whole."""
        from adapters.timescale.factory import kept_connections, open_reference_tables

        return open_reference_tables(kept_connections(self.settings()))


class RedisResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Redis: the read cache that all processes share."""

    url: str = Field(default="", description="REDIS_URL; empty: from its parts.")

    def __repr__(self) -> str:
        """A form without the URL, which holds the password."""
        return "RedisResource(url=...)"

    def settings(self) -> RedisSettings:
        """Every REDIS_* variable."""
        from adapters.cache.settings import RedisSettings

        return read(RedisSettings, **({"url": self.url} if self.url else {}))

    def cache(self) -> RedisCache:
        """The cache."""
        from adapters.stores.opening import open_redis_cache

        return open_redis_cache(self.settings(), kept=True)


class KafkaResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Kafka: events of ingest, health, metrics and quality, and replayed rows."""

    bootstrap_servers: str = Field(default="", description="Brokers, host:port, comma-separated.")

    def settings(self) -> KafkaSettings:
        """Every KAFKA_* variable."""
        from adapters.kafka.settings import KafkaSettings

        given = {"bootstrap_servers": self.bootstrap_servers} if self.bootstrap_servers else {}
        return read(KafkaSettings, **given)
