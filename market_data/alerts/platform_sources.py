"""From the state of the platform to looks at things: bars, ticks, backfills, daemons, vendors.

What belongs here: fingerprints and verdicts about whatever no run speaks of.
What does not: reading it (sensors/instance_facts.py), runs (sources.py), how far stored bars reach
(age_sources.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from market_data.alerts.alert import (
    RUNBOOKS,
    Kind,
    Severity,
    Sighting,
    Trouble,
)
from market_data.alerts.facts import (
    BackfillFact,
    BreakerFact,
    DaemonFact,
    RouteFact,
    TickFact,
)
from market_data.alerts.rules import Watch, route_group


def sightings_of_ticks(facts: Iterable[TickFact], watch: Watch) -> Iterator[Sighting]:
    """Sensors and schedules whose newest ticks failed; one that was stopped is nobody's worry."""
    for fact in facts:
        fingerprint = f"tick|{fact.what}|{fact.name}"
        newest = fact.ticks[: watch.failed_ticks]
        if not fact.running or (newest and not newest[0][1]):
            at = newest[0][0] if newest else None
            if at is not None:
                yield Sighting(fingerprint, at)
        elif len(newest) == watch.failed_ticks and all(error for _, error in newest):
            at, error = newest[0]
            trouble = _trouble(
                Kind.TICK, Severity.ERROR, f"{fact.what} {fact.name}", "its ticks fail", error
            )
            yield Sighting(fingerprint, at, trouble)


def sightings_of_backfills(
    facts: Iterable[BackfillFact], watch: Watch, now: datetime
) -> Iterator[Sighting]:
    """Backfills that failed, or of which nothing moves."""
    for fact in facts:
        fingerprint, group = f"backfill|{fact.backfill_id}", f"backfill {fact.backfill_id}"
        idle = now - fact.moved
        if fact.over and not fact.failed:
            yield Sighting(fingerprint, now)
        elif fact.failed:
            trouble = _trouble(Kind.BACKFILL, Severity.ERROR, group, "it failed", fact.error)
            yield Sighting(fingerprint, now, trouble)
        elif idle >= watch.stuck_backfill:
            detail = f"{fact.title}: no run of it has moved for {_minutes(idle.total_seconds())}"
            trouble = _trouble(Kind.BACKFILL, Severity.ERROR, group, "it is stuck", detail)
            yield Sighting(fingerprint, now, trouble)
        else:
            yield Sighting(fingerprint, now)


def sightings_of_daemons(
    facts: Iterable[DaemonFact], watch: Watch, now: datetime
) -> Iterator[Sighting]:
    """Daemons without a heartbeat, or with one that tells of errors.

    One that never beat is told of only by its errors: it may just be starting.
    """
    for fact in facts:
        fingerprint, group = f"daemon|{fact.name}", f"daemon {fact.name}"
        silent = fact.beat is not None and now - fact.beat >= watch.silent_daemon
        if silent and fact.beat is not None:
            told = f"no heartbeat since {fact.beat:%Y-%m-%d %H:%M:%S} UTC"
            trouble = _trouble(Kind.DAEMON, Severity.ERROR, group, "it is silent", told)
            yield Sighting(fingerprint, now, trouble)
        elif fact.errors:
            trouble = _trouble(
                Kind.DAEMON, Severity.WARN, group, "its heartbeat tells of errors", fact.errors[0]
            )
            yield Sighting(fingerprint, now, trouble)
        else:
            yield Sighting(fingerprint, now)


def sightings_of_several_daemons(
    several: bool | None, told: str, now: datetime
) -> Iterator[Sighting]:
    """Whether more than one daemon runs on the instance.

    Args:
        several: None where nobody knows.
        told: what a person is told of it.
        now: the moment.
    """
    if several is None:
        return
    group = "Dagster's daemon"
    trouble = _trouble(Kind.DAEMON, Severity.WARN, group, "it is not alone", told)
    yield Sighting("daemons", now, trouble if several else None)


def sightings_of_breakers(facts: Iterable[BreakerFact], now: datetime) -> Iterator[Sighting]:
    """Vendors that are left alone since they failed too often.

    Of one that is tried again nobody knows yet.
    """
    for fact in facts:
        fingerprint = f"breaker|{fact.vendor}"
        if fact.state == "closed":
            yield Sighting(fingerprint, now)
        if fact.state != "open":
            continue
        trouble = _trouble(
            Kind.BREAKER,
            Severity.WARN,
            f"vendor {fact.vendor}",
            "it is left alone after repeated failures",
            fact.trouble,
        )
        yield Sighting(fingerprint, now, trouble)


def sighting_of_look(part: str, error: str, now: datetime) -> Sighting:
    """A part of the platform that the sensor could not look at, or could again.

    Args:
        part: what was looked at, in words.
        error: why it could not be; empty where it could.
        now: the moment.
    """
    trouble = None
    if error:
        what = "the sensor alerts_of_the_platform cannot look at them"
        trouble = _trouble(Kind.TICK, Severity.ERROR, part, what, error)
    return Sighting(f"look|{part}", now, trouble)


def sightings_of_routes(
    facts: Iterable[RouteFact], watch: Watch, now: datetime
) -> Iterator[Sighting]:
    """Routes that take nothing; the other routes are told."""
    for fact in facts:
        fingerprint, group = f"route|{fact.name}", route_group(fact.name)
        down = fact.down_since is not None and now - fact.down_since >= watch.route_down
        if down:
            what = f"it has taken nothing since {fact.down_since:%Y-%m-%d %H:%M} UTC"
            yield Sighting(
                fingerprint, now, _trouble(Kind.ROUTE, Severity.ERROR, group, what, fact.error)
            )
        elif fact.refused:
            what = f"it refused, or never answered, {fact.refused} messages: they are set aside"
            yield Sighting(
                fingerprint, now, _trouble(Kind.ROUTE, Severity.ERROR, group, what, fact.error)
            )
        elif fact.down_since is None:
            yield Sighting(fingerprint, now)


def _trouble(kind: Kind, severity: Severity, group: str, what: str, detail: str) -> Trouble:
    return Trouble(
        kind=kind,
        severity=severity,
        group=group,
        title=f"{group}: {what}",
        detail=detail,
        runbook=RUNBOOKS[kind],
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
