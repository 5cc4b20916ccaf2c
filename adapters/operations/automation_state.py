"""What schedules remember between their ticks.

What belongs here: the `AutomationStates` port in the operations database. What does not: what a
state means (market_data/automation/cutoff.py).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.operations.automation_models import automation_state
from adapters.operations.database import reading, writing
from market_data.automation.cutoff import CutoffState

_COLUMNS = automation_state.c


class SqlAutomationStates:
    """The `AutomationStates` port in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> CutoffState:
        """What is remembered of a schedule."""
        query = sa.select(automation_state).where(_COLUMNS.name == name)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return _state(row) if row else CutoffState(name)

    def keep(self, state: CutoffState, at: datetime) -> None:
        """Replace what is remembered of a schedule."""
        body = {"probed_at": state.probed_at.isoformat() if state.probed_at else None}
        row = {
            "name": state.name,
            "failures": state.failures,
            "cut_at": state.cut_at,
            "resumed_at": state.resumed_at,
            "changed_at": at,
            "body": json.dumps(body),
        }
        with writing(self._engine, alone="automation_state") as connection:
            connection.execute(sa.delete(automation_state).where(_COLUMNS.name == state.name))
            connection.execute(sa.insert(automation_state).values(row))

    def all(self) -> list[CutoffState]:
        """Every state, sorted by name."""
        query = sa.select(automation_state).order_by(_COLUMNS.name)
        with reading(self._engine) as connection:
            return [_state(row) for row in connection.execute(query).mappings()]


def _state(row: Any) -> CutoffState:
    probed = json.loads(row["body"]).get("probed_at")
    return CutoffState(
        row["name"],
        row["failures"],
        row["cut_at"],
        row["resumed_at"],
        datetime.fromisoformat(probed) if probed else None,
    )
