"""The port of reports: what the platform said of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from market_data.ports.events import Event


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

    def keep(self, report: Report, *, events: Sequence[Event] = ()) -> None:
        """Keep a report; the oldest ones of its name make room.

        Args:
            report: what was said.
            events: that tell of it, kept with it or not at all.
        """
        ...

    def newest(self, name: str, limit: int = 1) -> list[Report]:
        """The newest reports of a name, newest first."""
        ...
