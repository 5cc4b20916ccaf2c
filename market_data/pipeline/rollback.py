"""Keeping what a backfill may change, and putting it back.

What belongs here: copying slices aside and back, which fetches a backfill made, which
symbol-sessions others have fetched since. What does not: what others made since beside the range
(rollback_others.py), where a snapshot lies and the order of the steps (adapters/rollback.py),
ledger and quarantine (adapters/operations/scope_state.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import polars as pl

from market_data.backfill.plans import Span
from market_data.backfill.scope import Asked, Scope, Stored
from market_data.backfill.spans import within
from market_data.datasets import raw_bars
from market_data.errors import CopyMismatchError
from market_data.pipeline.curate import curate_sessions, lock_names
from market_data.pipeline.platform import Platform, Progress
from market_data.pipeline.score import score_range
from market_data.ports import BarStore
from market_data.quality.digest import RowsDigest, rows_digest
from market_data.timeframes import Timeframe

_KEY = ["symbol", "session"]
_DAY = timedelta(days=1)
_TOUCHED = {"timeframe": pl.String(), "symbol": pl.String(), "session": pl.Date()}


@dataclass(frozen=True)
class Fetched:
    """What came into the raw logs since a snapshot, within the scope of a backfill.

    Attributes:
        fetches: of the backfill, by name of the raw dataset.
        rows: that these brought.
        touched: timeframe, symbol, session of bars that others fetched.
        actions: numbers of corporate actions that the backfill alone brought.
        of_actions: the symbols that these are of.
        others: of `rollback_others.made_by_others`.
    """

    fetches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: int = 0
    touched: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_TOUCHED))
    actions: tuple[int, ...] = ()
    of_actions: tuple[str, ...] = ()
    others: tuple[Span, ...] = ()


def keep_slices(store: BarStore, kept: BarStore, slices: Iterable[Stored], tell: Progress) -> int:
    """Copy slices of a store into an empty one; how many rows those are."""
    rows = 0
    for slice_ in (part for whole in slices for part in whole.parts()):
        frame = _scan(store, slice_)
        if not frame.is_empty():
            tell(f"snapshot of {_named(slice_)}: {frame.height} rows")
            _replace(kept, slice_, frame)
            rows += frame.height
    return rows


def refuse_unless_whole(kept: BarStore, slices: Iterable[Stored], rows: int) -> None:
    """Nothing is put back of a snapshot that has lost rows: what is missing would be removed.

    Args:
        kept: the snapshot.
        slices: of which it holds rows.
        rows: as many were kept.

    Raises:
        CopyMismatchError: it holds others.
    """
    found = sum(
        kept.scan(
            part.dataset, symbols=part.symbols, sessions=part.sessions, columns=["symbol"]
        ).height
        for whole in slices
        for part in whole.parts()
    )
    if found != rows:
        raise CopyMismatchError(
            f"the snapshot holds {found} rows of the {rows} that were kept: nothing is put back; "
            "a backup of that time has it"
        )


def put_slices_back(
    platform: Platform,
    kept: BarStore,
    slices: Iterable[Stored],
    tell: Progress,
    stay: Callable[[Stored, pl.DataFrame], pl.DataFrame] | None = None,
) -> int:
    """Make slices of the store hold what was kept of them; how many rows those are.

    Call `refuse_unless_whole` first.

    Args:
        platform: configuration and ports.
        kept: the snapshot.
        slices: that it holds.
        tell: hears of progress.
        stay: of the rows of a slice that are there now, those that others made; what was kept of
            their symbols and sessions is not put back.

    Raises:
        CopyMismatchError: a slice does not tell what was put there.
        StoreConflictError: other writers won every attempt.
    """
    rows = 0
    for slice_ in (part for whole in slices for part in whole.parts()):
        first, last = slice_.sessions
        frame = _scan(kept, slice_)
        with platform.locks.hold(lock_names(slice_.dataset.name, first, last)):
            now = _scan(platform.store, slice_)
            theirs = now.clear() if stay is None else stay(slice_, now)
            if not theirs.is_empty():
                frame = frame.join(theirs.select(_KEY).unique(), on=_KEY, how="anti")
                frame = pl.concat([frame, theirs]).sort(slice_.dataset.sort)
            if not now.equals(frame):
                _replace(platform.store, slice_, frame)
            found = _digest(platform.store, slice_)
        if found != rows_digest(frame):
            raise CopyMismatchError(
                f"{_named(slice_)}: {frame.height} rows were put back, the store tells "
                f"{found.rows} others: repeat 'emp backfill rollback'"
            )
        tell(f"{_named(slice_)}: {frame.height} rows are back")
        rows += frame.height
    return rows


def fetched_since(
    platform: Platform,
    scope: Scope,
    since: datetime,
    runs: Collection[str],
    until: datetime,
) -> Fetched:
    """What came into the raw logs since a snapshot.

    A fetch belongs to the backfill where one of its runs made it, or where no run has put it down
    and it is of the time of the backfill: its process died. One that came later and is not put
    down is another's, which is at work at this moment.

    Args:
        platform: whose raw logs.
        scope: of the backfill.
        since: the moment of the snapshot.
        runs: of the backfill.
        until: the end of the backfill.
    """
    fetches: dict[str, set[str]] = {}
    brought = 0
    for slice_, spans in _asked(scope):
        dataset = slice_.dataset
        for came in _came(platform, slice_, since):
            rows = came.join(within(came.select(_KEY).unique(), spans), on=_KEY, how="semi")
            names = rows["fetch_id"].unique().sort().to_list()
            made_by = {a.fetch_id: a.run_id for a in platform.journal.of(names)}
            mine = [name for name, run in made_by.items() if run in runs]
            died = ~pl.col("fetch_id").is_in(list(made_by)) & (pl.col("fetched_at") <= until)
            own = rows.filter(pl.col("fetch_id").is_in(mine) | died)
            fetches.setdefault(dataset.name, set()).update(own["fetch_id"].unique())
            brought += own.height
    return Fetched(
        {name: tuple(sorted(ids)) for name, ids in sorted(fetches.items()) if ids},
        brought,
        _touched(platform, scope, since, fetches),
    )


def _asked(scope: Scope) -> Iterator[tuple[Stored, list[Span]]]:
    """Per vendor and timeframe the range that holds every question, and the spans of these.

    Pieces may ask about the same days: of symbols that lack others of them.
    """
    whose: dict[tuple[str, Timeframe], list[Asked]] = {}
    for asked in scope.asked:
        whose.setdefault((asked.vendor, asked.timeframe), []).append(asked)
    for (vendor, timeframe), questions in whose.items():
        spans = sorted({(s, *q.sessions) for q in questions for s in q.symbols})
        symbols = tuple(dict.fromkeys(symbol for symbol, *_ in spans))
        sessions = min(first for _, first, _ in spans), max(last for *_, last in spans)
        yield Stored(raw_bars(vendor, timeframe), symbols, sessions), spans


def brought_alone(
    platform: Platform, learned: pl.DataFrame, since: datetime, runs: Collection[str]
) -> pl.DataFrame:
    """Corporate actions that a backfill brought, and that nobody else was told since.

    An answer tells the actions of its own days. So what another run has asked the same source about
    since, over days with the ex-date among them, stays.

    Args:
        platform: whose journal.
        learned: columns source, symbol, ex_date, and others that are kept.
        since: the moment of the snapshot.
        runs: of the backfill.
    """
    told = pl.DataFrame(
        [
            (attempt.vendor, symbol, *attempt.sessions)
            for attempt in platform.journal.runs(since=since, limit=None)
            if attempt.run_id not in runs and attempt.status != "failed"
            for symbol in attempt.symbols
        ],
        schema={"source": pl.String, "symbol": pl.String, "_first": pl.Date, "_last": pl.Date},
        orient="row",
    )
    key = ["source", "symbol", "ex_date"]
    also = (
        learned.join(told.unique(), on=["source", "symbol"])
        .filter(pl.col("ex_date").is_between("_first", "_last"))
        .select(key)
    )
    return learned.join(also, on=key, how="anti", maintain_order="left")


def _touched(
    platform: Platform, scope: Scope, since: datetime, own: Mapping[str, Collection[str]]
) -> pl.DataFrame:
    """Curated symbol-sessions that others fetched bars of since: timeframe, symbol, session."""
    found = [pl.DataFrame(schema=_TOUCHED)]
    for stored in scope.stored:
        timeframe = stored.timeframe
        for source in {timeframe, Timeframe.M1} if timeframe else ():
            for vendor in platform.universe.vendors_of(source):
                dataset = raw_bars(vendor.name, source)
                of_backfill = list(own.get(dataset.name, ()))
                found += [
                    rows.filter(~pl.col("fetch_id").is_in(of_backfill)).select(
                        timeframe=pl.lit(str(timeframe)), symbol="symbol", session="session"
                    )
                    for rows in _came(
                        platform, Stored(dataset, stored.symbols, stored.sessions), since
                    )
                ]
    return pl.concat(found).unique().sort(list(_TOUCHED))


def _came(platform: Platform, slice_: Stored, since: datetime) -> Iterator[pl.DataFrame]:
    """The raw rows of a slice that were fetched since, part by part."""
    for part in slice_.parts():
        rows = platform.raw_log.revisions(
            part.dataset, symbols=part.symbols, sessions=part.sessions
        ).filter(pl.col("fetched_at") >= since)
        if not rows.is_empty():
            yield rows


def make_anew(platform: Platform, touched: pl.DataFrame, tell: Progress) -> None:
    """Curate and score symbol-sessions from the raw logs as they are now.

    Args:
        platform: configuration and ports.
        touched: timeframe, symbol, session.
        tell: hears of progress.
    """
    for timeframe, symbol, first, last in _stretches(touched):
        tell(f"{symbol} {timeframe} {first} to {last} was fetched by others since: made anew")
        curate_sessions(platform, timeframe, [symbol], first, last)
    for _, symbol, first, last in _stretches(touched.with_columns(timeframe=pl.lit("1d"))):
        score_range(platform, [symbol], first, last)


def _stretches(touched: pl.DataFrame) -> Iterable[tuple[Timeframe, str, date, date]]:
    """Stretches of days without a gap."""
    groups: dict[tuple[str, str], list[date]] = {}
    for timeframe, symbol, session in touched.unique().sort(list(_TOUCHED)).iter_rows():
        groups.setdefault((timeframe, symbol), []).append(session)
    for (timeframe, symbol), days in groups.items():
        yield from (
            (Timeframe(timeframe), symbol, first, last) for first, last in _without_gaps(days)
        )


def _without_gaps(days: Sequence[date]) -> Iterable[tuple[date, date]]:
    first = last = days[0]
    for day in days[1:]:
        if day > last + _DAY:
            yield first, last
            first = day
        last = day
    yield first, last


def _replace(store: BarStore, slice_: Stored, rows: pl.DataFrame) -> None:
    store.replace(slice_.dataset, rows, sessions=slice_.sessions, symbols=slice_.symbols)


def _digest(store: BarStore, slice_: Stored) -> RowsDigest:
    return rows_digest(_scan(store, slice_))


def _scan(store: BarStore, slice_: Stored) -> pl.DataFrame:
    return store.scan(slice_.dataset, symbols=slice_.symbols, sessions=slice_.sessions)


def _named(slice_: Stored) -> str:
    first, last = slice_.sessions
    return f"{slice_.dataset.name} {first} to {last}"
