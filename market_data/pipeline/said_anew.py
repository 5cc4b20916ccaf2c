"""Which bars of an answer the raw log does not know on any basis yet.

What belongs here: an answer's bars against what the log knows of the same sessions. What does not:
when a bar only restates another (market_data/restatements.py), appending (landing.py).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.curation.split_evidence import SplitsTold
from market_data.datasets import Dataset
from market_data.ordering import KEY, sort_if_needed
from market_data.overtaking import without_overtaken
from market_data.pipeline.asking import Asking
from market_data.restatements import may_restate, settled, without_restated


def said_anew(
    asking: Asking,
    raw: pl.DataFrame,
    dataset: Dataset,
    told: SplitsTold,
    *,
    now: datetime | None,
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The bars less those that a split or dividend has only put on another basis.

    Args:
        asking: the question that they answer.
        raw: rows of RAW_BARS.
        dataset: where they go.
        told: what the vendor says of splits.
        now: when the answer came; None for one of long ago.

    Returns:
        The bars that are left, and of the answer's bars those that say anew what they are divided
        by; None instead where none could.
    """
    platform, fetch = asking.platform, asking.fetch
    if not may_restate(raw, told.statements, asking.seen):
        return raw, None
    known = platform.raw_log.revisions(
        dataset, symbols=fetch.symbols, sessions=(fetch.first, fetch.last)
    )
    if known.is_empty():
        return raw, None
    actions = platform.actions.read(symbols=fetch.symbols)
    known = without_overtaken(known)
    # What a clock wrote that was ahead is no form of these bars that they could restate.
    ahead = known.clear() if now is None else known.filter(pl.col("fetched_at") > now)
    fresh = raw.join(ahead, on=KEY, how="semi", maintain_order="left")
    rest = raw.join(ahead, on=KEY, how="anti", maintain_order="left")
    said = without_restated(rest, known, actions, calendar=fetch.calendar, told=told)
    confirmed = settled(rest, known, actions, calendar=fetch.calendar, told=told)
    return sort_if_needed(pl.concat([fresh, said])), confirmed
