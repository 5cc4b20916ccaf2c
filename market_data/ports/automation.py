"""The port of automation: what schedules remember between their ticks."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from market_data.automation.cutoff import CutoffState


class AutomationStates(Protocol):
    """Keeps one state per schedule."""

    def get(self, name: str) -> CutoffState:
        """What is remembered of a schedule; nothing yet where nobody kept anything."""
        ...

    def keep(self, state: CutoffState, at: datetime) -> None:
        """Replace what is remembered of a schedule."""
        ...

    def all(self) -> list[CutoffState]:
        """Every state, sorted by name."""
        ...
