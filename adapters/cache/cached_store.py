"""A warehouse that reads through a cache.

What belongs here: keys, the race between a read and a write, frames as bytes.
What does not: the cache (memory.py, redis_cache.py), the store.

A key holds the version of the range that it answers, asked of the store with every read. So an
entry is never older than the last committed write, whoever made it and however its process ended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import polars as pl

from adapters.cache.frames import from_bytes, to_bytes
from market_data.datasets import Dataset
from market_data.ports import BarStore, TableVersion
from market_data.ports.cache import Cache
from market_data.ports.lake import VersionedTable

_REACH = timedelta(days=3)
"""A bar starts within this of its session's date."""


class CachedBarStore:
    """Another store, read through a cache; writes go straight to it.

    Args:
        store: where the rows are.
        cache: what remembers answers.
        reads: whether reads are answered by it. The graph reads what it has just written: it only
            frees what its writes made useless, and leaves the room and the numbers to readers.
    """

    def __init__(self, store: BarStore, cache: Cache, *, reads: bool = True) -> None:
        self._store = store
        self._cache = cache
        self._reads = reads

    def __repr__(self) -> str:
        return f"CachedBarStore({self._store!r})"

    @property
    def cache(self) -> Cache:
        """What remembers answers."""
        return self._cache

    @property
    def uncached(self) -> BarStore:
        """Where the rows are."""
        return self._store

    def scan(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        sessions: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows sorted by (symbol, time), see the port."""

        def rows() -> pl.DataFrame:
            return self._store.scan(
                dataset, symbols=symbols, start=start, end=end, sessions=sessions, columns=columns
            )

        # Versions are asked of the store for the cache alone: without it they only cost.
        if not self._reads or self._cache.idle:
            return rows()
        asked = {
            "symbols": None if symbols is None else sorted(set(symbols)),
            "start": _instant(start),
            "end": _instant(end),
            "sessions": None if sessions is None else [str(day) for day in sessions],
            "columns": None if columns is None else list(columns),
        }
        touched = sessions or _sessions(start, end)

        def version() -> str:
            return self._store.version(dataset, symbols=symbols, sessions=touched)

        before = version()
        key = _key(dataset, asked, before)
        known = self._read(key, dataset, columns)
        if known is not None:
            return known
        if self._cache.idle:
            return rows()
        with self._cache.loading(key) as mine:
            if not mine and (known := self._read(key, dataset, columns)) is not None:
                return known
            frame = rows()
            # A write in between makes a newer version: its rows must not stand under the old one.
            if version() == before:
                self._cache.put(key, to_bytes(frame))
            return frame

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        sessions: tuple[date, date],
        symbols: Sequence[str],
        unless_changed_since: str | None = None,
    ) -> int:
        """Make the slice hold exactly these rows, see the port; frees what it made useless."""
        before = self._store.version(dataset, symbols=symbols, sessions=sessions)
        held = self._store.replace(
            dataset,
            frame,
            sessions=sessions,
            symbols=symbols,
            unless_changed_since=unless_changed_since,
        )
        if self._store.version(dataset, symbols=symbols, sessions=sessions) != before:
            self._cache.invalidate(f"{dataset.name}:")
        return held

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol; a short read, which is not cached."""
        return self._store.latest(dataset, symbols=symbols, rows=rows)

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """The store's counts; not cached."""
        return self._store.counts(dataset)

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> str:
        """The store's version."""
        return self._store.version(dataset, symbols=symbols, sessions=sessions)

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """The store's history."""
        return self._store.history(dataset)

    def compact(self, dataset: Dataset) -> None:
        """Merge the store's small files."""
        self._store.compact(dataset)

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove the store's old files."""
        self._store.vacuum(dataset, retention_hours=retention_hours)

    def table(self, dataset: Dataset) -> VersionedTable:
        """Versions and upkeep of the store's table; former versions are not cached."""
        return self._store.table(dataset)

    def _read(
        self, key: str, dataset: Dataset, columns: Sequence[str] | None
    ) -> pl.DataFrame | None:
        content = self._cache.get(key)
        if content is None:
            return None
        wanted = list(columns) if columns is not None else dataset.schema.names
        try:
            frame = from_bytes(content, wanted)
        except (pl.exceptions.PolarsError, OSError):
            self._cache.spoilt(key)
            return None
        if dict(frame.schema) != {name: dataset.schema.dtypes[name] for name in wanted}:
            self._cache.spoilt(key)
            return None
        return frame


def _key(dataset: Dataset, asked: dict[str, Any], version: str) -> str:
    text = json.dumps([asked, version], sort_keys=True)
    return f"{dataset.name}:{sha256(text.encode()).hexdigest()}"


def _instant(value: datetime | date | None) -> str | None:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return None if value is None else value.isoformat()


def _sessions(
    start: datetime | date | None, end: datetime | date | None
) -> tuple[date, date] | None:
    """Sessions that hold every bar of a range of times, and some more."""
    if start is None and end is None:
        return None
    first, last = date.min, date.max
    if start is not None and _day(start) - date.min > _REACH:
        first = _day(start) - _REACH
    if end is not None and date.max - _day(end) > _REACH:
        last = _day(end) + _REACH
    return (first, last) if first <= last else (last, first)


def _day(value: datetime | date) -> date:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date() if value.tzinfo else value.date()
    return value
