"""Where the rows of exports come from: the lake, or TimescaleDB.

What belongs here: one moment of a source, its versions, its rows unit by unit, for engines and
checks. What does not: what Spark needs of it (spark_reading.py), writing (engines).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import polars as pl

from adapters.stores.delta_damage import damaged, lost_among, vacuumed
from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from market_data.datasets import Dataset, Layout
from market_data.errors import MarketDataError
from market_data.exports.jobs import ExportJob, Unit, unit, whole_range
from market_data.exports.marks import MARKS, Verdict, Verdicts, put_on, with_token
from market_data.ports import BarStore

if TYPE_CHECKING:
    from adapters.timescale.settings import TimescaleSettings

LAKE, TIMESCALE = "lake", "timescaledb"
_STATEMENTS = {Layout.MONTH_BUCKET: timedelta(days=7), Layout.YEAR: timedelta(days=92)}
"""Days that one statement asks for, of fine and of coarse bars: readers have a time limit, and what
it gives is held in memory."""


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
        """By unit, a token that changes when its rows change, or what is said of them."""
        ...

    def marks(self, wanted: Unit) -> pl.DataFrame:
        """Rows of MARKS: bars of a unit that checks or people say something of."""
        ...

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """The rows of a unit that are handed out, marked, in parts that fit memory or stream."""
        ...

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same in one frame."""
        ...

    def definitions(self, wanted: Unit) -> set[str]:
        """Of features: the definitions that made the rows of a unit."""
        ...

    def explained(self, units: Sequence[Unit]) -> AbstractContextManager[None]:
        """Within it, trouble with the rows of some units is told in the platform's words.

        Raises:
            TableDamagedError: a file of the lake is gone or cannot be read; the message names it.
            VersionGoneError: it is one of a former version, which vacuum has removed.
        """
        ...


class Source(Protocol):
    """Opens readings."""

    def read(self, job: ExportJob) -> Reading:
        """The source of an export as it is now."""
        ...


@dataclass
class _Said:
    """What is said of the bars of a reading: looked up once, so that all of a run sees the same."""

    job: ExportJob
    verdicts: Verdicts
    by_unit: dict[str, Verdict] = field(default_factory=dict)

    def of(self, units: Sequence[Unit]) -> list[Verdict]:
        if missing := [one for one in units if one.name not in self.by_unit]:
            whole = self.verdicts.of(self.job, whole_range(missing))
            self.by_unit |= {one.name: whole.within(one.sessions) for one in missing}
        return [self.by_unit[one.name] for one in units]

    def mixed(self, units: Sequence[Unit], versions: dict[str, str]) -> dict[str, str]:
        """Versions of units with what is said of their bars."""
        return {
            one.name: with_token(versions[one.name], verdict.token(one.sessions))
            for one, verdict in zip(units, self.of(units), strict=True)
        }


@dataclass(frozen=True)
class LakeSource:
    """Curated datasets on Delta Lake.

    Attributes:
        root: folder, or URI on an object store, of the warehouse.
        verdicts: what is said of bars.
    """

    root: str
    verdicts: Verdicts

    def read(self, job: ExportJob) -> LakeReading:
        """One snapshot; writers may go on."""
        from adapters.stores.object_settings import options_of

        table = DeltaFiles(self.root, job.dataset, options_of(self.root))
        return LakeReading(job, self.root, table, table.snapshot(), _Said(job, self.verdicts))


@dataclass(frozen=True)
class LakeReading:
    """The files of one version of a table."""

    job: ExportJob
    root: str
    table: DeltaFiles
    snapshot: Snapshot
    said: _Said
    kind: str = LAKE

    def held(self) -> tuple[date, date] | None:
        """From the first month or year that has a file to the last."""
        names = self.snapshot.files["unit"].unique().to_list()
        if not names:
            return None
        periods = [unit(self.job.dataset.layout, _first_day(name)) for name in names]
        return min(p.first for p in periods), max(p.last for p in periods)

    def versions(self, units: Sequence[Unit]) -> dict[str, str]:
        """By unit, a hash of its files' names, every write makes new ones, and of what is said."""
        names = {
            one.name: sha256("\n".join(sorted(self._files(one)["path"])).encode()).hexdigest()
            for one in units
        }
        return self.said.mixed(units, names)

    def paths(self, units: Sequence[Unit]) -> list[str]:
        """The files of some units, for an engine that reads them itself."""
        folder = f"{self.root.rstrip('/')}/{self.job.dataset.name}"
        return [f"{folder}/{path}" for one in units for path in self._files(one)["path"]]

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """One lazy frame over the unit's files."""
        files = self._files(wanted)
        if not files.is_empty():
            rows = put_on(self.table.scan(files), self.marks(wanted))
            yield rows.filter(self.job.served())

    def marks(self, wanted: Unit) -> pl.DataFrame:
        """Rows of MARKS of a unit, over the same files."""
        files = self._files(wanted)
        if files.is_empty():
            return pl.DataFrame(schema=MARKS)

        def read(of: pl.DataFrame, sessions: tuple[date, date]) -> pl.DataFrame:
            rows = self.table.scan(files).filter(pl.col("session").is_between(*sessions))
            return rows.join(of.lazy(), on=of.columns, how="semi").collect()

        return _marks(self.job, self.said, wanted, read)

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same, collected."""
        return _whole(self.job.dataset, self.parts(wanted))

    def definitions(self, wanted: Unit) -> set[str]:
        """The definitions in the unit's files."""
        files = self._files(wanted)
        if files.is_empty():
            return set()
        told = self.table.scan(files).select(pl.col("definition").unique())
        return set(told.collect(engine="streaming")["definition"])

    @contextmanager
    def explained(self, units: Sequence[Unit]) -> Iterator[None]:
        """Any error may come of a file that is gone: whoever reads says it in words of its own."""
        try:
            yield
        except MarketDataError:
            raise
        except Exception as error:
            files = pl.concat([self.snapshot.files.clear(), *(self._files(u) for u in units)])
            place = self.table.place
            lost = lost_among(place.files, files, thorough=True)
            if not lost:
                raise
            now = set(self.table.snapshot().files["path"])
            if current := {path: what for path, what in lost.items() if path in now}:
                raise damaged(place, files, current) from error
            raise vacuumed(place, lost) from error

    def _files(self, wanted: Unit) -> pl.DataFrame:
        period = pl.col("unit").str.split("/").list.first()
        return self.snapshot.files.filter(period == _period(self.job.dataset.layout, wanted))


