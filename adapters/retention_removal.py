"""Removing what config/retention.yaml does not keep, and leaving a trace of it.

What belongs here: what is held back, the reports before and after. What does not: which rows go,
and how (market_data/pipeline/removing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from adapters.operations_opening import Operations
from adapters.retention import load_data_retention
from adapters.settings import Settings
from market_data.errors import StoreUnavailableError
from market_data.failover.state import Standing
from market_data.operations.grades import Grade
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.removing import Removed, planned_removals, remove
from market_data.ports import Report
from market_data.retention.leaving import Leaving

REPORT = "retention_removal"
"""Name of the reports that a removal leaves: one before it, one behind it."""


@dataclass(frozen=True)
class Applied:
    """What a removal did.

    Attributes:
        done: what went and what stays for a reason, per month of a dataset.
        held_back: datasets of which too large a share would have gone.
    """

    done: tuple[Removed, ...]
    held_back: tuple[Leaving, ...]

    @property
    def gone(self) -> int:
        """Rows that went."""
        return sum(removed.gone for removed in self.done)

    @property
    def kept(self) -> int:
        """Rows that stay, because the raw logs do not make them again."""
        return sum(removed.kept for removed in self.done)

    def told(self) -> list[dict[str, Any]]:
        """By dataset: rows that went, rows that stay, the sessions."""
        names = dict.fromkeys(removed.removal.dataset.name for removed in self.done)
        return [_told(name, self.done) for name in names]


def leaving_of(settings: Settings, platform: Platform) -> list[Leaving]:
    """What may go now, per dataset; nothing is removed.

    Raises:
        ConfigurationError: config/retention.yaml is wrong.
    """
    policy = load_data_retention(settings)
    return planned_removals(platform, policy, platform.clock.now().date())


def apply_retention(
    settings: Settings,
    platform: Platform,
    operations: Operations,
    *,
    whole: bool = False,
    tell: Progress = silent,
) -> Applied:
    """Remove what the policy does not keep, where the raw logs make it again.

    Args:
        settings: say where the policy is.
        platform: configuration and ports.
        operations: ports of the operations database; its reports hold the trace.
        whole: also of datasets of which a large share goes.
        tell: told what is being done.

    Raises:
        ConfigurationError: config/retention.yaml is wrong.
        StoreUnavailableError: the warehouse is away, or what it missed is being made.
    """
    policy = load_data_retention(settings)
    if operations.failover.standing() is not Standing.NORMAL:
        raise StoreUnavailableError(
            "the warehouse is away, or what it missed is still being made: nothing is removed "
            "meanwhile; see 'emp failover status'"
        )
    found = planned_removals(platform, policy, platform.clock.now().date())
    held_back = [f for f in found if f.share > policy.removal.at_most and not whole]
    going = [removal for f in found if f not in held_back for removal in f.removals]
    if going:
        planned = [f"{r.dataset.name} {r.sessions[0]}..{r.sessions[1]}: {r.rows}" for r in going]
        _keep(platform, operations, Grade.WARN, {"state": "begun", "planned": planned})
    gone: list[Removed] = []
    try:
        gone.extend(remove(platform, going, tell))
    except BaseException as error:
        # What stopped the removal counts, not that its report cannot be kept either.
        with suppress(Exception):
            _keep(platform, operations, *_ending(gone, held_back, error))
        raise
    if going or held_back:
        _keep(platform, operations, *_ending(gone, held_back))
    return Applied(tuple(gone), tuple(held_back))


def _ending(
    gone: Sequence[Removed], held_back: Sequence[Leaving], stopped: BaseException | None = None
) -> tuple[Grade, dict[str, Any]]:
    """The report behind a removal, also behind one that did not come to its end."""
    done = Applied(tuple(gone), tuple(held_back))
    body: dict[str, Any] = {
        "state": "done" if stopped is None else "stopped",
        "removed": done.told(),
        "held_back": [f"{f.dataset}: {f.rows} of {f.held} rows" for f in done.held_back],
    }
    if stopped is not None:
        return Grade.WARN, {**body, "error": f"{type(stopped).__name__}: {stopped}"}
    return (Grade.WARN if done.held_back or done.kept else Grade.OK), body


def _told(name: str, done: Sequence[Removed]) -> dict[str, Any]:
    mine = [removed for removed in done if removed.removal.dataset.name == name]
    return {
        "dataset": name,
        "gone": sum(removed.gone for removed in mine),
        "kept": sum(removed.kept for removed in mine),
        "first": str(min(removed.removal.sessions[0] for removed in mine)),
        "last": str(max(removed.removal.sessions[1] for removed in mine)),
    }


def _keep(platform: Platform, operations: Operations, grade: Grade, body: dict[str, Any]) -> None:
    operations.reports.keep(Report(REPORT, platform.clock.now(), str(grade), body))
