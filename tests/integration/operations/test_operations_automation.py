"""What schedules remember, and the turns of fetches, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from adapters.operations import SqlAutomationStates
from adapters.operations_opening import open_ingest_locks, open_job_locks, open_operations
from adapters.settings import Settings
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


def test_fetches_of_one_feed_take_turns_also_inside_a_job(url: str, tmp_path: Path):
    operations, settings = open_operations(url), Settings(data_dir=tmp_path)
    told: list[str] = []

    def fetch(feed: str) -> None:
        with open_ingest_locks(settings, operations).hold([feed]):
            told.append(f"{feed} begins")
            time.sleep(0.2)
            told.append(f"{feed} ends")

    fetching = [threading.Thread(target=fetch, args=("ingest yahoo_bars_1d",)) for _ in range(3)]
    # A job holds its own turn while its steps fetch.
    with open_job_locks(settings, operations).hold(["ingest_market_slice"]):
        for thread in fetching:
            thread.start()
        for thread in fetching:
            thread.join(timeout=30)
    assert told == ["ingest yahoo_bars_1d begins", "ingest yahoo_bars_1d ends"] * 3
