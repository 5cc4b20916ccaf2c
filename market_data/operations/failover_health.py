"""The sections of readiness on failover and recovery.

What belongs here: the verdict on decisions, missed slices and the newest drill. What does not:
deciding (market_data/failover), gathering (adapters/readiness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import Decision, MissedSlice, Standing
from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section
from market_data.ports import Report

FAILOVER, RECOVERY = "failover", "recovery"


def evaluate_failover(newest: Decision | None) -> Section:
    """Whether the warehouse is used.

    Args:
        newest: the newest decision; None where none was ever taken.
    """
    if newest is None:
        return Section.of(FAILOVER, [], {"standing": str(Standing.NORMAL)})
    facts = {"standing": str(newest.became), "since": f"{newest.at:%Y-%m-%d %H:%M}"}
    grades = {Standing.AWAY: Grade.FAIL, Standing.BACK: Grade.WARN}
    reasons = []
    if newest.became in grades:
        text = f"TimescaleDB is {newest.became} since {newest.at:%Y-%m-%d %H:%M} UTC: "
        reasons.append(Reason(grades[newest.became], f"{text}{newest.reason}"))
    return Section.of(FAILOVER, reasons, facts)


def evaluate_recovery(
    waiting: Sequence[MissedSlice],
    drill: Report | None,
    policy: FailoverPolicy,
    now: datetime,
) -> Section:
    """Whether what was missed is made, and whether somebody rehearsed it lately.

    Args:
        waiting: slices that are not made yet.
        drill: the newest rehearsal; None where there was none.
        policy: the limits.
        now: the moment, aware.
    """
    reasons = []
    stuck = [m for m in waiting if m.attempts >= policy.replay.attempts]
    if waiting:
        text = f"{len(waiting)} missed slices wait to be made"
        reasons.append(Reason(Grade.WARN, f"{text}: see 'emp failover status'"))
    if stuck:
        text = f"{len(stuck)} missed slices have no attempts left"
        reasons.append(Reason(Grade.FAIL, f"{text}: 'emp failover restore' makes them here"))
    facts: dict[str, str | int | float] = {"missed": len(waiting)}
    if drill is None:
        never = "none yet: 'emp failover drill', or the schedule monthly_failover_drill"
        return Section.of(RECOVERY, reasons, {**facts, "drill": never})
    facts |= {
        "drill": f"{drill.at:%Y-%m-%d %H:%M}",
        "drill_status": drill.status,
        "recovery_seconds": float(drill.body.get("recovery_seconds", 0.0)),
    }
    if drill.status != str(Grade.OK):
        told = "; ".join(str(reason) for reason in drill.body.get("reasons", [])[:3])
        reasons.append(Reason(Grade(drill.status), f"the newest drill: {told}"))
    if now - drill.at > policy.drill.every:
        text = f"the newest drill is {(now - drill.at).days} days old: run 'emp failover drill'"
        reasons.append(Reason(Grade.WARN, text))
    return Section.of(RECOVERY, reasons, facts)
