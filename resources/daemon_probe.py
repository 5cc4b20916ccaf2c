"""A look at Dagster's daemon: whether it beats.

What belongs here: reading heartbeats from an instance. What does not: starting it (`emp dev`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from adapters.probes import Facts, Finding, Probe, State

if TYPE_CHECKING:
    import dagster as dg

    OpenInstance = Callable[[], AbstractContextManager[dg.DagsterInstance]]

PART = "dagster_daemon"


def daemon_probe(open_instance: OpenInstance, *, required: bool) -> Probe:
    """A look at the daemon's heartbeats.

    Args:
        open_instance: opens the instance whose daemon it is.
        required: whether a daemon that does not run is an error, or merely off.
    """
    cure = "start it: dagster-daemon run" if required else "'emp dev' starts it with the UI"
    return Probe(PART, lambda: _look(open_instance, cure, required=required), cure)


def _look(open_instance: OpenInstance, cure: str, *, required: bool) -> Finding:
    from dagster._daemon.controller import get_daemon_statuses

    with open_instance() as instance:
        wanted = instance.get_required_daemon_types()
        # An error is that of one tick, told by the tick and its alert; the daemon works on.
        statuses = get_daemon_statuses(instance, daemon_types=wanted, ignore_errors=True)
    stopped = sorted(name for name, status in statuses.items() if not status.healthy)
    facts: Facts = {"daemons": len(statuses), "healthy": len(statuses) - len(stopped)}
    if not stopped:
        return Finding(PART, State.OK, f"{len(statuses)} of its parts beat", facts=facts)
    if len(stopped) < len(statuses):
        told = f"without a healthy heartbeat: {', '.join(stopped)}"
        return Finding(PART, State.DEGRADED, told, "see the daemon's log", facts)
    state = State.ERROR if required else State.OFF
    told = "it does not run; schedules, sensors and backfills of the UI wait for it"
    return Finding(PART, state, told, cure if required else "", facts)
