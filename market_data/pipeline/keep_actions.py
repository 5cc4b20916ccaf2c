"""The one door to the action log: what cannot be goes to the quarantine, whoever tells it.

What belongs here: keeping splits and dividends, what is refused of them, and what a vendor takes
back. What does not: what cannot be (market_data/corporate_actions/plausible.py), reading a source
(the vendors' adapters, emp/actions.py), when an action counts as known
(market_data/corporate_actions/lateness.py).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.corporate_actions.plausible import plausible_actions
from market_data.corporate_actions.silence import no_longer_told
from market_data.datasets import Dataset
from market_data.pipeline.platform import Platform
from market_data.ports import Telling
from market_data.quarantine import row_ids
from market_data.schemas import QUARANTINE, UTC
from market_data.timeframes import Timeframe


def keep_actions(platform: Platform, actions: pl.DataFrame, *, fetch_id: str, now: datetime) -> int:
    """Keep what can be, quarantine the rest; how many actions were new.

    Args:
        platform: where they are kept.
        actions: rows of CORPORATE_ACTIONS.
        fetch_id: of the answer or the import that brought them.
        now: the time of asking, or of the import.
    """
    good, bad = plausible_actions(actions)
    if not bad.is_empty():
        refuse_actions(platform, bad, source=actions.item(0, "source"), fetch_id=fetch_id, now=now)
    return platform.actions.add(good, now=now)


def take_back(
    platform: Platform,
    told: pl.DataFrame,
    bars: pl.DataFrame,
    *,
    dataset: Dataset,
    vendor: str,
    timeframe: Timeframe,
    now: datetime,
) -> int:
    """Take back what a vendor said of splits and dividends and no longer does; how many it were.

    Only an answer that would tell splits speaks by its silence.

    Args:
        platform: where they are kept.
        told: columns symbol, ex_date, kind: what the answer names, also what was refused of it.
        bars: rows of RAW_BARS of the answer.
        dataset: the raw log that they are not yet in.
        vendor: who answered.
        timeframe: of the bars.
        now: the time of asking.
    """
    if bars.is_empty() or platform.vendors.tells_splits(vendor, timeframe) is Telling.NONE:
        return 0
    symbols = bars.get_column("symbol").unique().to_list()
    said = platform.actions.statements(symbols=symbols).filter(pl.col("source") == vendor)
    if said.is_empty():
        return 0
    sessions = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    kept = platform.raw_log.read(dataset, symbols=symbols, sessions=sessions)
    gone = no_longer_told(said, told, bars, kept, now=now)
    return 0 if gone.is_empty() else platform.actions.add(gone, now=now)


def refuse_actions(
    platform: Platform, rejected: pl.DataFrame, *, source: str, fetch_id: str, now: datetime
) -> None:
    """Keep rows that are no actions in the quarantine, as of days.

    Args:
        platform: where they are kept.
        rejected: rows of REJECTED_ROWS, `ts` being the ex-date.
        source: who stated them.
        fetch_id: of what brought them.
        now: when.
    """
    rows = rejected.with_columns(
        session=pl.col("ts").dt.date(),
        vendor=pl.lit(source),
        timeframe=pl.lit(str(Timeframe.D1)),
        stage=pl.lit("fetch"),
        fetch_id=pl.lit(fetch_id),
        seen_at=pl.lit(now, dtype=UTC),
    )
    platform.quarantine.add(QUARANTINE.conform(rows.with_columns(row_ids(rows))))
