"""Looks at the parts that are watched between runs: the read cache, Kafka, latencies.

What belongs here: from servers and the operations database to sections. What does not: their
verdict (market_data/operations), what is told of it (market_data/alerts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from adapters.backend import Operations, open_redis_cache
from adapters.cache.redis_cache import RedisCache
from adapters.clock import SystemClock
from adapters.kafka.settings import KafkaSettings
from adapters.modes import Installation
from adapters.operations.outbox import SqlOutbox
from adapters.operations_limits import load_operations_limits
from market_data.errors import MarketDataError
from market_data.operations.attempts import attempts
from market_data.operations.cache_health import cache_away, evaluate_cache_health
from market_data.operations.evidence import Evidence
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.operations.latency import latency_section
from market_data.operations.limits import CacheLimits, LatencyLimits
from market_data.operations.readiness import Section
from market_data.ports import Clock
from market_data.ports.cache import CacheMetrics

_LONGEST = timedelta(days=1)
"""What ended within a window may have begun so long before it."""


@dataclass(frozen=True)
class Looks:
    """What a look at the watched parts found.

    Attributes:
        sections: of the parts that were judged.
        cache: the cache's numbers, for a later look; None where there is none, or it is away.
    """

    sections: tuple[Section, ...]
    cache: CacheMetrics | None

    @property
    def answering(self) -> tuple[str, ...]:
        """Parts that answered, whether they were judged or not."""
        return ("cache",) if self.cache is not None else ()


def look_at_parts(
    found: Installation, operations: Operations, clock: Clock, before: CacheMetrics | None
) -> Looks:
    """Look at cache, Kafka and latencies.

    Args:
        found: the installation with its mode decided.
        operations: ports of the operations database.
        clock: tells when.
        before: the cache's numbers at an earlier look, to judge it by what it did since; None to
            count only: a judgement over minutes would come and go.

    Raises:
        ConfigurationError: config/operations.yaml is wrong.
    """
    limits = load_operations_limits(found.settings)
    sections = [latency_of(operations, limits.latency, clock)]
    metrics: CacheMetrics | None = None
    if found.servers is not None:
        if found.servers.kafka.streaming:
            sections.append(kafka_section(found.servers.kafka, operations.outbox))
        redis = found.servers.redis
        cache, metrics = _cache(lambda: open_redis_cache(redis), before, limits.cache)
        sections += cache
    return Looks(tuple(sections), metrics)


def latency_of(operations: Operations, limits: LatencyLimits, clock: Clock) -> Section:
    """Latency of fetches and of events, as a section."""
    now = clock.now()
    made = operations.journal.runs(since=now - limits.window - _LONGEST, limit=None)
    seen = Evidence(
        at=now,
        attempts=attempts(made, {}),
        deliveries=operations.outbox.deliveries(since=now - limits.window),
    )
    return latency_section(seen, limits)


def kafka_section(settings: KafkaSettings, outbox: SqlOutbox) -> Section:
    """Brokers, topics, what waits and how far the readers are, as a section."""
    from adapters.kafka.factory import look

    state = look(settings, outbox, SystemClock())
    verdict = evaluate_kafka_readiness(state, now=state.at, limits=settings.limits)
    facts = {
        "brokers": state.brokers,
        "topics": len(state.topics_there),
        "waiting": state.waiting,
        "lag": state.lag,
        "lost": state.lost,
    }
    return Section.of("kafka", verdict.reasons, facts)


def _cache(
    opened: Callable[[], RedisCache], before: CacheMetrics | None, limits: CacheLimits
) -> tuple[list[Section], CacheMetrics | None]:
    try:
        cache = opened()
    except MarketDataError as error:
        return [cache_away(str(error))], None
    metrics = cache.metrics()
    told = cache.describe()
    if told["state"] == "away":
        return [cache_away(f"Redis at {told['server']} does not answer")], None
    if before is None:
        return [], metrics
    return [evaluate_cache_health(metrics.since(before), limits)], metrics
