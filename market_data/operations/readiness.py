"""Readiness: the grades of every part fused into one verdict, as Markdown and as JSON.

What belongs here: sections, the registry of what makes them, the fusion and its two forms.
What does not: how a part is graded; each has a file beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from market_data.errors import MarketDataError
from market_data.operations.grades import Grade, Reason, worst

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Section:
    """How one part does.

    Attributes:
        name: connectivity, ingest, quality, cache, kafka, migrations ...
        grade: the worst of its reasons.
        reasons: what keeps it from being ok.
        facts: numbers and words for people.
        off: the installation does without this part.
    """

    name: str
    grade: Grade
    reasons: tuple[Reason, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    off: bool = False

    @classmethod
    def of(
        cls, name: str, reasons: Iterable[Reason], facts: Mapping[str, Fact] | None = None
    ) -> Section:
        """A section whose grade follows from its reasons."""
        listed = tuple(reasons)
        return cls(name, worst(listed), listed, facts or {})

    @classmethod
    def switched_off(cls, name: str, why: str) -> Section:
        """A section of a part that the installation does without."""
        return cls(name, Grade.OK, facts={"off": why}, off=True)

    @property
    def word(self) -> str:
        """ok, warn, fail or off."""
        return "off" if self.off else str(self.grade)


@dataclass(frozen=True)
class Readiness:
    """The verdict over all sections at one moment."""

    at: datetime
    mode: str
    sections: tuple[Section, ...]

    @property
    def grade(self) -> Grade:
        """The worst grade of any section."""
        return worst(reason for section in self.sections for reason in section.reasons)

    def to_json(self) -> dict[str, Any]:
        """The verdict as one JSON object."""
        return {
            "at": self.at.isoformat(),
            "mode": self.mode,
            "status": str(self.grade),
            "sections": {
                s.name: {
                    "status": s.word,
                    "reasons": [{"grade": str(r.grade), "text": r.text} for r in s.reasons],
                    "facts": dict(s.facts),
                }
                for s in self.sections
            },
        }

    def to_markdown(self) -> str:
        """The verdict for people: a table of the sections, then the reasons."""
        lines = [
            f"# Readiness: {self.grade}",
            "",
            f"{self.at:%Y-%m-%d %H:%M} UTC, mode {self.mode}",
            "",
            "| part | status | facts |",
            "|---|---|---|",
        ]
        for section in self.sections:
            facts = ", ".join(f"{name}: {_cell(value)}" for name, value in section.facts.items())
            lines.append(f"| {section.name} | {section.word} | {facts} |")
        reasons = [(s.name, r) for s in self.sections for r in s.reasons]
        if reasons:
            lines += ["", "## What to do", ""]
            lines += [f"- **{name}** ({r.grade}): {r.text}" for name, r in reasons]
        return "\n".join(lines) + "\n"


SectionMaker = Callable[[], Section]


def fuse(at: datetime, mode: str, makers: Mapping[str, SectionMaker]) -> Readiness:
    """Ask every part for its section.

    Args:
        at: the moment, aware.
        mode: of the installation.
        makers: name of a section to what makes it. One that raises becomes a failed section of
            its name: a part that cannot be looked at is not ready.
    """
    return Readiness(at, mode, tuple(_made(name, make) for name, make in makers.items()))


def _made(name: str, make: SectionMaker) -> Section:
    try:
        return make()
    except MarketDataError as error:
        return Section.of(name, [Reason(Grade.FAIL, f"it cannot be looked at: {error}")])
    except Exception as error:  # noqa: BLE001  what broke is the finding; texts may hold secrets
        return Section.of(
            name, [Reason(Grade.FAIL, f"the look at it failed with {type(error).__name__}")]
        )


def _cell(value: Fact) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ")


def failing(sections: Sequence[Section]) -> list[Section]:
    """The sections that fail."""
    return [s for s in sections if s.grade is Grade.FAIL]
