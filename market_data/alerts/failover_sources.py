"""From failover to looks at things: a warehouse that is away, slices that nothing mends.

What belongs here: fingerprints and verdicts. What does not: deciding (market_data/failover).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from market_data.alerts.alert import RUNBOOKS, Kind, Severity, Sighting, Trouble
from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import Decision, MissedSlice, Standing

_NAMED = 3


def sightings_of_failover(
    newest: Decision | None,
    waiting: Sequence[MissedSlice],
    policy: FailoverPolicy,
    now: datetime,
) -> Iterator[Sighting]:
    """The warehouse, and the slices that it missed.

    Args:
        newest: the newest decision; None where none was ever taken.
        waiting: slices that are not made yet.
        policy: how often a slice is tried.
        now: the moment, aware.
    """
    away = newest is not None and newest.became is Standing.AWAY
    told = f"it is away since {newest.at:%Y-%m-%d %H:%M} UTC" if newest else ""
    trouble = _trouble(Severity.ERROR, told, newest.reason) if newest and away else None
    yield Sighting("failover|store", now, trouble)
    stuck = [m for m in waiting if m.attempts >= policy.replay.attempts]
    names = ", ".join(f"{m.dataset} {m.first} to {m.last}" for m in stuck[:_NAMED])
    what = f"{len(stuck)} missed slices are not whole after {policy.replay.attempts} attempts"
    trouble = _trouble(Severity.WARN, what, names) if stuck else None
    yield Sighting("failover|missed", now, trouble)


def _trouble(severity: Severity, what: str, detail: str) -> Trouble:
    return Trouble(
        kind=Kind.FAILOVER,
        severity=severity,
        group="failover",
        title=f"TimescaleDB: {what}",
        detail=detail,
        runbook=RUNBOOKS[Kind.FAILOVER],
    )
