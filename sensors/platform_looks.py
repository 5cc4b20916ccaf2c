"""What the alerts read of the platform itself, and what a look at it remembers.

What belongs here: the cursor of that look, stored bars, watched parts, the warehouse's standing,
breakers of vendors. What does not: the order of the looks (alert_ticks.py), Dagster's records
(instance_facts.py), judging (market_data/alerts).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import dagster as dg

from market_data.alerts.age_sources import current_symbols
from market_data.alerts.alert import Alert, Sighting
from market_data.alerts.facts import AgeFact, AssetTerms, BreakerFact
from market_data.alerts.failover_sources import sightings_of_failover
from market_data.alerts.part_sources import sightings_of_parts
from market_data.automation.policy import DailyRules
from market_data.ports.cache import CacheMetrics
from resources.platform import PlatformResource
from resources.readiness import ReadinessResource
from sensors.cursors import remembered
from sensors.run_facts import asset_terms

VERSION = 1
"""Of the alerts' cursors; what was added since the first ones has a value where it is not there."""
CACHE_EVERY_SECONDS = 3600.0
"""The cache is judged by what it did in so long: its own numbers never end."""
Look = Callable[[Mapping[str, Alert]], Sequence[Sighting]]


@dataclass
class Seen:
    """What the look at the platform remembers.

    Attributes:
        since: when it began; seconds since 1970.
        current: by asset, symbols whose bars were current once.
        aged: when the newest bars, and the watched parts, were looked at last; seconds since 1970.
        cache: the cache's numbers from which on it is judged.
        counted: when these were taken; seconds since 1970.
        clock: the time of day of the daily schedule.
        promised: since when it is that; 0 where it was from the beginning.
        late: by asset, symbols whose bars end too early, with the session with which that began.
    """

    since: float
    current: dict[str, set[str]] = field(default_factory=dict)
    aged: float = 0.0
    cache: CacheMetrics | None = None
    counted: float = 0.0
    clock: str = ""
    promised: float = 0.0
    late: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> Seen:
        """From the sensor's cursor; of the first tick, from now on."""
        kept = remembered(cursor, VERSION)
        if "since" not in kept:
            return cls(datetime.now(UTC).timestamp())
        current = {asset: set(names) for asset, names in (kept.get("current") or {}).items()}
        cache = CacheMetrics(**kept["cache"]) if kept.get("cache") else None
        return cls(
            kept["since"],
            current,
            kept.get("aged", 0.0),
            cache,
            kept.get("counted", 0.0),
            kept.get("clock", ""),
            kept.get("promised", 0.0),
            {asset: dict(late) for asset, late in (kept.get("late") or {}).items()},
        )

    def note_clock(self, daily: DailyRules, now: datetime) -> None:
        """A time of day that was changed promises nothing for ticks before the change."""
        told = f"{daily.at:%H:%M}"
        if self.clock and self.clock != told:
            self.promised = now.timestamp()
        self.clock = told

    def written(self) -> str:
        """As a cursor."""
        current = {asset: sorted(names) for asset, names in self.current.items()}
        return json.dumps(
            {
                "version": VERSION,
                "since": self.since,
                "current": current,
                "aged": self.aged,
                "cache": asdict(self.cache) if self.cache else None,
                "counted": self.counted,
                "clock": self.clock,
                "promised": self.promised,
                "late": self.late,
            }
        )


def looked_ages(
    context: dg.SensorEvaluationContext, platform: PlatformResource, seen: Seen
) -> Iterator[AgeFact]:
    """How old the newest bars of every asset are; remembers which symbols are current."""
    from market_data.pipeline.ages import ages

    terms = asset_terms(context.repository_def)
    for fact in ages(platform.open()):
        seen.current.setdefault(fact.asset, set()).update(current_symbols(fact))
        yield replace(fact, terms=terms.get(fact.asset, AssetTerms()))


def look_at_parts(parts: ReadinessResource, seen: Seen, now: datetime) -> Look:
    """A look at the watched parts; the cache is judged once an hour, by what it did in it."""
    hourly = now.timestamp() - seen.counted >= CACHE_EVERY_SECONDS
    found = parts.look(seen.cache if hourly else None)
    if hourly or found.cache is None or seen.cache is None:
        seen.cache, seen.counted = found.cache, now.timestamp()

    def look(live: Mapping[str, Alert]) -> list[Sighting]:
        return list(sightings_of_parts(found.sections, live, now, answering=found.answering))

    return look


def looked_failover(platform: PlatformResource, now: datetime) -> Iterator[Sighting]:
    """The warehouse's standing, and what it missed."""
    from adapters.failover import load_failover

    failover = platform.operations.open().failover
    newest, policy = failover.decisions(1), load_failover(platform.settings())
    return sightings_of_failover(newest[0] if newest else None, failover.open(), policy, now)


def looked_breakers(platform: PlatformResource) -> Sequence[BreakerFact]:
    """The breaker of every vendor that is asked over a network."""
    from adapters.clock import SystemClock
    from adapters.configuration import load_universe
    from adapters.requests.opening import Gates
    from adapters.requests.report import report
    from adapters.vendors.registry import profile_of

    settings, clock = platform.settings(), SystemClock()
    vendors = load_universe(settings).vendors
    readers = {v.reader for v in vendors if profile_of(v.reader).asks_somebody}
    store = Gates(settings, clock, platform.requests.shared()).store
    found = [report(store, reader, (), clock) for reader in sorted(readers)]
    return [BreakerFact(f.account, str(f.state), f.trouble) for f in found]
