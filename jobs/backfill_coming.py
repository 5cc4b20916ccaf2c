"""Whether the run of a claimed piece is on its way.

What belongs here: the look into Dagster's records that every driver takes before it gives up a
claim. What does not: claims (adapters/operations/backfills.py), the rounds of a driver
(market_data/backfill/driving.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from jobs.backfill_piece import TAG_TOKEN
from market_data.backfill.driving import HERE
from market_data.backfill.records import PieceRecord, PieceState

GRACE = timedelta(minutes=2)
"""So long after its claim, or its start, a run may not have taken the turn of its piece yet."""
GRACE_HERE = timedelta(seconds=30)
"""The same of a process that a command starts: no queue lies before it."""
_AHEAD = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
)


def is_young(piece: PieceRecord, now: datetime) -> bool:
    """Whether a claim is too new for anybody to tell what becomes of it."""
    grace = GRACE_HERE if piece.token.startswith(HERE) else GRACE
    return piece.claimed_at is not None and now - piece.claimed_at < grace


def is_coming(instance: dg.DagsterInstance, piece: PieceRecord, now: datetime) -> bool:
    """Whether the run of a taken piece that holds no turn is on its way to taking it.

    Args:
        instance: holds the runs.
        piece: as it was before its turn was looked at. One that had begun has held its turn
            already, and does so no more.
        now: the moment, aware.
    """
    if piece.state is not PieceState.CLAIMED:
        return False
    if is_young(piece, now):
        return True
    found = instance.get_run_records(dg.RunsFilter(tags={TAG_TOKEN: piece.token}), limit=1)
    if not found:
        return False
    if found[0].dagster_run.status in _AHEAD:
        return True
    if found[0].dagster_run.status is not dg.DagsterRunStatus.STARTED:
        return False
    began = found[0].start_time
    return began is None or now - datetime.fromtimestamp(began, UTC) < GRACE
