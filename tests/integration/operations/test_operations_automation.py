"""What schedules remember, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from adapters.operations import SqlAutomationStates
from market_data.automation.cutoff import CutoffState

AT = datetime(2024, 3, 12, 1, 0, 0, 123_456, tzinfo=UTC)


def test_a_state_is_kept_whole_and_replaced(engine: sa.Engine):
    states = SqlAutomationStates(engine)
    assert states.get("refresh_1m") == CutoffState("refresh_1m")
    cut = CutoffState("refresh_1m", 3, AT, AT - timedelta(days=1), AT + timedelta(hours=6))
    states.keep(cut, AT)
    states.keep(CutoffState("close_fx", 1), AT)
    assert states.get("refresh_1m") == cut
    assert states.all() == [CutoffState("close_fx", 1), cut]
    states.keep(CutoffState("refresh_1m", resumed_at=AT), AT)
    assert SqlAutomationStates(engine).get("refresh_1m") == CutoffState("refresh_1m", resumed_at=AT)
    assert len(states.all()) == 2
