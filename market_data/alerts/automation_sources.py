"""From what runs by itself to looks at things: late runs, schedules cut off, parked messages.

What belongs here: fingerprints and verdicts about what runs by itself. What does not: reading it
(sensors/schedule_facts.py), when a schedule is cut off (market_data/automation/cutoff.py), when a
message is parked (market_data/refresh_messages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from market_data.alerts.alert import RUNBOOKS, Kind, Severity, Sighting, Trouble
from market_data.alerts.facts import SlaFact
from market_data.automation.cutoff import CutoffState

_NAMED = 3


def sightings_of_sla(fact: SlaFact, now: datetime) -> Iterator[Sighting]:
    """A schedule whose runs should be over; one that promised nothing is nobody's worry."""
    fingerprint = f"sla|{fact.schedule}"
    if fact.tick is None or not fact.late:
        yield Sighting(fingerprint, now)
        return
    more = f" and {len(fact.late) - _NAMED} more" if len(fact.late) > _NAMED else ""
    yield Sighting(
        fingerprint,
        now,
        _trouble(
            Kind.SLA,
            fact.schedule,
            f"its tick of {fact.tick:%Y-%m-%d %H:%M} UTC is not done",
            "; ".join(fact.late[:_NAMED]) + more,
        ),
    )


def sightings_of_cut_offs(states: Iterable[CutoffState], now: datetime) -> Iterator[Sighting]:
    """Schedules that stopped asking, and those that ask again."""
    for state in states:
        trouble = None
        if state.cut_at is not None:
            trouble = _trouble(
                Kind.CUT_OFF,
                state.name,
                f"it is cut off since {state.cut_at:%Y-%m-%d %H:%M} UTC",
                f"the runs of {state.failures} ticks in a row failed",
            )
        yield Sighting(f"cut_off|{state.name}", now, trouble)


def sightings_of_parked(waiting: int, newest: str, now: datetime) -> Iterator[Sighting]:
    """Messages that wait for somebody to decide about them.

    Args:
        waiting: how many.
        newest: why the newest of them was parked.
        now: the moment.
    """
    trouble = None
    if waiting:
        group = "messages"
        trouble = Trouble(
            kind=Kind.PARKED_MESSAGES,
            severity=Severity.WARN,
            group=group,
            title=f"{group}: {waiting} that ask for a refresh are parked",
            detail=f"the newest: {newest}",
            runbook=RUNBOOKS[Kind.PARKED_MESSAGES],
        )
    yield Sighting("parked_messages", now, trouble)


def _trouble(kind: Kind, schedule: str, what: str, detail: str) -> Trouble:
    group = f"schedule {schedule}"
    return Trouble(
        kind=kind,
        severity=Severity.ERROR,
        group=group,
        title=f"{group}: {what}",
        detail=detail,
        runbook=RUNBOOKS[kind],
    )
