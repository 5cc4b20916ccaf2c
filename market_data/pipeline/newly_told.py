"""Symbols whose splits somebody has told since, while their stored bars leave them open.

What belongs here: finding them by the journal and the flags of stored bars. What does not: new
actions, which the action log tells of itself, and making bars anew (jobs).

An answer without any split is news too: bars that were flagged since nobody had been asked are as
traded from then on.
"""

from __future__ import annotations

import polars as pl

from market_data.curation.candidates import SPLITS_OPEN
from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_answers import telling_timeframes
from market_data.timeframes import Timeframe


def newly_told(platform: Platform, since: int) -> tuple[list[str], int]:
    """Flagged symbols that a vendor which tells splits has answered about.

    Daily bars are looked at alone: whoever has bars of another length has those made of them.

    Args:
        platform: configuration and ports.
        since: the journal's number of the newest answer that was looked at; 0 for none.

    Returns:
        The symbols in order, and the number of the newest answer; `since` where there is none.
    """
    names = [v.name for v in platform.universe.vendors]
    told = [name for name in names if telling_timeframes(platform, name)]
    asked, newest = platform.journal.news(since, told)
    known = {i.symbol for i in platform.universe.instruments}
    if not asked & known:
        return [], newest
    flags = platform.store.scan(
        curated_bars(Timeframe.D1), symbols=sorted(asked & known), columns=["symbol", "flags"]
    )
    flagged = flags.filter(pl.col("flags").str.contains(SPLITS_OPEN))
    return flagged.get_column("symbol").unique().sort().to_list(), newest
