"""Where the rows of exports come from: the lake, or TimescaleDB.

What belongs here: one moment of a source, its versions, its rows unit by unit, for engines and
checks. What does not: what Spark needs of it (spark_reading.py), writing (engines).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import polars as pl

from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from market_data.datasets import Dataset, Layout
from market_data.exports.jobs import ExportJob, Unit, unit
from market_data.ports import BarStore

if TYPE_CHECKING:
    from adapters.timescale.settings import TimescaleSettings

LAKE, TIMESCALE = "lake", "timescaledb"
_STATEMENT = timedelta(days=7)
"""Sessions of fine bars that one statement asks for: readers have a time limit."""


class Reading(Protocol):
    """A dataset as it is at one moment, for one export."""

    @property
    def kind(self) -> str:
        """The kind of store, for the manifest."""
        ...

    def held(self) -> tuple[date, date] | None:
        """First and last session that may have rows; None where there are none."""
        ...

    def versions(self, units: Sequence[Unit]) -> dict[str, str]:
        """By unit, a token that changes when its rows change."""
        ...

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """The rows of a unit that are handed out, in parts that fit memory or stream."""
        ...

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same in one frame."""
        ...


class Source(Protocol):
    """Opens readings."""

    def read(self, job: ExportJob) -> Reading:
        """The source of an export as it is now."""
        ...


@dataclass(frozen=True)
class LakeSource:
    """Curated datasets on Delta Lake.

    Attributes:
        root: folder, or URI on an object store, of the warehouse.
    """

    root: str

    def read(self, job: ExportJob) -> LakeReading:
        """One snapshot; writers may go on."""
        from adapters.stores.object_settings import options_of

        table = DeltaFiles(self.root, job.dataset, options_of(self.root))
        return LakeReading(job, self.root, table, table.snapshot())


@dataclass(frozen=True)
class LakeReading:
    """The files of one version of a table."""

    job: ExportJob
    root: str
    table: DeltaFiles
    snapshot: Snapshot
    kind: str = LAKE

    def held(self) -> tuple[date, date] | None:
        """From the first month or year that has a file to the last."""
        names = self.snapshot.files["unit"].unique().to_list()
        if not names:
            return None
        periods = [unit(self.job.dataset.layout, _first_day(name)) for name in names]
        return min(p.first for p in periods), max(p.last for p in periods)

    def versions(self, units: Sequence[Unit]) -> dict[str, str]:
        """By unit, a hash of its files' names: every write makes new ones."""
        return {
            one.name: sha256("\n".join(sorted(self._files(one)["path"])).encode()).hexdigest()
            for one in units
        }

    def paths(self, units: Sequence[Unit]) -> list[str]:
        """The files of some units, for an engine that reads them itself."""
        folder = f"{self.root.rstrip('/')}/{self.job.dataset.name}"
        return [f"{folder}/{path}" for one in units for path in self._files(one)["path"]]

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """One lazy frame over the unit's files."""
        files = self._files(wanted)
        if not files.is_empty():
            yield self.table.scan(files).filter(self.job.served())

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same, collected."""
        return _whole(self.job.dataset, self.parts(wanted))

    def _files(self, wanted: Unit) -> pl.DataFrame:
        period = pl.col("unit").str.split("/").list.first()
        return self.snapshot.files.filter(period == _period(self.job.dataset.layout, wanted))


@dataclass(frozen=True)
class TimescaleSource:
    """Curated datasets on TimescaleDB.

    Attributes:
        store: reads them.
        settings: where they are, for an engine that reads them itself.
    """

    store: BarStore
    settings: TimescaleSettings

    def read(self, job: ExportJob) -> TimescaleReading:
        """The tables, whose rows may change while they are read: compare `versions`."""
        return TimescaleReading(job, self.store, self.settings)


@dataclass(frozen=True)
class TimescaleReading:
    """A table."""

    job: ExportJob
    store: BarStore
    settings: TimescaleSettings
    kind: str = TIMESCALE

    def held(self) -> tuple[date, date] | None:
        """From the first month that has rows to the last."""
        months = self.store.counts(self.job.dataset)["month"]
        if months.is_empty():
            return None
        last = unit(Layout.MONTH_BUCKET, months.max())  # type: ignore[arg-type]
        return months.min(), last.last  # type: ignore[return-value]

    def versions(self, units: Sequence[Unit]) -> dict[str, str]:
        """By unit, what the store says of the version of its sessions."""
        return {
            one.name: self.store.version(self.job.dataset, sessions=one.sessions) for one in units
        }

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """One lazy frame per statement."""
        for sessions in self.statements(wanted):
            rows = self.store.scan(self.job.dataset, sessions=sessions)
            if not rows.is_empty():
                yield rows.lazy().filter(self.job.served())

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same in one frame."""
        return _whole(self.job.dataset, self.parts(wanted))

    def statements(self, wanted: Unit) -> list[tuple[date, date]]:
        """The ranges of sessions that are asked for one after the other."""
        if self.job.dataset.layout is Layout.YEAR:
            return [wanted.sessions]
        starts = [
            wanted.first + n * _STATEMENT
            for n in range((wanted.last - wanted.first) // _STATEMENT + 1)
        ]
        return [(s, min(s + _STATEMENT - timedelta(days=1), wanted.last)) for s in starts]


def _whole(dataset: Dataset, parts: Iterator[pl.LazyFrame]) -> pl.DataFrame:
    return pl.concat([dataset.schema.empty(), *(part.collect() for part in parts)])


def _period(layout: Layout, wanted: Unit) -> str:
    """The first folder of the store's own layout that holds a unit."""
    if layout is Layout.YEAR:
        return f"year={wanted.first:%Y}"
    return f"month={wanted.first:%Y-%m}"


def _first_day(name: str) -> date:
    from adapters.stores.units import first_day

    return first_day(name.split("/", maxsplit=1)[0])
