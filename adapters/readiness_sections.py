"""Readiness: what each section of the report is made from.

What belongs here: one function per section, from what an installation holds to the verdicts of
market_data/operations. A later part adds its own to `SECTIONS`.
What does not: the verdicts (market_data/operations), opening an installation's parts
(readiness_evidence.py), the report as a whole (readiness.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta

from adapters.clock import SystemClock
from adapters.failover import load_failover
from adapters.operations_watch import kafka_section
from adapters.probes import State
from adapters.readiness_evidence import Evidence, revisions
from adapters.stores.opening import open_redis_cache
from market_data.alerts.alert import Phase
from market_data.datasets import SCORES_DATASET
from market_data.exports.health import NAME as EXPORTS
from market_data.exports.health import REPORT as EXPORT
from market_data.exports.health import evaluate_exports
from market_data.failover.drill import REPORT as DRILL
from market_data.operations.alert_routes import evaluate_alert_routes
from market_data.operations.backups import NAME as BACKUPS
from market_data.operations.backups import REPORT as BACKUP
from market_data.operations.backups import evaluate_backups
from market_data.operations.cache_health import cache_away, evaluate_cache_health
from market_data.operations.data_retention import NAME as RETENTION
from market_data.operations.data_retention import retention_section
from market_data.operations.failover_health import (
    FAILOVER,
    RECOVERY,
    evaluate_failover,
    evaluate_recovery,
)
from market_data.operations.grades import Grade, Reason
from market_data.operations.ingest_health import QUIET, evaluate_ingest_health
from market_data.operations.kept_reports import evaluate_kept
from market_data.operations.latency import latency_section
from market_data.operations.observability import NAME as OBSERVABILITY
from market_data.operations.quality_health import evaluate_quality
from market_data.operations.readiness import Section
from market_data.operations.reports import MAKERS
from market_data.operations.stale_symbols import REPORT as STALE
from market_data.operations.stale_symbols import evaluate_stale_symbols

_DATABASES = ("timescaledb", "postgresql", "sqlite")
_SCORED = timedelta(days=30)
_BACKUPS = 50
"""How many of the newest reports on backups are looked through."""
_EXPORTS = 50
"""How many of the newest reports on exports are looked through."""
_GRADES = {State.ERROR: Grade.FAIL, State.DEGRADED: Grade.WARN}


def _connectivity(evidence: Evidence) -> Section:
    reasons = [
        Reason(_GRADES[f.state], f"{f.part}: {f.detail}" + (f"; {f.cure}" if f.cure else ""))
        for f in evidence.findings
        if f.state in _GRADES
    ]
    return Section.of("connectivity", reasons, {f.part: str(f.state) for f in evidence.findings})


def _migrations(evidence: Evidence) -> Section:
    stated = revisions(evidence.findings)
    facts = {part: str(revision) for part, (revision, _) in stated.items()}
    silent = [
        Reason(Grade.FAIL, f"{f.part} did not tell its revision: see connectivity")
        for f in evidence.findings
        if f.part in _DATABASES and f.part not in stated and f.state is not State.OFF
    ]
    return Section.of("migrations", [*silent, *_behind(stated)], facts)


def _behind(stated: Mapping[str, tuple[object, object]]) -> Iterator[Reason]:
    for part, (revision, needed) in stated.items():
        if revision != needed:
            told = f"{part} is at revision {revision}, this program needs {needed}"
            newer = str(revision) > str(needed) and revision is not None
            cure = "update this program" if newer else "run 'emp migrate'"
            yield Reason(Grade.FAIL, f"{told}: {cure}")


def _ingest(evidence: Evidence) -> Section:
    runs = evidence.operations.journal.runs(since=evidence.now - QUIET, limit=None)
    return evaluate_ingest_health(runs, evidence.now, evidence.limits.trends)


def _quality(evidence: Evidence) -> Section:
    today = evidence.now.date()
    scores = evidence.platform.store.scan(
        SCORES_DATASET, sessions=(today - _SCORED, today + timedelta(days=2))
    )
    return evaluate_quality(scores)


def _cache(evidence: Evidence) -> Section:
    servers = evidence.found.servers
    if servers is None:
        why = "in bootstrap mode each reading process has a cache of its own"
        return Section.switched_off("cache", why)
    away = [f for f in evidence.findings if f.part == "redis" and f.state is State.ERROR]
    if away:
        return cache_away(away[0].detail)
    limits = evidence.limits.cache
    with closing(open_redis_cache(servers.redis)) as cache:
        return evaluate_cache_health(cache.metrics(), limits)


def _kafka(evidence: Evidence) -> Section:
    servers = evidence.found.servers
    if servers is None:
        return Section.switched_off("kafka", "bootstrap mode does without it")
    if not servers.kafka.streaming:
        return Section.switched_off("kafka", "KAFKA_INGEST_ENABLE_STREAMING=false")
    return kafka_section(servers.kafka, evidence.operations.outbox, SystemClock())


def _failover(evidence: Evidence) -> Section:
    if evidence.found.servers is None:
        return Section.switched_off(FAILOVER, "in bootstrap mode no server can be away")
    decided = evidence.operations.failover.decisions(1)
    return evaluate_failover(decided[0] if decided else None)


def _recovery(evidence: Evidence) -> Section:
    if evidence.found.servers is None:
        return Section.switched_off(RECOVERY, "in bootstrap mode no server can be away")
    drills = evidence.operations.reports.newest(DRILL)
    return evaluate_recovery(
        evidence.operations.failover.open(),
        drills[0] if drills else None,
        load_failover(evidence.found.settings),
        evidence.now,
    )


def _alerts(evidence: Evidence) -> Section:
    from adapters.alerts.configuration import load_alert_rules
    from adapters.alerts.sender import AlertSender

    alerts = evidence.operations.alerts
    sender = AlertSender(alerts.outbox, load_alert_rules(evidence.found.settings), SystemClock())
    still_open = [alert for alert in alerts.newest() if alert.phase is Phase.OPEN]
    return evaluate_alert_routes(sender.facts(), len(still_open))


def _live(name: str) -> Callable[[Evidence], Section]:
    """A report on operations, made anew."""

    def section(evidence: Evidence) -> Section:
        return MAKERS[name](evidence.seen, evidence.limits).section()

    return section


def _fused(evidence: Evidence) -> Section:
    """The one payload about ingest; what it complains of is told by the sections beside it."""
    made = _live(OBSERVABILITY)(evidence)
    if made.grade is Grade.OK:
        return made
    told = Reason(made.grade, "see the sections ingest_health and latency")
    return Section.of(made.name, [told], made.facts)


def _kept(name: str) -> Callable[[Evidence], Section]:
    """A report on operations as it was made last: it speaks of a day, or of many."""

    def section(evidence: Evidence) -> Section:
        made = evidence.operations.reports.newest(name)
        return evaluate_kept(name, made[0] if made else None, evidence.now)

    return section


def _retention(evidence: Evidence) -> Section:
    return retention_section(_kept(RETENTION)(evidence))


def _stale_symbols(evidence: Evidence) -> Section:
    made = evidence.operations.reports.newest(STALE)
    return evaluate_stale_symbols(made[0] if made else None)


def _backups(evidence: Evidence) -> Section:
    configured = evidence.found.settings.backup_dir is not None
    kept = evidence.operations.reports.newest(BACKUP, limit=_BACKUPS)
    return evaluate_backups(kept, evidence.now, configured=configured)


def _exports(evidence: Evidence) -> Section:
    from adapters.exports.looking import export_states, source_of, store_of

    settings = evidence.found.settings
    source = source_of(evidence.found, evidence.platform)
    return evaluate_exports(
        export_states(store_of(settings), source),
        evidence.operations.reports.newest(EXPORT, limit=_EXPORTS),
        evidence.now,
        configured=settings.export_dir is not None,
    )


def _latency(evidence: Evidence) -> Section:
    return latency_section(evidence.seen, evidence.limits.latency)


SECTIONS: Mapping[str, Callable[[Evidence], Section]] = {
    "connectivity": _connectivity,
    "migrations": _migrations,
    "ingest": _ingest,
    "ingest_health": _live("ingest_health"),
    "ingest_trends": _live("ingest_trends"),
    "ingest_metrics": _live("ingest_metrics"),
    "ingest_observability": _fused,
    "latency": _latency,
    "stale_symbols": _stale_symbols,
    "quality": _quality,
    "cache": _cache,
    "kafka": _kafka,
    FAILOVER: _failover,
    RECOVERY: _recovery,
    "alerts": _alerts,
    "slo_report": _kept("slo_report"),
    "daily_checklist": _kept("daily_checklist"),
    RETENTION: _retention,
    BACKUPS: _backups,
    EXPORTS: _exports,
}
"""Name of a section to what makes it, in the order of the report."""
