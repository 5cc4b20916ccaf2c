"""A look at Dagster's daemon: whether it beats, and whether it is alone.

What belongs here: reading heartbeats from an instance. What does not: starting it (`emp dev`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import groupby
from typing import TYPE_CHECKING

from adapters.probes import Facts, Finding, Probe, State

if TYPE_CHECKING:
    import dagster as dg

    OpenInstance = Callable[[], AbstractContextManager[dg.DagsterInstance]]

PART = "dagster_daemon"
SEVERAL = "more than one daemon runs on this instance, and each asks for the runs of schedules"
_UNREAD = "see whether Dagster's records can be read; whether a daemon runs is not known"
"""Of a look that failed or did not come back: to start a daemon could make a second one of it."""
_RECENT_SECONDS = 300.0
"""Older heartbeats say nothing of who runs now."""


def daemon_probe(open_instance: OpenInstance, *, required: bool) -> Probe:
    """A look at the daemon's heartbeats.

    Args:
        open_instance: opens the instance whose daemon it is.
        required: whether a daemon that does not run is an error, or merely off.
    """
    cure = "start it: dagster-daemon run" if required else "'emp dev' starts it with the UI"
    return Probe(PART, lambda: _look(open_instance, cure, required=required), _UNREAD)


def _look(open_instance: OpenInstance, cure: str, *, required: bool) -> Finding:
    from dagster._daemon.controller import get_daemon_statuses

    with open_instance() as instance:
        wanted = instance.get_required_daemon_types()
        # An error is that of one tick, told by the tick and its alert; the daemon works on.
        statuses = get_daemon_statuses(instance, daemon_types=wanted, ignore_errors=True)
        several = several_daemons(instance)
    stopped = sorted(name for name, status in statuses.items() if not status.healthy)
    facts: Facts = {"daemons": len(statuses), "healthy": len(statuses) - len(stopped)}
    if several:
        return Finding(PART, State.DEGRADED, SEVERAL, "end all daemons but one", facts)
    if not stopped:
        return Finding(PART, State.OK, f"{len(statuses)} of its parts beat", facts=facts)
    if len(stopped) < len(statuses):
        told = f"without a healthy heartbeat: {', '.join(stopped)}"
        return Finding(PART, State.DEGRADED, told, "see the daemon's log", facts)
    state = State.ERROR if required else State.OFF
    told = "it does not run; schedules, sensors and backfills of the UI wait for it"
    return Finding(PART, state, told, cure if required else "", facts)


def several_daemons(instance: dg.DagsterInstance) -> bool | None:
    """Whether more than one daemon beats; None where the heartbeats do not tell.

    Each part has one heartbeat, which names the daemon that gave it last. Those of a daemon that
    took the place of another are all younger than the other's; only of daemons that run at the same
    time does one beat before and after the other.
    """
    recent = time.time() - _RECENT_SECONDS
    beats = [b for b in instance.get_daemon_heartbeats().values() if b.timestamp >= recent]
    ordered = [str(b.daemon_id) for b in sorted(beats, key=lambda b: b.timestamp)]
    turns = [name for name, _ in groupby(ordered)]
    if len(turns) > len(set(turns)):
        return True
    return False if len(turns) == 1 else None
