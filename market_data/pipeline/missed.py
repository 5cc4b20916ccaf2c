"""Missed slices: comparing them with the lake, and making them.

What belongs here: whether the warehouse holds of a slice what the lake gives, symbol-session by
symbol-session, and making it where no graph does. Reference tables are small and replaced whole: of
them a slice is the table as it is published now. What does not: which slices there are
(market_data/ports/failover.py), runs of the graph (jobs/failover.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from market_data.datasets import MACRO_CALENDAR, SCORES_DATASET, curated_bars
from market_data.errors import ConfigurationError
from market_data.failover.state import MissedSlice
from market_data.pipeline.curate import chunks, curate_sessions, curate_slice, step_days
from market_data.pipeline.macro_calendar import calendar_of, curate_macro
from market_data.pipeline.missed_features import (
    compare_features,
    is_features,
    make_missed_features,
)
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.publishing import PUBLISHED, reference_table
from market_data.pipeline.score import score_range
from market_data.ports.reference import ReferenceTables
from market_data.quality.digest import RowsDigest, bars_digest, rows_digest
from market_data.timeframes import Timeframe

Tables = Callable[[], ReferenceTables]
"""Opens the reference tables of the warehouse."""
_KEY = ["symbol", "session", "bars_digest"]


def _no_tables() -> ReferenceTables:
    raise ConfigurationError("whoever compares or makes a reference table has to say where it lies")


@dataclass(frozen=True)
class Reconciled:
    """A slice in the lake and in the warehouse.

    Attributes:
        rows_lake: bars, or events, as curation makes them of the lake now; features, as they are
            made of the stored bars.
        rows_store: those in the warehouse.
        digest_lake: of the symbol-sessions of the lake, each by the digest of its bars.
        digest_store: the same of the warehouse.
        unscored: symbol-sessions of the warehouse whose score is missing, or of other bars.
    """

    rows_lake: int
    rows_store: int
    digest_lake: str
    digest_store: str
    unscored: int

    @property
    def same_bars(self) -> bool:
        """No bar is lost, doubled or different."""
        return self.rows_lake == self.rows_store and self.digest_lake == self.digest_store

    @property
    def whole(self) -> bool:
        """The bars are the same, and each of their sessions has its score."""
        return self.same_bars and not self.unscored


def made_at_once(dataset: str) -> bool:
    """Whether a slice of a dataset is small and made by `replay`, without a run of the graph."""
    return dataset == MACRO_CALENDAR.name or dataset in PUBLISHED


def reconcile(platform: Platform, missed: MissedSlice, tables: Tables = _no_tables) -> Reconciled:
    """Compare a slice in the warehouse with what the lake gives; writes nothing.

    Args:
        platform: configuration and ports.
        missed: the slice; of scores, those of every timeframe. One of features is compared with
            what the stored bars give, see `waits`.
        tables: opens the reference tables, where the slice is one.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
        ConfigurationError: of a reference table: the configuration is wrong.
    """
    if missed.dataset in PUBLISHED:
        return _reconciled_table(platform, missed, tables())
    if missed.dataset == MACRO_CALENDAR.name:
        return _reconciled_events(platform, missed)
    if is_features(missed.dataset):
        made, held = compare_features(platform, missed)
        return Reconciled(made.rows, held.rows, str(made), str(held), 0)
    lake, store = RowsDigest(), RowsDigest()
    rows_lake = rows_store = unscored = 0
    for timeframe in _timeframes(platform, missed):
        dataset = curated_bars(timeframe)
        for span in chunks(*missed.sessions, step_days(platform, timeframe)):
            bars = platform.store.scan(dataset, symbols=missed.symbols, sessions=span)
            stored = bars_digest(bars)
            anew = curate_slice(platform, timeframe, missed.symbols, *span).bars
            scores = platform.store.scan(
                SCORES_DATASET, symbols=missed.symbols, sessions=span, columns=[*_KEY, "dataset"]
            ).filter(dataset=dataset.name)
            unscored += stored.join(scores, on=_KEY, how="anti").height
            lake, store = lake + rows_digest(bars_digest(anew)), store + rows_digest(stored)
            rows_lake, rows_store = rows_lake + anew.height, rows_store + bars.height
    return Reconciled(rows_lake, rows_store, str(lake), str(store), unscored)


def replay(
    platform: Platform,
    missed: MissedSlice,
    progress: Progress = silent,
    *,
    tables: Tables = _no_tables,
) -> None:
    """Make a slice of what the lake holds: bars, then scores; or events, a table, or features.

    No check stands between the two, so it is for whoever has no graph; the same again changes
    nothing.

    Raises:
        StoreUnavailableError: the warehouse does not answer; what was made so far is whole.
        ConfigurationError: as `reconcile`.
    """
    if missed.dataset in PUBLISHED:
        tables().put(missed.dataset, reference_table(platform, missed.dataset))
        return
    if missed.dataset == MACRO_CALENDAR.name:
        curate_macro(platform, *missed.sessions)
        return
    if is_features(missed.dataset):
        make_missed_features(platform, missed, progress)
        return
    timeframes = _timeframes(platform, missed)
    for timeframe in timeframes:
        curate_sessions(platform, timeframe, missed.symbols, *missed.sessions, progress)
    score_range(platform, missed.symbols, *missed.sessions, progress, timeframes=timeframes or None)


def _reconciled_table(
    platform: Platform, missed: MissedSlice, tables: ReferenceTables
) -> Reconciled:
    """A reference table, as it is to be published now and as it is."""
    lake = rows_digest(reference_table(platform, missed.dataset))
    try:
        store = rows_digest(tables.get(missed.dataset))
    except FileNotFoundError:  # never published
        store = RowsDigest()
    return Reconciled(lake.rows, store.rows, str(lake), str(store), 0)


def _reconciled_events(platform: Platform, missed: MissedSlice) -> Reconciled:
    """Events of macro releases; what a status says follows the clock, and is no difference."""
    stored = platform.store.scan(MACRO_CALENDAR, sessions=missed.sessions).drop("status")
    anew = calendar_of(platform, *missed.sessions).drop("status")
    lake, store = rows_digest(anew), rows_digest(stored)
    return Reconciled(lake.rows, store.rows, str(lake), str(store), 0)


def _timeframes(platform: Platform, missed: MissedSlice) -> list[Timeframe]:
    """The slice's own; of scores, those whose bars are stored."""
    if missed.timeframe is not None:
        return [missed.timeframe]
    return [
        timeframe for timeframe in Timeframe if not _stored(platform, timeframe, missed).is_empty()
    ]


def _stored(platform: Platform, timeframe: Timeframe, missed: MissedSlice) -> pl.DataFrame:
    return platform.store.scan(
        curated_bars(timeframe),
        symbols=missed.symbols,
        sessions=missed.sessions,
        columns=["session"],
    )
