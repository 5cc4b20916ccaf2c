"""Looks at the parts that are watched between runs: the read cache, Kafka, latencies.

What belongs here: from servers and the operations database to sections. What does not: their
verdict (market_data/operations), what is told of it (market_data/alerts).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from adapters.kafka.settings import KafkaSettings
from adapters.modes import Servers, decide
from adapters.operations.outbox import SqlOutbox
from adapters.operations_limits import load_operations_limits
from adapters.operations_opening import Operations
from adapters.settings import Settings
from adapters.stores.opening import open_redis_cache
from market_data.errors import MarketDataError
from market_data.operations.attempts import attempts
from market_data.operations.cache_health import cache_away, evaluate_cache_health
from market_data.operations.evidence import Evidence
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.operations.latency import latency_section
from market_data.operations.limits import LatencyLimits, OperationsLimits
from market_data.operations.readiness import Section, fuse
from market_data.ports import Clock
from market_data.ports.cache import CacheMetrics

_LONGEST = timedelta(days=1)
"""What ended within a window may have begun so long before it."""


@dataclass(frozen=True)
class Looks:
    """What a look at the watched parts found.

    Attributes:
        sections: of the parts that were judged; one that could not be looked at says so.
        cache: the cache's numbers, for a later look; None where there is none, or it is away.
    """

    sections: tuple[Section, ...]
    cache: CacheMetrics | None

    @property
    def answering(self) -> tuple[str, ...]:
        """Parts that answered, whether they were judged or not."""
        return ("cache",) if self.cache is not None else ()


def look_at_parts(
    settings: Settings, operations: Operations, clock: Clock, before: CacheMetrics | None
) -> Looks:
    """Look at cache, Kafka and latencies, each for itself: settings may be wrong for one of them.

    Args:
        settings: folders, and the mode that the installation runs in.
        operations: ports of the operations database.
        clock: tells when.
        before: the cache's numbers at an earlier look, to judge it by what it did since; None to
            count only: a judgement over minutes would come and go.
    """
    parts = _Parts(settings, operations, clock, before)
    makers = {"latency": parts.latency, "kafka": parts.kafka, "cache": parts.cache}
    made = fuse(clock.now(), str(settings.mode), makers)
    only_counted = before is None and parts.counted is not None
    judged = [s for s in made.sections if s.name != "cache" or not only_counted]
    return Looks(tuple(judged), parts.counted)


class _Parts:
    """The parts of an installation; what a section needs of its configuration is read for it.

    Attributes:
        counted: the cache's numbers, once it was looked at and answered.
    """

    def __init__(
        self,
        settings: Settings,
        operations: Operations,
        clock: Clock,
        before: CacheMetrics | None,
    ) -> None:
        self._settings = settings
        self._operations = operations
        self._clock = clock
        self._before = before
        self.counted: CacheMetrics | None = None

    @cached_property
    def _servers(self) -> Servers | None:
        return decide(self._settings).servers

    @cached_property
    def _limits(self) -> OperationsLimits:
        return load_operations_limits(self._settings)

    def latency(self) -> Section:
        """How long fetches and events took."""
        return latency_of(self._operations, self._limits.latency, self._clock)

    def kafka(self) -> Section:
        """Brokers, topics, what waits; off where nothing is sent."""
        if self._servers is None or not self._servers.kafka.streaming:
            return Section.switched_off("kafka", "the installation does without it")
        return kafka_section(self._servers.kafka, self._operations.outbox, self._clock)

    def cache(self) -> Section:
        """What the shared cache did since the earlier look; off where each process has its own."""
        if self._servers is None:
            return Section.switched_off("cache", "each reading process has a cache of its own")
        try:
            opened = open_redis_cache(self._servers.redis)
        except MarketDataError as error:
            return cache_away(str(error))
        with closing(opened) as cache:
            metrics, told = cache.metrics(), cache.describe()
        if told["state"] == "away":
            return cache_away(f"Redis at {told['server']} does not answer")
        self.counted = metrics
        since = metrics if self._before is None else metrics.since(self._before)
        return evaluate_cache_health(since, self._limits.cache)


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


def kafka_section(settings: KafkaSettings, outbox: SqlOutbox, clock: Clock) -> Section:
    """Brokers, topics, what waits and how far the readers are, as a section."""
    from adapters.kafka.factory import look

    state = look(settings, outbox, clock)
    verdict = evaluate_kafka_readiness(state, now=state.at, limits=settings.limits)
    facts = {
        "brokers": state.brokers,
        "topics": len(state.topics_there),
        "waiting": state.waiting,
        "lag": state.lag,
        "lost": state.lost,
        "requests": state.requests_lag,
    }
    return Section.of("kafka", verdict.reasons, facts)
