"""The result of a rehearsal of failover.

What belongs here: what was found at each step, the grade, forms for people and programs. What does
not: rehearsing (adapters/failover_drill.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from market_data.failover.policy import DrillRules
from market_data.operations.grades import Grade, Reason, worst
from market_data.ports import Report

REPORT = "failover_drill"
"""Name of the report on the newest drill."""


@dataclass(frozen=True)
class Step:
    """One thing that a drill looked at: what should be, what was found, whether that is good."""

    what: str
    found: str
    ok: bool


@dataclass(frozen=True)
class Drill:
    """A rehearsal.

    Attributes:
        at: when it began, aware.
        slices: what was missed and made again, in words.
        rows: bars that were made again.
        away_after_seconds: how long the policy waits until it counts the warehouse as away.
        recovery_seconds: from the moment when the store was back to the last slice made and
            compared; measured.
        steps: what was looked at.
        rules: limits of the recovery.
    """

    at: datetime
    slices: Sequence[str]
    rows: int
    away_after_seconds: float
    recovery_seconds: float
    steps: Sequence[Step]
    rules: DrillRules

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What keeps it from being ok."""
        return tuple(self._reasons())

    @property
    def grade(self) -> Grade:
        """The worst of the reasons."""
        return worst(self.reasons)

    def _reasons(self) -> Iterator[Reason]:
        for step in self.steps:
            if not step.ok:
                yield Reason(Grade.FAIL, f"{step.what}: {step.found}")
        fail, warn = (
            limit.total_seconds() for limit in (self.rules.fail_recovery, self.rules.warn_recovery)
        )
        if self.recovery_seconds > warn:
            grade = Grade.FAIL if self.recovery_seconds > fail else Grade.WARN
            limit = fail if grade is Grade.FAIL else warn
            text = f"the recovery took {self.recovery_seconds:.1f} s, more than {limit:g} s"
            yield Reason(grade, text, value=self.recovery_seconds, limit=limit)

    def to_json(self) -> dict[str, Any]:
        """The drill as one JSON object."""
        return {
            "at": self.at.isoformat(),
            "status": str(self.grade),
            "slices": list(self.slices),
            "rows": self.rows,
            "away_after_seconds": self.away_after_seconds,
            "recovery_seconds": round(self.recovery_seconds, 3),
            "steps": [{"what": s.what, "found": s.found, "ok": s.ok} for s in self.steps],
            "reasons": [reason.text for reason in self.reasons],
        }

    def to_markdown(self) -> str:
        """The drill for people."""
        lines = [
            f"# Failover drill, {self.at:%Y-%m-%d %H:%M} UTC: {self.grade}",
            "",
            f"Recovery took **{self.recovery_seconds:.2f} s** for {self.rows} bars in "
            f"{len(self.slices)} slices. An outage counts after {self.away_after_seconds:g} s.",
            "",
            "| step | found | |",
            "|---|---|---|",
            *(f"| {s.what} | {s.found} | {'ok' if s.ok else 'FAILED'} |" for s in self.steps),
            "",
            "Slices:",
            "",
            *(f"- {told}" for told in self.slices),
        ]
        return "\n".join(lines) + "\n"

    def to_keep(self) -> Report:
        """The drill among the reports."""
        return Report(REPORT, self.at, str(self.grade), self.to_json())
