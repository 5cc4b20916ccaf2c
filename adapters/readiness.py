"""Readiness: what each section of the report is made from.

What belongs here: one function per section, from what an installation holds to the verdicts of
market_data/operations. A later part adds its own to `SECTIONS`.
What does not: the verdicts, the report's forms (market_data/operations), Dagster's way to it
(emp_assets/operations/readiness.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from adapters.backend import Operations
from adapters.modes import Installation
from adapters.probes import Finding, Probe, State, run_probes
from market_data.datasets import SCORES_DATASET
from market_data.operations.cache_health import evaluate_cache_health
from market_data.operations.grades import Grade, Reason
from market_data.operations.ingest_health import evaluate_ingest_health
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.operations.quality_health import evaluate_quality
from market_data.operations.readiness import Readiness, Section, fuse
from market_data.pipeline.platform import Platform

_ATTEMPTS = 2_000
_SCORED = timedelta(days=30)
_GRADES = {State.ERROR: Grade.FAIL, State.DEGRADED: Grade.WARN}


@dataclass(frozen=True)
class Standing:
    """What the sections are made from.

    Attributes:
        found: the installation with its mode decided.
        platform: its stores and ports.
        operations: the ports of its operations database.
        findings: what the looks at its parts found.
    """

    found: Installation
    platform: Platform
    operations: Operations
    findings: Sequence[Finding]


def readiness(
    found: Installation,
    platform: Platform,
    operations: Operations,
    probes: Sequence[Probe],
    *,
    timeout: float = 20.0,
) -> Readiness:
    """The verdict over an installation now.

    Args:
        found: the installation with its mode decided.
        platform: its stores and ports.
        operations: the ports of its operations database.
        probes: looks at its parts, run side by side.
        timeout: seconds after which a part counts as not answering.
    """
    standing = Standing(found, platform, operations, run_probes(probes, timeout=timeout))
    makers = {name: partial(make, standing) for name, make in SECTIONS.items()}
    return fuse(platform.clock.now(), str(found.mode), makers)


def _connectivity(standing: Standing) -> Section:
    reasons = [
        Reason(_GRADES[f.state], f"{f.part}: {f.detail}" + (f"; {f.cure}" if f.cure else ""))
        for f in standing.findings
        if f.state in _GRADES
    ]
    return Section.of("connectivity", reasons, {f.part: str(f.state) for f in standing.findings})


def _migrations(standing: Standing) -> Section:
    stated = {
        f.part: (f.facts["revision"], f.facts["revision_needed"])
        for f in standing.findings
        if "revision_needed" in f.facts
    }
    return Section.of(
        "migrations", _behind(stated), {part: revision for part, (revision, _) in stated.items()}
    )


def _behind(stated: Mapping[str, tuple[object, object]]) -> Iterator[Reason]:
    if not stated:
        yield Reason(Grade.FAIL, "no database told its revision: see connectivity")
    for part, (revision, needed) in stated.items():
        if revision != needed:
            told = f"{part} is at revision {revision}, this program needs {needed}"
            yield Reason(Grade.FAIL, f"{told}: run 'emp migrate'")


def _ingest(standing: Standing) -> Section:
    runs = standing.platform.journal.runs(limit=_ATTEMPTS)
    return evaluate_ingest_health(runs, standing.platform.clock.now())


def _quality(standing: Standing) -> Section:
    today = standing.platform.clock.now().date()
    scores = standing.platform.store.scan(
        SCORES_DATASET, sessions=(today - _SCORED, today + timedelta(days=2))
    )
    return evaluate_quality(scores)


def _cache(standing: Standing) -> Section:
    from adapters.cache.cached_store import CachedBarStore

    store = standing.platform.store
    if standing.found.servers is None or not isinstance(store, CachedBarStore):
        why = "in bootstrap mode each reading process has a cache of its own"
        return Section.switched_off("cache", why)
    return evaluate_cache_health(store.cache.metrics())


def _kafka(standing: Standing) -> Section:
    servers = standing.found.servers
    if servers is None:
        return Section.switched_off("kafka", "bootstrap mode does without it")
    if not servers.kafka.streaming:
        return Section.switched_off("kafka", "KAFKA_INGEST_ENABLE_STREAMING=false")
    from adapters.kafka.factory import look

    clock = standing.platform.clock
    state = look(servers.kafka, standing.operations.outbox, clock)
    limits = servers.kafka.limits
    verdict = evaluate_kafka_readiness(state, now=clock.now(), limits=limits)
    facts = {
        "brokers": state.brokers,
        "topics": len(state.topics_there),
        "waiting": state.waiting,
        "lag": state.lag,
        "lost": state.lost,
    }
    return Section.of("kafka", verdict.reasons, facts)


SECTIONS: Mapping[str, Callable[[Standing], Section]] = {
    "connectivity": _connectivity,
    "migrations": _migrations,
    "ingest": _ingest,
    "quality": _quality,
    "cache": _cache,
    "kafka": _kafka,
}
"""Name of a section to what makes it, in the order of the report."""
