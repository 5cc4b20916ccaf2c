"""Failover as the command line shows and does it.

What belongs here: the standing, a drill, making what was missed in this process.
What does not: showing (emp/commands/failover.py), the rules (market_data/failover).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.backend import open_platform
from adapters.failover import load_failover
from adapters.modes import decide
from adapters.operations_opening import Operations, open_operations
from adapters.settings import Settings
from market_data.failover.state import Decision, MissedSlice, Standing

if TYPE_CHECKING:
    from market_data.failover.drill import Drill
    from market_data.pipeline.platform import Platform


@dataclass(frozen=True)
class Status:
    """Where an installation stands.

    Attributes:
        watched: whether there is a server that may be away.
        standing: normal, away or back.
        decisions: the newest, newest first.
        missed: slices that are not made yet, and the newest that are; newest first.
        attempts: runs for one slice before a person has to look.
    """

    watched: bool
    standing: Standing
    decisions: list[Decision]
    missed: list[MissedSlice]
    attempts: int

    @property
    def open(self) -> list[MissedSlice]:
        """Slices that are not made yet, oldest first."""
        return sorted((m for m in self.missed if not m.replayed_at), key=lambda m: m.number)

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "watched": self.watched,
            "standing": str(self.standing),
            "decisions": [decision.to_json() for decision in self.decisions],
            "missed": [slice_json(missed) for missed in self.missed],
        }


def slice_json(missed: MissedSlice) -> dict[str, Any]:
    """A missed slice as JSON values."""
    return {
        "number": missed.number,
        "dataset": missed.dataset,
        "symbols": list(missed.symbols),
        "first": missed.first.isoformat(),
        "last": missed.last.isoformat(),
        "noted_at": missed.noted_at.isoformat(),
        "decision": missed.decision,
        "attempts": missed.attempts,
        "replayed_at": missed.replayed_at.isoformat() if missed.replayed_at else None,
        "rows": missed.rows,
        "digest_lake": missed.digest_lake,
        "digest_store": missed.digest_store,
        "remark": missed.remark,
    }


def status_of(settings: Settings, *, limit: int = 20) -> Status:
    """The standing of an installation, with its newest decisions and missed slices.

    Raises:
        ConfigurationError: a setting or config/failover.yaml is wrong.
    """
    found = decide(settings)
    failover = open_operations(found.operations_url).failover
    decisions = failover.decisions(limit)
    still_open = {missed.number: missed for missed in failover.open()}
    newest = {missed.number: missed for missed in failover.newest(limit)}
    missed = sorted((still_open | newest).values(), key=lambda m: -m.number)
    standing = decisions[0].became if decisions else Standing.NORMAL
    attempts = load_failover(settings).replay.attempts
    return Status(found.servers is not None, standing, decisions, missed, attempts)


def rehearsed(settings: Settings, symbols: list[str]) -> Drill:
    """Rehearse an outage, and keep the result among the reports.

    Raises:
        ConfigurationError: nothing was fetched yet, or a symbol is not configured.
    """
    from adapters.failover_drill import drill

    platform = open_platform(settings)
    done = drill(settings, platform, symbols)
    _operations(settings).reports.keep(done.to_keep())
    return done


def restore(settings: Settings, tell: Callable[[str], object]) -> list[MissedSlice]:
    """Make every missed slice now, in this process, and compare it with the lake.

    Args:
        settings: of the installation.
        tell: told, in a sentence, what is done.

    Returns:
        Slices that are open still.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    from emp.reference import published_tables
    from emp.run import quiet_dagster

    quiet_dagster()
    from jobs.failover import settle
    from market_data.pipeline.missed_features import is_features, waits

    policy, failover = load_failover(settings), _operations(settings).failover
    platform = open_platform(settings)
    failover.again([missed.number for missed in failover.open()])

    def whole(missed: MissedSlice) -> bool:
        return settle(
            platform, failover, missed, policy, tell, tables=lambda: published_tables(settings)
        )

    # Features after all that they are made of.
    for last in (False, True):
        waiting = failover.open()
        turn = [m for m in waiting if is_features(m.dataset) is last and not waits(m, waiting)]
        left = {missed.number: missed for missed in turn if not whole(missed)}
        if left:
            _make(settings, platform, list(left.values()), tell)
        for missed in failover.open():
            if missed.number in left:
                whole(missed)
    return failover.open()


def _make(
    settings: Settings,
    platform: Platform,
    left: list[MissedSlice],
    tell: Callable[[str], object],
) -> None:
    """Make slices, each as one run of the graph, or without one where it is small."""
    from definitions import build_definitions
    from emp.instance import open_instance
    from emp.reference import published_tables
    from jobs.failover import TAG_MISSED, replay_selection
    from jobs.ranged_run import execute
    from market_data.pipeline.missed import made_at_once, replay

    failover = _operations(settings).failover
    definitions = build_definitions(settings)
    with open_instance(settings) as instance:
        for missed in left:
            failover.attempt(missed)
            tell(f"making missed slice {missed.number}: {missed.dataset}")
            if made_at_once(missed.dataset):
                replay(platform, missed, tables=lambda: published_tables(settings))
                continue
            execute(
                definitions,
                instance,
                replay_selection(missed),
                run_id=str(uuid.uuid4()),
                tags={TAG_MISSED: str(missed.number)},
            )


def _operations(settings: Settings) -> Operations:
    return open_operations(decide(settings).operations_url)
