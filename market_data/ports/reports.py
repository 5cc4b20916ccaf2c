"""The port of reports: what the platform said of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Report:
    """One report.

    Attributes:
        name: readiness, market_slice, rehearsal ...
        at: when it was made, aware.
        status: ok, warn or fail.
        body: what JSON can hold; no secret.
    """

    name: str
    at: datetime
    status: str
    body: Mapping[str, Any]


class Reports(Protocol):
    """Keeps reports for whoever asks later, from whatever machine."""

    def keep(self, report: Report) -> None:
        """Keep a report; the oldest ones of its name make room."""
        ...

    def newest(self, name: str, limit: int = 1) -> list[Report]:
        """The newest reports of a name, newest first."""
        ...
