"""What the ticks of the alert sensors do.

What belongs here: the order of the steps.
What does not: the sensors (alerts.py, which loads this module with their first tick), reading
Dagster (run_facts.py, instance_facts.py) and the platform (platform_looks.py), judging
(market_data/alerts), sending (adapters/alerts).

A tick that evaluates writes alerts and messages in one transaction and moves its cursor
afterwards: one that breaks off between the two is repeated, and looks that were taken already
change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import dagster as dg

from market_data.alerts.age_sources import late_symbols, sightings_of_ages
from market_data.alerts.alert import Alert, Kind, Phase, Sighting, Trouble
from market_data.alerts.automation_sources import (
    sightings_of_cut_offs,
    sightings_of_parked,
    sightings_of_sla,
)
from market_data.alerts.platform_sources import (
    sighting_of_look,
    sightings_of_backfills,
    sightings_of_breakers,
    sightings_of_daemons,
    sightings_of_routes,
    sightings_of_several_daemons,
    sightings_of_ticks,
)
from market_data.alerts.rules import AlertRules, Watch
from market_data.alerts.scopes import MarketDays, every_day, market_days
from market_data.alerts.sources import sightings_of_run
from market_data.automation.policy import DailyRules
from market_data.errors import MarketDataError
from resources.daemon_probe import SEVERAL, several_daemons
from resources.platform import PlatformResource
from resources.readiness import ReadinessResource
from sensors.cursors import remembered
from sensors.instance_facts import backfill_facts, daemon_facts, tick_facts
from sensors.platform_looks import (
    VERSION,
    Look,
    Seen,
    look_at_parts,
    looked_ages,
    looked_breakers,
    looked_failover,
)
from sensors.run_facts import Ends, asset_terms, ended_runs, newest_end, run_fact
from sensors.schedule_facts import sla_fact

RUNS_PER_TICK = 50
SENDING_SECONDS = 20.0
"""No message is begun after this long. Dagster gives a tick a minute, and an attempt takes up to
the time-out of its route."""
AGES_EVERY_SECONDS = 300.0
"""The newest bars of every symbol are looked up so often: it is the dearest of the looks."""
FORGOTTEN_AFTER = timedelta(days=30)
BREAKERS, BARS = "breakers of vendors", "stored bars"
Fact = TypeVar("Fact")


def look_at_runs(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult:
    """Look at the runs that ended since the last tick."""
    from adapters.alerts.configuration import load_alert_rules

    instance = context.instance
    read = _read(context.cursor)
    if read is None:
        return _runs_seen(newest_end(instance), "watching from here on")
    run_ids, read = ended_runs(instance, read, RUNS_PER_TICK)
    if not run_ids:
        return _runs_seen(read, "no run has ended")
    terms, rules = asset_terms(context.repository_def), load_alert_rules(platform.settings())
    runs = [run for run_id in run_ids if (run := run_fact(instance, run_id, terms)) is not None]
    days = _market_days(platform)

    def look(live: Mapping[str, Alert]) -> list[Sighting]:
        # A run may mend what an earlier one of the same tick has opened.
        known, seen = dict(live), list[Sighting]()
        for run in runs:
            found = sightings_of_run(run, known, parts_watched=rules.watch.parts, days=days)
            known |= {s.fingerprint: _standing(s, known) for s in found if s.trouble is not None}
            seen += found
        return seen

    messages = _evaluate(platform, look, rules)
    return _runs_seen(read, f"{len(runs)} runs, {messages} messages")


def _market_days(platform: PlatformResource) -> MarketDays:
    """Days with a session; every day where the configuration of instruments cannot be read.

    It is read where a run has mended a part of a failure alone, and nobody else waits for it.
    """
    from adapters.configuration import load_universe

    known: list[MarketDays] = []

    def days(trouble: Trouble) -> Collection[date]:
        if not known:
            try:
                known.append(market_days(load_universe(platform.settings())))
            except MarketDataError:
                known.append(every_day)
        return known[0](trouble)

    return days


def look_at_the_platform(
    context: dg.SensorEvaluationContext,
    platform: PlatformResource,
    parts: ReadinessResource,
    daily: DailyRules,
) -> dg.SensorResult:
    """Look at the platform."""
    from adapters.alerts.configuration import load_alert_rules

    seen = Seen.read(context.cursor)
    rules, now = load_alert_rules(platform.settings()), datetime.now(UTC)
    instance, watch = context.instance, rules.watch
    seen.note_clock(daily, now)
    # Read before the step that writes, which others wait for.
    live = platform.operations.open().alerts.newest()
    watched = [a.fingerprint.partition("|")[2] for a in live if a.trouble.kind is Kind.BACKFILL]
    breakers, looked = _tried(BREAKERS, lambda: looked_breakers(platform), now)
    seen_now = [
        *sightings_of_ticks(tick_facts(instance, seen.since, watch.failed_ticks), watch),
        *sightings_of_backfills(backfill_facts(instance, seen.since, watched), watch, now),
        *sightings_of_daemons(daemon_facts(instance), watch, now),
        *sightings_of_several_daemons(several_daemons(instance), SEVERAL, now),
        *sightings_of_breakers(breakers, now),
        looked,
        *sightings_of_cut_offs(platform.operations.open().automation.all(), now),
        *sightings_of_parked(*platform.operations.open().messages.waiting(), now),
        *looked_failover(platform, now),
        *sightings_of_sla(sla_fact(instance, daily, now, seen.promised), now),
    ]
    # Told before the store is asked: one that is away may use up the time of the tick.
    messages = _evaluate(platform, lambda _: seen_now, rules)
    if now.timestamp() - seen.aged >= AGES_EVERY_SECONDS:
        seen.aged = now.timestamp()
        messages += _evaluate(platform, _slow_look(context, platform, parts, seen, watch), rules)
    return dg.SensorResult(skip_reason=f"{messages} messages", cursor=seen.written())


def _slow_look(
    context: dg.SensorEvaluationContext,
    platform: PlatformResource,
    parts: ReadinessResource,
    seen: Seen,
    watch: Watch,
) -> Look:
    """The look at stored bars and at the watched parts."""
    now = datetime.now(UTC)
    found = look_at_parts(parts, seen, now) if watch.parts else None
    facts, looked = _tried(
        BARS, lambda: looked_ages(context, platform, seen) if watch.freshness else (), now
    )

    def look(live: Mapping[str, Alert]) -> list[Sighting]:
        for fact in facts:
            known = seen.late.get(fact.asset, {})
            watched = seen.current.get(fact.asset, ())
            seen.late[fact.asset] = late_symbols(fact, watched, known, live)
        return [
            looked,
            *sightings_of_ages(facts, seen.current, seen.late, live, now),
            *(found(live) if found is not None else ()),
        ]

    return look


def _tried(
    part: str, look: Callable[[], Iterable[Fact]], now: datetime
) -> tuple[list[Fact], Sighting]:
    """What a look found, and whether it could be taken: nothing else waits for what is away."""
    try:
        return list(look()), sighting_of_look(part, "", now)
    except MarketDataError as trouble:
        return [], sighting_of_look(part, str(trouble), now)


def deliver(platform: PlatformResource) -> dg.SkipReason:
    """Send what waits."""
    from adapters.alerts.configuration import load_alert_rules
    from adapters.alerts.sender import AlertSender, summary
    from adapters.clock import SystemClock

    rules, clock = load_alert_rules(platform.settings()), SystemClock()
    alerts = platform.operations.open().alerts
    sender = AlertSender(alerts.outbox, rules, clock)
    routes = list(sightings_of_routes(sender.facts(), rules.watch, clock.now()))
    # What waited for its time is told in the same step.
    _evaluate(platform, lambda _: routes, rules)
    done = sender.drain(seconds=SENDING_SECONDS)
    alerts.purge(before=clock.now() - FORGOTTEN_AFTER)
    told = [summary(done), _sign_of_life()]
    return dg.SkipReason("; ".join(filter(None, told)))


def _sign_of_life() -> str:
    """Tell a watcher outside that this tick went well; why it did not hear it, else empty."""
    from adapters.alerts.settings import AlertSettings
    from adapters.variables import read

    url = read(AlertSettings).heartbeat_url
    if url is None:
        return ""
    from adapters.alerts.heartbeat import beat

    return beat(url)


def _standing(sighting: Sighting, known: Mapping[str, Alert]) -> Alert:
    """The alert that a look is about to open, for the runs after it."""
    assert sighting.trouble is not None  # noqa: S101
    old = known.get(sighting.fingerprint)
    if old is not None:
        return replace(old, trouble=sighting.trouble)
    at = sighting.at
    return Alert(sighting.fingerprint, sighting.trouble, Phase.WAITING, at, at, at)


def _evaluate(platform: PlatformResource, look: Look, rules: AlertRules) -> int:
    """Take looks and put messages into the outbox; how many."""
    from adapters.alerts.secrets import cleaner

    alerts = platform.operations.open().alerts
    done = alerts.evaluate(look, rules, datetime.now(UTC), clean=cleaner(rules))
    return len(done.messages)


def _read(cursor: str | None) -> Ends | None:
    """The ends that were read; None before the first tick.

    Of a cursor without places the last minutes are read once more: looks that were taken already
    change nothing.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = remembered(cursor, VERSION)
    if "after" not in kept:
        return None
    places = kept.get("recent") or {}
    return Ends(int(kept["after"]), {int(place): at for place, at in places.items()})


def _runs_seen(read: Ends, reason: str) -> dg.SensorResult:
    cursor = json.dumps({"version": VERSION, "after": read.place, "recent": dict(read.recent)})
    return dg.SensorResult(skip_reason=reason, cursor=cursor)
