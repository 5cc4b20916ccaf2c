"""What every launch of a backfill goes through, whoever launches it: a person, or a sensor.

What belongs here: the pilot that a large one needs, the snapshot that is kept, the hours in which
it may begin, as one function of plan and policy. What does not: whether a pilot has passed
(experience.py), taking the snapshot (adapters/snapshots.py), what a launcher does with a refusal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from market_data.backfill.experience import refusal
from market_data.backfill.plans import BackfillPlan
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill


@dataclass(frozen=True)
class Guarded:
    """A plan as it is launched.

    Attributes:
        plan: names the snapshot that is taken before its first piece, and says when pieces begin.
        refused: why it may not be launched, in a sentence; empty where it may.
    """

    plan: BackfillPlan
    refused: str = ""


def guarded(
    plan: BackfillPlan,
    earlier: Iterable[Backfill],
    policy: BackfillPolicy,
    now: datetime,
    classes: Mapping[str, str] | None = None,
    *,
    off_peak: bool = False,
    snapshot: bool = True,
) -> Guarded:
    """A plan with all that the policy asks of its launch.

    Args:
        plan: what would be launched.
        earlier: backfills, over or not; among them is the pilot.
        policy: what is large, what is kept, when it begins.
        now: the moment, aware.
        classes: symbol to asset class, of each of which a pilot has to have tried some.
        off_peak: whether the launcher wants it off peak, however small.
        snapshot: False where the launcher wants none.
    """
    late = off_peak or policy.begins_off_peak(plan.symbol_sessions)
    kept = snapshot and bool(plan.pieces) and policy.keeps(plan.symbol_sessions)
    name = snapshot_name(now) if kept else ""
    refused = refusal(plan, earlier, policy, now, classes)
    return Guarded(replace(plan, off_peak=late, snapshot=name), refused)


def snapshot_name(at: datetime) -> str:
    """A name for a snapshot of a backfill that is launched now."""
    return f"{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
