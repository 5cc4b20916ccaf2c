"""Symbols whose splits somebody has told since, while their stored bars say that nobody had.

What belongs here: finding them by the journal and the flags of stored bars. What does not: new
actions, which the action log tells of itself, and making bars anew (jobs).

An answer without any split is news too: bars that were flagged since nobody had been asked are as
traded from then on.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.curation.candidates import SPLITS_UNKNOWN
from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

MOST_ANSWERS = 1_000
"""Answers of one vendor that are looked at; more than come between two looks."""


def newly_told(platform: Platform, since: datetime | None) -> tuple[list[str], datetime | None]:
    """Flagged symbols that a vendor which tells splits has answered about.

    Daily bars are looked at alone: whoever has bars of another length has those made of them.

    Args:
        platform: configuration and ports.
        since: answers that were begun later; None for all.

    Returns:
        The symbols in order, and when the newest answer was begun; `since` where there is none.
    """
    asked: set[str] = set()
    newest = since
    for vendor in platform.universe.vendors:
        if not platform.vendors.tells_splits(vendor.name):
            continue
        for run in platform.journal.runs(vendor=vendor.name, limit=MOST_ANSWERS):
            if since is not None and run.started_at <= since:
                break
            newest = run.started_at if newest is None else max(newest, run.started_at)
            if run.rows:
                asked.update(run.symbols)
    known = {i.symbol for i in platform.universe.instruments}
    if not asked & known:
        return [], newest
    flags = platform.store.scan(
        curated_bars(Timeframe.D1), symbols=sorted(asked & known), columns=["symbol", "flags"]
    )
    flagged = flags.filter(pl.col("flags").str.contains(SPLITS_UNKNOWN, literal=True))
    return flagged.get_column("symbol").unique().sort().to_list(), newest
