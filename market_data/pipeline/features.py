"""Features: made of the curated bars of a range of sessions, and stored slice by slice.

What belongs here: in which parts a range is computed, what beside it changes with it, where rows
go. What does not: the arithmetic (market_data/features), which bars count (feature_bars.py), what
is made of features (feature_context.py).

A bar has a part in the features of bars after it, and in the labels of bars before it. So rows that
are stored beside the range are made anew with it: those after it first, so that a run that is
killed and repeated leaves none behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import polars as pl

from market_data.datasets import FEATURES, Dataset
from market_data.features.compute import compute
from market_data.features.labels import FURTHEST, HORIZONS
from market_data.features.registry import FeatureGroup, Kind
from market_data.features.windows import LOOK_BACK, stretch_of, stretches
from market_data.pipeline.curate import chunks, lock_names, step_days
from market_data.pipeline.feature_bars import FeatureBars
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.timeframes import Timeframe

PREVIEW_ROWS = 10
_AT_ONCE = 64
"""Symbols that are computed together: intermediate columns are many times the bars."""
_WORKERS = 4
"""Parts that are computed at a time, at most: each takes its memory."""
_DAY = timedelta(days=1)
_Span = tuple[date, date]

Part = tuple[pl.DataFrame, _Span]
"""A series with its warm-up, and the first and last session that rows are wanted of."""
Work = Callable[[Iterable[Part], Sequence[FeatureGroup]], Iterator[dict[Kind, pl.DataFrame]]]
"""What makes rows of series: `computed` and what equals it, in any order of parts."""


def computed(
    parts: Iterable[Part], groups: Sequence[FeatureGroup]
) -> Iterator[dict[Kind, pl.DataFrame]]:
    """The rows of each part by kind, in this process: some at a time, while the next is read."""
    workers = min(pl.thread_pool_size(), _WORKERS)
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[dict[Kind, pl.DataFrame]]] = deque()
        for series, sessions in parts:
            begun.append(pool.submit(compute, series, groups, sessions))
            # One more than are at work: none of them waits while the next is read.
            if len(begun) > workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


@dataclass
class FeatureReport:
    """What was made of one group, for run metadata and command lines.

    Attributes:
        group: which.
        rows: in the range that was asked for.
        beside: rows before and after the range that were made anew.
        symbols: with rows in the range.
        empty_cells: by column, within the range.
        per_session: session and rows.
        preview: the first rows.
    """

    group: FeatureGroup
    rows: int = 0
    beside: int = 0
    symbols: tuple[str, ...] = ()
    empty_cells: dict[str, int] = field(default_factory=dict)
    per_session: dict[date, int] = field(default_factory=dict)
    preview: pl.DataFrame = field(default_factory=pl.DataFrame)

    def count(self, frame: pl.DataFrame) -> None:
        """Take rows of the range into account."""
        self.rows += frame.height
        self.symbols = tuple(sorted({*self.symbols, *frame["symbol"].unique()}))
        for name in self.group.names:
            self.empty_cells[name] = self.empty_cells.get(name, 0) + frame[name].null_count()
        self.per_session.update(frame.group_by("session").len().sort("session").iter_rows())
        if self.preview.height < PREVIEW_ROWS:
            rest = PREVIEW_ROWS - self.preview.height
            self.preview = pl.concat([self.preview, frame.tail(rest)], how="diagonal")

    @property
    def null_rate(self) -> float:
        """Share of empty cells; 0 without rows."""
        cells = self.rows * len(self.group.names)
        return sum(self.empty_cells.values()) / cells if cells else 0.0


def make_features(
    platform: Platform,
    groups: Sequence[FeatureGroup],
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
    work: Work = computed,
) -> dict[Kind, FeatureReport]:
    """Make the stored features of some symbols and sessions what the curated bars say now.

    Args:
        platform: configuration and ports.
        groups: of the bars of one timeframe.
        symbols: which.
        first: first session.
        last: last session.
        progress: told what is being computed.
        work: makes rows of series.

    Returns:
        What was made, by kind.

    Raises:
        ConfigurationError: a symbol is not in the universe, or the groups are none.
        StoreUnavailableError: the warehouse does not answer.
    """
    timeframe = _timeframe_of(groups)
    maker = _Maker(platform, timeframe, tuple(groups), tuple(symbols), work)
    reports = {group.kind: FeatureReport(group) for group in groups}
    days = step_days(platform, timeframe)
    for start, end in [*chunks(last + _DAY, maker.stored_until(last), days)][::-1]:
        progress(f"features of {timeframe} after the range: {start} to {end}")
        for kind, frame in maker.renew((start, end)).items():
            reports[kind].beside += frame.height
    for start, end in chunks(first, last, days):
        progress(f"features of {timeframe}: {start} to {end}")
        for kind, frame in maker.make((start, end), labels_before=start == first).items():
            ranged = frame.filter(pl.col("session") >= start)
            reports[kind].beside += frame.height - ranged.height
            reports[kind].count(ranged)
    return reports


def features_now(
    platform: Platform,
    groups: Sequence[FeatureGroup],
    symbols: Sequence[str],
    first: date,
    last: date,
    as_of: datetime | None = None,
) -> dict[Kind, pl.DataFrame]:
    """What the features of a range would be now; nothing is stored.

    Args:
        platform: configuration and ports.
        groups: of the bars of one timeframe.
        symbols: which.
        first: first session.
        last: last session.
        as_of: of bars curated anew from what was known then; None for those that are stored.

    Returns:
        By kind: rows of the group's schema, sorted by (symbol, ts).
    """
    maker = _Maker(platform, _timeframe_of(groups), tuple(groups), tuple(symbols), as_of=as_of)
    parts = [maker.compute(chunk, chunk[0]) for chunk in maker.chunks((first, last))]
    frames = {g.kind: pl.concat([_empty(g), *(part[g.kind] for part in parts)]) for g in groups}
    return {kind: frame.sort("symbol", "ts") for kind, frame in frames.items()}


def _timeframe_of(groups: Iterable[FeatureGroup]) -> Timeframe:
    found = {group.timeframe for group in groups}
    (timeframe,) = found
    if timeframe is None:
        raise ValueError("these features are not made of the bars of one timeframe")
    return timeframe


def _empty(group: FeatureGroup) -> pl.DataFrame:
    return FEATURES[group.key].schema.empty()


@dataclass(frozen=True)
class _Maker:
    """Computes and stores groups of one timeframe."""

    platform: Platform
    timeframe: Timeframe
    groups: tuple[FeatureGroup, ...]
    symbols: tuple[str, ...]
    work: Work = computed
    as_of: datetime | None = None

    def chunks(self, span: _Span) -> Iterator[_Span]:
        """Parts of a range that are computed at once."""
        days = step_days(self.platform, self.timeframe)
        if self.as_of is not None and LOOK_BACK[self.timeframe] > timedelta(days=days):
            # The bars before each part are curated again with it.
            days = 366
        return chunks(*span, days)

    def stored_until(self, last: date) -> date:
        """The last session after the range of which features are stored that it has a part in."""
        span = last + _DAY, reached_until(self.platform, self.timeframe, self.symbols, last)
        found = [
            day
            for group in self.groups
            if group.kind is not Kind.LABELS
            for day in [self._stored(FEATURES[group.key], span)["session"].max()]
            if isinstance(day, date)
        ]
        return max(found, default=last)

    def make(self, span: _Span, *, labels_before: bool) -> dict[Kind, pl.DataFrame]:
        """Compute and store a part of a range, and the labels that reach into it."""
        begin = span[0]
        with self._held(span if not labels_before else (self._earliest(begin), span[1])):
            if labels_before and any(g.kind is Kind.LABELS for g in self.groups):
                begin = self._labels_from(begin)
            made = self.compute(span, begin)
            for group in self.groups:
                dataset = FEATURES[group.key]
                whole = (begin if group.kind is Kind.LABELS else span[0], span[1])
                rows = made[group.kind]
                if whole[0] < span[0]:
                    before = whole[0], span[0] - _DAY
                    stored = self._stored(dataset, before)
                    rows = _only(rows, stored, pl.col("session") < span[0])
                self._replace(dataset, rows, whole)
                made[group.kind] = rows
        return made

    def renew(self, span: _Span) -> dict[Kind, pl.DataFrame]:
        """Compute features anew of the sessions of a range that have some."""
        done = {}
        with self._held(span):
            kept = tuple(g for g in self.groups if g.kind is not Kind.LABELS)
            made = replace(self, groups=kept).compute(span, span[0])
            for group in kept:
                dataset = FEATURES[group.key]
                rows = _only(made[group.kind], self._stored(dataset, span), pl.lit(value=True))
                self._replace(dataset, rows, span)
                done[group.kind] = rows
        return done

    def compute(self, span: _Span, labels_from: date) -> dict[Kind, pl.DataFrame]:
        """The rows of a range; those of labels from another session on."""
        parts: dict[Kind, list[pl.DataFrame]] = {g.kind: [_empty(g)] for g in self.groups}
        for made in self.work(self._parts(span, labels_from), self.groups):
            for kind, rows in made.items():
                whole = kind is Kind.LABELS or labels_from >= span[0]
                parts[kind].append(rows if whole else _since(rows, span[0]))
        return {kind: pl.concat(rows).sort("symbol", "ts") for kind, rows in parts.items()}

    def _parts(self, span: _Span, labels_from: date) -> Iterator[Part]:
        """The series that rows of a range are made of, each read when it is asked for."""
        bars = FeatureBars(self.platform, self.timeframe, self.as_of)
        begin = stretch_of(self.timeframe, labels_from)[0] - LOOK_BACK[self.timeframe]
        until = span[1] + timedelta(days=FURTHEST[self.timeframe])
        for names in _batches(self.symbols):
            read = bars.read(names, begin, until)
            for start, first, last in stretches(self.timeframe, labels_from, span[1]):
                yield bars.stretch(read, start, first, last), (first, last)

    def _earliest(self, first: date) -> date:
        return first - timedelta(days=FURTHEST[self.timeframe])

    def _labels_from(self, first: date) -> date:
        """The first session whose labels are told by bars of a session."""
        before = FeatureBars(self.platform, self.timeframe).read(
            self.symbols, self._earliest(first), first - _DAY
        )
        reached = before.group_by("symbol").agg(pl.col("session").tail(max(HORIZONS)).first())
        found = reached["session"].min()
        return found if isinstance(found, date) else first

    def _stored(self, dataset: Dataset, span: _Span) -> pl.DataFrame:
        """Symbols and sessions that have rows."""
        return self.platform.store.scan(
            dataset, symbols=self.symbols, sessions=span, columns=["symbol", "session"]
        ).unique()

    def _replace(self, dataset: Dataset, rows: pl.DataFrame, span: _Span) -> None:
        self.platform.store.replace(dataset, rows, sessions=span, symbols=self.symbols)

    def _held(self, span: _Span) -> AbstractContextManager[None]:
        names = [n for g in self.groups for n in lock_names(FEATURES[g.key].name, *span)]
        # Who reads the bars last also writes last.
        return self.platform.locks.hold(sorted(names))


def _since(rows: pl.DataFrame, first: date) -> pl.DataFrame:
    return rows.filter(pl.col("session") >= first)


def _batches(symbols: Sequence[str]) -> Iterator[Sequence[str]]:
    for number in range(0, len(symbols), _AT_ONCE):
        yield symbols[number : number + _AT_ONCE]


def _only(rows: pl.DataFrame, stored: pl.DataFrame, concerned: pl.Expr) -> pl.DataFrame:
    """The rows; of those concerned only such as have a session that is stored already."""
    keys = stored.with_columns(_there=pl.lit(value=True))
    marked = rows.join(keys, on=["symbol", "session"], how="left", maintain_order="left")
    return marked.filter(~concerned | pl.col("_there").fill_null(value=False)).drop("_there")
