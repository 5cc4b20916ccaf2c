"""The cut-off: a schedule whose runs fail again and again stops asking.

What belongs here: from the ends of its ticks to whether the next one may run. What does not:
reading runs (jobs/automation/ends.py), keeping the state (adapters/operations).

A tick has failed where none of its runs succeeded and one failed for another reason than a check
that blocks: data that are held back are no reason to stop asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import takewhile

from market_data.automation.policy import CutoffRules


@dataclass(frozen=True)
class TickEnd:
    """One tick whose runs are over.

    Attributes:
        at: when the tick was due, UTC.
        failed: whether it counts as failed.
    """

    at: datetime
    failed: bool


@dataclass(frozen=True)
class CutoffState:
    """What is remembered of one schedule.

    Attributes:
        name: of the schedule.
        failures: ticks in a row that failed.
        cut_at: since when it is cut off; None where it is not.
        resumed_at: when a person let it run again; ticks before that count no more.
        probed_at: when it was let through last, to see whether it fares better.
    """

    name: str
    failures: int = 0
    cut_at: datetime | None = None
    resumed_at: datetime | None = None
    probed_at: datetime | None = None


class Turn(StrEnum):
    """What becomes of a tick."""

    GO = "go"
    PROBE = "probe"
    SKIP = "skip"


def turn(
    state: CutoffState, ends: Iterable[TickEnd], now: datetime, rules: CutoffRules
) -> tuple[CutoffState, Turn]:
    """Whether a tick may run, and what is remembered from now on.

    A probe is due so long after the newest tick that failed, or that was let through as one: a
    schedule whose ticks lie further apart loses none. The same tick is answered the same again.

    Args:
        state: what is remembered.
        ends: ticks whose runs are over, newest first.
        now: the moment of the tick, UTC.
        rules: the limits.
    """
    counted = (e for e in ends if state.resumed_at is None or e.at >= state.resumed_at)
    failed = list(takewhile(lambda end: end.failed, counted))
    if len(failed) < rules.failures:
        return replace(state, failures=len(failed), cut_at=None, probed_at=None), Turn.GO
    cut = replace(state, failures=len(failed), cut_at=state.cut_at or now)
    tried = max(failed[0].at, state.probed_at or failed[0].at)
    if state.probed_at != now and now - tried < rules.probe:
        return cut, Turn.SKIP
    return replace(cut, probed_at=now), Turn.PROBE


def resumed(state: CutoffState, now: datetime) -> CutoffState:
    """The state once a person has let a schedule run again."""
    return CutoffState(state.name, resumed_at=now)
