"""From looks at the warehouse's server to decisions.

What belongs here: the rules, as functions of what is remembered and what is seen now. What does
not: looking, remembering, acting (sensors/failover.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import Decision, Look, Missing, Standing, Streak

AUTHOR = "policy"
"""Who takes the decisions that follow from the policy."""


def seen(before: Streak | None, look: Look, policy: FailoverPolicy) -> Streak:
    """What is remembered after one more look.

    Args:
        before: what was remembered; None for the first look.
        look: what was found now.
        policy: says how far looks may be apart to speak of the time between them.
    """
    apart = timedelta(0) if before is None else look.at - before.last
    if (
        before is None
        or before.reachable is not look.reachable
        or not timedelta(0) <= apart <= policy.trigger.longest_gap
    ):
        return Streak(look.reachable, look.at, look.at, 1, look.reason)
    return replace(
        before, last=look.at, looks=before.looks + 1, reason=look.reason or before.reason
    )


def decide(
    standing: Standing, streak: Streak, missing: Missing, policy: FailoverPolicy
) -> Decision | None:
    """The change that is due; None where everything stays as it is.

    Args:
        standing: as it is.
        streak: the newest looks, all of which found the same.
        missing: slices that wait to be made.
        policy: the limits.
    """
    lasted = streak.last - streak.since
    evidence: dict[str, Any] = {
        "looks": streak.to_json(),
        "lasted_seconds": lasted.total_seconds(),
        "missed_required": missing.required,
        "missed_optional": missing.optional,
    }
    if not streak.reachable:
        if standing is Standing.AWAY:
            return None
        reason = _why_away(streak, missing, policy)
        if not reason:
            return None
        return Decision(streak.last, standing, Standing.AWAY, reason, evidence, AUTHOR)
    if standing is Standing.AWAY and lasted >= policy.back_for:
        reason = f"the server has answered for {_told(lasted)}"
        return Decision(streak.last, standing, Standing.BACK, reason, evidence, AUTHOR)
    if standing is Standing.BACK and not missing.required:
        reason = "every required slice is whole again"
        return Decision(streak.last, standing, Standing.NORMAL, reason, evidence, AUTHOR)
    return None


def _why_away(streak: Streak, missing: Missing, policy: FailoverPolicy) -> str:
    lasted, trigger = streak.last - streak.since, policy.trigger
    if lasted >= trigger.unreachable_for:
        return f"the server has not answered for {_told(lasted)}: {streak.reason}"
    if missing.required and lasted >= trigger.after_missed:
        return (
            f"{missing.required} required slices could not be written, and the server has not "
            f"answered for {_told(lasted)}: {streak.reason}"
        )
    return ""


def _told(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} minutes"
