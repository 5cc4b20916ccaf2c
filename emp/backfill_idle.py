"""Whether anybody drives a backfill that is under way.

What belongs here: the look at its turns and at Dagster's daemon, for a person who watches.
What does not: driving (emp/backfill_driver.py, sensors/backfills.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.backfill_turns import open_turns
from market_data.backfill.records import Backfill, BackfillState
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.operations_opening import Operations
    from adapters.settings import Settings


def alone(settings: Settings, operations: Operations, backfill: Backfill) -> str:
    """What a person is told of a backfill with which nobody goes on; empty where somebody does."""
    if backfill.state.is_over or backfill.state is BackfillState.PAUSED:
        return ""
    turns = open_turns(settings, operations.turn_locks)
    taken = [piece.number for piece in backfill.pieces if piece.state.is_taken]
    if turns.is_taken(backfill.id) or any(turns.is_taken(backfill.id, n) for n in taken):
        return ""
    from emp.backfill_launch import check_daemon

    try:
        check_daemon(settings)
    except ConfigurationError:
        return (
            "nobody goes on with it: no command does, and Dagster's daemon does not run; "
            f"'emp backfill launch {backfill.id} --local' goes on here, 'emp dev' starts the daemon"
        )
    return ""
