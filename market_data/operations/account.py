"""A report on operations: findings, numbers, and its forms for people and machines.

What belongs here: the record, its JSON and the tables of its Markdown. What does not: what is in
it (metrics.py, dimension_health.py, trends.py, slo.py, checklist.py ...).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from market_data.operations.grades import Grade, Reason, worst
from market_data.operations.pages import page_of
from market_data.operations.readiness import Fact, Section
from market_data.ports import Report
from market_data.ports.redaction import sanitised, sanitised_text


@dataclass(frozen=True)
class Account:
    """What a report says.

    Attributes:
        name: of the report, see reports.py.
        title: the same for people.
        at: when it was made, UTC.
        reasons: what keeps it from being ok.
        body: the numbers, what JSON can hold.
        tables: headed tables of the Markdown: title, columns, rows.
        facts: the few numbers that readiness shows.
    """

    name: str
    title: str
    at: datetime
    reasons: tuple[Reason, ...]
    body: Mapping[str, Any]
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def grade(self) -> Grade:
        """The worst of its reasons."""
        return worst(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object, without secrets."""
        told = {
            "report": self.name,
            "at": self.at.isoformat(),
            "status": str(self.grade),
            "findings": [_finding(reason) for reason in self.reasons],
            **self.body,
        }
        cleaned: dict[str, Any] = dict(sanitised(told))
        return cleaned

    def to_markdown(self) -> str:
        """The report for people: what is wrong, then the tables."""
        lines = [f"# {self.title}: {self.grade}", "", f"{self.at:%Y-%m-%d %H:%M} UTC", ""]
        for title, columns, rows in self.tables:
            lines += [*([f"## {title}", ""] if title else []), *_table(columns, rows), ""]
        if self.reasons:
            lines += ["## What to do", ""]
            lines += [
                f"- **{r.subject or self.name}** ({r.grade}): {_told(r)}" for r in self.reasons
            ]
        return "\n".join(lines).rstrip() + "\n"

    def section(self) -> Section:
        """The report as a section of readiness."""
        return Section.of(self.name, self.reasons, self.facts)

    def to_keep(self) -> Report:
        """The report as it is kept."""
        return Report(self.name, self.at, str(self.grade), self.to_json())


def _finding(reason: Reason) -> dict[str, Any]:
    return {
        "grade": str(reason.grade),
        "code": reason.code,
        "subject": reason.subject,
        "text": reason.text,
        "value": reason.value,
        "limit": reason.limit,
    }


def _told(reason: Reason) -> str:
    page = page_of(reason.code)
    return _cell(sanitised_text(reason.text)) + (f" (docs/runbooks/{page})" if page else "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    listed = list(rows)
    if not listed:
        return ["Nothing yet."]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(_cell(value) for value in row)} |" for row in listed]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value).replace("|", "/").replace("\n", " ")
