"""Turns of backfills: one holder, on one machine and between machines, free when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.backfill_turns import LockedTurns, open_turns
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from market_data.errors import StoreConflictError


@pytest.fixture
def turns(url: str, tmp_path: Path) -> tuple[LockedTurns, LockedTurns]:
    """The same turns, as two processes open them."""
    settings = Settings(data_dir=tmp_path)
    opened = [open_turns(settings, open_operations(url).turn_locks) for _ in range(2)]
    return opened[0], opened[1]


def test_a_turn_has_one_holder(turns: tuple[LockedTurns, LockedTurns]) -> None:
    one, other = turns
    with one.take("a", 1):
        assert other.is_taken("a", 1)
        assert not other.is_taken("a", 2)
        assert not other.is_taken("a")
        with other.take("a"), pytest.raises(StoreConflictError), other.take("a", 1):
            pass
        assert other.is_taken("a", 1)
    assert not other.is_taken("a", 1)
    with other.take("a", 1):
        assert one.is_taken("a", 1)
