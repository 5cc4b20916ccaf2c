"""One run of an export: from a range of sessions to a manifest that counts.

What belongs here: the order of the steps, what a source that changes meanwhile means.
What does not: the steps (sources.py, engines, store.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from adapters.exports.engine import Engine, Tell
from adapters.exports.files import Facts, digest_of
from adapters.exports.sources import LAKE, Reading, Source
from adapters.exports.store import ExportStore, Turn
from market_data.errors import MarketDataError, StoreConflictError
from market_data.exports.jobs import ExportJob, Unit
from market_data.exports.manifest import (
    FileRecord,
    Manifest,
    UnitRecord,
    Written,
    succeeding,
)
from market_data.ports import Clock

ATTEMPTS = 3
"""How often rows are read that somebody changes meanwhile."""


@dataclass(frozen=True)
class Exporter:
    """What a run needs.

    Attributes:
        store: folders of exports.
        source: of the rows.
        engine: writes them.
        clock: tells when.
        rules: version of the rules in force.
    """

    store: ExportStore
    source: Source
    engine: Engine
    clock: Clock
    rules: str

    def planned(
        self, job: ExportJob, sessions: tuple[date, date] | None
    ) -> tuple[list[Unit], Reading]:
        """The units of a run, and what is read; see `run`."""
        reading = self.source.read(job)
        # Which sessions a source holds may be a count over all of its rows.
        span = sessions or reading.held()
        return (job.units(*span) if span else []), reading

    def run(
        self,
        job: ExportJob,
        sessions: tuple[date, date] | None,
        run: str,
        tell: Tell,
        *,
        anew: bool = False,
    ) -> Manifest:
        """Export the units of a range of sessions, whole; nothing of it counts before all does.

        Args:
            job: which export.
            sessions: first and last one; None for all that the source holds.
            run: id of the run.
            tell: hears of progress.
            anew: nothing of what was exported before counts, and it may be damaged.

        Raises:
            StoreConflictError: another run writes the export, or the rows changed whenever they
                were read.
            CopyMismatchError: the manifest is damaged.
            StorageError: the disk takes no more.
            StoreUnavailableError: the source does not answer.
            TableDamagedError: a file of the lake is gone or cannot be read; the message names it.
            MarketDataError: features were made by another definition than the one in force.
        """
        with self.store.writing(job, run, anew=anew) as turn:
            for _ in range(ATTEMPTS):
                units, reading = self.planned(job, sessions)
                before = reading.versions(units)
                folder = turn.staging
                with reading.explained(units):
                    _of_one_definition(job, reading, units)
                    found = self.engine.write(job, reading, units, folder, tell) if units else []
                # A snapshot does not change; of tables the versions are looked at again.
                if reading.kind == LAKE or self.source.read(job).versions(units) == before:
                    break
                tell(f"{job.name}: its rows changed while they were read; once more")
                _emptied(folder)
            else:
                raise StoreConflictError(
                    f"{job.name}: somebody changed its rows {ATTEMPTS} times while they were read; "
                    "export again when fewer runs write them"
                )
            now = self.clock.now()
            versions = {"rules": self.rules, **self.engine.versions()}
            written = Written(
                run=run,
                at=now,
                engine={"name": self.engine.name, **versions},
                source=reading.kind,
                units=_units(units, before, found, turn, (run, self.engine.name, now)),
                files=_records(found, turn),
            )
            manifest = succeeding(turn.before, job, written, turn.number)
            self.store.commit(job, turn, manifest, now)
        return manifest


def _of_one_definition(job: ExportJob, reading: Reading, units: Sequence[Unit]) -> None:
    """Refuse features of which some mean something else than the others."""
    for unit in units if job.definition else ():
        if reading.definitions(unit) - {job.definition}:
            raise MarketDataError(
                f"{job.name}: rows of {unit.name} are by another definition than the one in force: "
                f"'emp features make --start {unit.first} --end {unit.last}' makes them anew"
            )


def _emptied(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
    folder.mkdir()


def _records(found: Sequence[Facts], turn: Turn) -> list[FileRecord]:
    records = []
    for file in found:
        below = Path(file.path).relative_to(turn.staging)
        path, unit = f"{turn.folder}/{below.as_posix()}", below.parent.as_posix()
        records.append(FileRecord(path, unit, file.rows, file.bytes, file.sha256, file.digest))
    return records


def _units(
    units: Sequence[Unit],
    versions: Mapping[str, str],
    found: Sequence[Facts],
    turn: Turn,
    by: tuple[str, str, datetime],
) -> list[UnitRecord]:
    made: dict[str, list[Facts]] = {unit.name: [] for unit in units}
    for file in found:
        # A file elsewhere would be one of rows that nobody asked for.
        made[Path(file.path).relative_to(turn.staging).parent.as_posix()].append(file)
    run, engine, at = by
    return [
        UnitRecord(
            name=unit.name,
            first=unit.first,
            last=unit.last,
            rows=sum(file.rows for file in made[unit.name]),
            digest=str(digest_of(made[unit.name])),
            source_version=versions[unit.name],
            run=run,
            engine=engine,
            written_at=at,
        )
        for unit in units
    ]
