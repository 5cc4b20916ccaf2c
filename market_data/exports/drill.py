"""Judging a drill of exports: repeated runs, their durations, what they left.

What belongs here: the limits, the verdict over cycles, its forms. What does not: running them
(adapters/exports/drilling.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from market_data.errors import ConfigurationError
from market_data.operations.grades import Grade, Reason, worst
from market_data.ports import Report

REPORT = "export_drill"
"""The name of the reports that drills leave."""
CYCLES = 3


@dataclass(frozen=True)
class Limits:
    """From when on a cycle takes too long.

    Attributes:
        warn: seconds.
        fail: seconds.

    Raises:
        ConfigurationError: they are not in this order.
    """

    warn: float = 60.0
    fail: float = 300.0

    def __post_init__(self) -> None:
        if not 0 < self.warn <= self.fail:
            raise ConfigurationError(
                f"a drill cannot warn after {self.warn:g} s and fail after {self.fail:g} s: name "
                "seconds above 0, the smaller ones for the warning"
            )


@dataclass(frozen=True)
class Cycle:
    """One run of a drill.

    Attributes:
        job: that was exported.
        number: from 1 on.
        seconds: that it took, with the look at it.
        rows: that it wrote.
        digest: of them.
        problems: what reading it back found.
        kept: former manifests that were still there afterwards.
        files: that lay in its folder and no manifest named.
    """

    job: str
    number: int
    seconds: float
    rows: int
    digest: str
    problems: tuple[str, ...]
    kept: int
    unnamed: int


@dataclass(frozen=True)
class Drilled:
    """A drill.

    Attributes:
        at: when it ended, aware.
        engine: that wrote.
        limits: of a cycle.
        cycles: in order.
        error: what ended it early; empty where nothing did.
    """

    at: datetime
    engine: str
    limits: Limits
    cycles: tuple[Cycle, ...]
    error: str = ""

    @property
    def reasons(self) -> list[Reason]:
        """What is wrong, the worst of each kind."""
        found = [Reason(Grade.FAIL, f"it ended early: {self.error}")] if self.error else []
        for cycle in self.cycles:
            found += _judged(cycle, self.limits)
        for job in dict.fromkeys(cycle.job for cycle in self.cycles):
            digests = {(c.rows, c.digest) for c in self.cycles if c.job == job}
            if len(digests) > 1:
                told = f"{job}: cycles over the same rows told {len(digests)} digests"
                found.append(Reason(Grade.FAIL, told, subject=job))
        if not self.cycles and not self.error:
            found.append(Reason(Grade.WARN, "there was nothing to export"))
        return found

    @property
    def grade(self) -> Grade:
        """The worst of its reasons."""
        return worst(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """The drill as one JSON object."""
        seconds = [cycle.seconds for cycle in self.cycles]
        return {
            "at": self.at.isoformat(),
            "status": str(self.grade),
            "engine": self.engine,
            "warn_seconds": self.limits.warn,
            "fail_seconds": self.limits.fail,
            "slowest_seconds": round(max(seconds, default=0.0), 3),
            "cycles": [
                {
                    "job": c.job,
                    "cycle": c.number,
                    "seconds": round(c.seconds, 3),
                    "rows": c.rows,
                    "digest": c.digest,
                    "problems": list(c.problems[:10]),
                    "former_manifests": c.kept,
                    "unnamed_files": c.unnamed,
                }
                for c in self.cycles
            ],
            "findings": [{"grade": str(r.grade), "text": r.text} for r in self.reasons],
        }

    def to_markdown(self) -> str:
        """The drill for people."""
        lines = [f"# Drill of exports: {self.grade}", "", f"{self.at:%Y-%m-%d %H:%M} UTC", ""]
        lines += ["| export | cycle | seconds | rows | former manifests |", "|---|---|---|---|---|"]
        lines += [
            f"| {c.job} | {c.number} | {c.seconds:.2f} | {c.rows:,} | {c.kept} |"
            for c in self.cycles
        ]
        if self.reasons:
            lines += ["", *(f"- {r.grade}: {r.text}" for r in self.reasons)]
        return "\n".join(lines) + "\n"

    def to_keep(self) -> Report:
        """The drill as it is kept."""
        return Report(REPORT, self.at, str(self.grade), self.to_json())


def _judged(cycle: Cycle, limits: Limits) -> Sequence[Reason]:
    name = f"{cycle.job}, cycle {cycle.number}"
    found = [Reason(Grade.FAIL, f"{name}: {p}", subject=cycle.job) for p in cycle.problems[:3]]
    if cycle.unnamed:
        told = f"{name}: {cycle.unnamed} files lie there that no manifest names"
        found.append(Reason(Grade.FAIL, told, subject=cycle.job))
    if cycle.kept > 1:
        told = f"{name}: {cycle.kept} former manifests are kept, whose time is up"
        found.append(Reason(Grade.FAIL, told, subject=cycle.job))
    if cycle.seconds > limits.warn:
        grade = Grade.FAIL if cycle.seconds > limits.fail else Grade.WARN
        limit = limits.fail if grade is Grade.FAIL else limits.warn
        told = f"{name} took {cycle.seconds:.1f} s, more than {limit:g} s"
        found.append(Reason(grade, told, subject=cycle.job, value=cycle.seconds, limit=limit))
    return found
