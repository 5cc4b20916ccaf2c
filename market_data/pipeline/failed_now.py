"""The standing inventory: which sessions are failed now.

What belongs here: reading ledger, journal and scores for it. What does not: what counts as failed
(market_data/operations/failed_sessions.py), Dagster's side of it (resources/partition_states.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from market_data.datasets import SCORES_DATASET
from market_data.operations.failed_sessions import (
    Attempt,
    Failed,
    failed_attempts,
    failed_fetches,
    red_scores,
)
from market_data.pipeline.platform import Platform

DAYS = 30
"""Scores of so many days are looked at; what a vendor or a run left is told however old it is."""
_ATTEMPTS = 20_000


def failed_now(
    platform: Platform, attempts: Iterable[Attempt] = (), *, days: int = DAYS
) -> list[Failed]:
    """What has failed and was not made good: of vendors, of runs, of scores.

    Args:
        platform: configuration and ports.
        attempts: sessions that runs did not make.
        days: scores of the sessions of so many days count.
    """
    today = platform.clock.now().date()
    ledger = platform.ledger.failing()
    runs = platform.journal.runs(limit=_ATTEMPTS) if not ledger.is_empty() else []
    # Bars of this evening may belong to the session after the next date.
    sessions = (today - timedelta(days=days), today + timedelta(days=2))
    scores = platform.store.scan(SCORES_DATASET, sessions=sessions)
    return [*failed_fetches(ledger, runs), *failed_attempts(attempts), *red_scores(scores)]