@dataclass(frozen=True)
class TimescaleSource:
    """Curated datasets on TimescaleDB.

    Attributes:
        store: reads them.
        settings: where they are, for an engine that reads them itself.
        verdicts: what is said of bars.
    """

    store: BarStore
    settings: TimescaleSettings
    verdicts: Verdicts

    def read(self, job: ExportJob) -> TimescaleReading:
        """The tables, whose rows may change while they are read: compare `versions`."""
        return TimescaleReading(job, self.store, self.settings, _Said(job, self.verdicts))


@dataclass(frozen=True)
class TimescaleReading:
    """A table."""

    job: ExportJob
    store: BarStore
    settings: TimescaleSettings
    said: _Said
    kind: str = TIMESCALE

    def held(self) -> tuple[date, date] | None:
        """From the first month that has rows to the last."""
        months = self.store.counts(self.job.dataset)["month"]
        if months.is_empty():
            return None
        last = unit(Layout.MONTH_BUCKET, months.max())  # type: ignore[arg-type]
        return months.min(), last.last  # type: ignore[return-value]

    def versions(self, units: Sequence[Unit]) -> dict[str, str]:
        """By unit, what the store says of the version of its sessions, and what is said of them."""
        stored = {
            one.name: self.store.version(self.job.dataset, sessions=one.sessions) for one in units
        }
        return self.said.mixed(units, stored)

    def parts(self, wanted: Unit) -> Iterator[pl.LazyFrame]:
        """One lazy frame per statement."""
        marks = self.marks(wanted)
        for sessions in self.statements(wanted):
            rows = self.store.scan(self.job.dataset, sessions=sessions)
            if not rows.is_empty():
                yield put_on(rows.lazy(), marks).filter(self.job.served())

    def marks(self, wanted: Unit) -> pl.DataFrame:
        """Rows of MARKS of a unit."""

        def read(of: pl.DataFrame, sessions: tuple[date, date]) -> pl.DataFrame:
            symbols = of["symbol"].unique().sort().to_list()
            rows = self.store.scan(self.job.dataset, symbols=symbols, sessions=sessions)
            return rows.join(of, on=of.columns, how="semi")

        return _marks(self.job, self.said, wanted, read)

    def frame(self, wanted: Unit) -> pl.DataFrame:
        """The same in one frame."""
        return _whole(self.job.dataset, self.parts(wanted))

    def definitions(self, wanted: Unit) -> set[str]:
        """The definitions in the table, statement by statement."""
        found: set[str] = set()
        for sessions in self.statements(wanted):
            rows = self.store.scan(self.job.dataset, sessions=sessions, columns=["definition"])
            found |= set(rows["definition"].unique())
        return found

    def explained(self, units: Sequence[Unit]) -> AbstractContextManager[None]:  # noqa: ARG002
        """The store tells its own troubles."""
        return nullcontext()

    def statements(self, wanted: Unit) -> list[tuple[date, date]]:
        """The ranges of sessions that are asked for one after the other."""
        return _statements(self.job, wanted)


def _statements(job: ExportJob, wanted: Unit) -> list[tuple[date, date]]:
    step = _STATEMENTS[job.dataset.layout]
    starts = [wanted.first + n * step for n in range((wanted.last - wanted.first) // step + 1)]
    return [(s, min(s + step - timedelta(days=1), wanted.last)) for s in starts]


def _marks(
    job: ExportJob,
    said: _Said,
    wanted: Unit,
    read: Callable[[pl.DataFrame, tuple[date, date]], pl.DataFrame],
) -> pl.DataFrame:
    """Rows of MARKS of a unit, of the sessions alone of which anything is said."""
    found = [pl.DataFrame(schema=MARKS)]
    (verdict,) = said.of([wanted])
    for sessions in _statements(job, wanted):
        of = verdict.concerned(sessions)
        if not of.is_empty():
            found.append(verdict.marks(read(of, sessions)))
    return pl.concat(found)


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
