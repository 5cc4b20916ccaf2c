"""Reading exports back: every file against the manifest, every row against the source.

What belongs here: gathering what is compared. What does not: the comparison
(market_data/exports/checks.py), what is shown of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from adapters.exports.engine import Tell
from adapters.exports.files import Facts, all_facts
from adapters.exports.sources import Reading, Source
from adapters.exports.store import ExportStore
from market_data.errors import DatasetMissingError
from market_data.exports.checks import FOUND, added, aggregates, compare, stale
from market_data.exports.digest import ContentDigest, content_digest
from market_data.exports.jobs import ExportJob, Unit
from market_data.exports.manifest import FileRecord, Manifest, UnitRecord, total

BATCH_ROWS = 250_000
"""Rows that are held at a time while the rows of a source are digested."""


@dataclass(frozen=True)
class Whole:
    """What reading an export back found.

    Attributes:
        manifest: that counts.
        problems: one sentence per difference; none where everything is as it says.
    """

    manifest: Manifest
    problems: tuple[str, ...]


def read_back(store: ExportStore, job: ExportJob, tell: Tell) -> Whole:
    """Read every file of an export and compare it with the manifest.

    Raises:
        DatasetMissingError: nothing was exported yet.
        CopyMismatchError: the manifest is damaged.
    """
    manifest, folder = store.manifest(job), store.folder(job)
    problems: list[str] = []
    there = []
    for record in manifest.files:
        if (folder / record.path).is_file():
            there.append(record)
        else:
            problems.append(f"{record.path} is gone")
    tell(f"{job.name}: reading {len(there)} files, {manifest.bytes / 1e6:,.1f} MB")
    # A column that came later, and may be empty, is so in older files.
    expected = {str(column["name"]) for column in manifest.schema if not column["nullable"]}
    for record, file in zip(there, _facts(folder, there), strict=True):
        problems += _problems(record, file, expected)
    problems += _sums(manifest)
    return Whole(manifest, tuple(problems))


def _facts(folder: Path, records: Sequence[FileRecord]) -> list[Facts | str]:
    """What files hold, or why one cannot be read; all at once unless one is damaged."""
    import pyarrow as pa

    paths = [str(folder / record.path) for record in records]
    try:
        return list(all_facts(paths))
    except (OSError, pa.ArrowException):
        return [_one(path) for path in paths]


def _one(path: str) -> Facts | str:
    import pyarrow as pa

    try:
        return all_facts([path])[0]
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read ({type(error).__name__})"


def _problems(record: FileRecord, file: Facts | str, expected: set[str]) -> list[str]:
    if isinstance(file, str):
        return [f"{record.path} {file}"]
    found = []
    if (file.bytes, file.sha256) != (record.bytes, record.sha256):
        found.append(f"{record.path} is not the file that was written")
    if (file.rows, file.digest) != (record.rows, record.digest):
        found.append(f"{record.path} has {file.rows} rows, of other values than were written")
    if lacking := expected - {name for name, _ in file.schema}:
        named = ", ".join(sorted(lacking))
        found.append(f"{record.path} has no column {named}: export {record.unit} anew")
    return found


def _sums(manifest: Manifest) -> list[str]:
    """Units whose files do not add up to them."""
    found = []
    for unit in manifest.units:
        files = manifest.files_of(unit.name)
        made = total(ContentDigest.read(f.rows, f.digest) for f in files)
        if (made.rows, str(made)) != (unit.rows, unit.digest):
            found.append(f"the files of {unit.name} do not add up to what the manifest says of it")
    return found


def against_source(
    store: ExportStore, source: Source, job: ExportJob, sessions: tuple[date, date], now: datetime
) -> pl.DataFrame:
    """Rows of FOUND: where an export and its source differ in some sessions.

    Args:
        store: of the export.
        source: of its rows.
        job: which export.
        sessions: first and last one.
        now: the moment, aware.

    Raises:
        CopyMismatchError: the manifest is damaged.
        StoreUnavailableError: the source does not answer.
        TableDamagedError: a file of the lake is gone or cannot be read; the message names it.
    """
    manifest, reading = store.newest(job), source.read(job)
    units = job.units(*sessions)
    versions = reading.versions(units)
    known = {unit.name: unit for unit in manifest.units} if manifest else {}
    found = [pl.DataFrame(schema=FOUND)]
    for unit in units:
        asked = (max(sessions[0], unit.first), min(sessions[1], unit.last))
        record = known.get(unit.name)
        exported = _exported(store, job, manifest, unit)
        with reading.explained([unit]):
            there = added(
                job, [aggregates(job, p).collect(engine="streaming") for p in reading.parts(unit)]
            )
        inside = pl.col("session").is_between(*asked)
        found.append(compare(there.filter(inside), exported.filter(inside)))
        if _is_stale(reading, unit, record, versions[unit.name], rows=there.height):
            found.append(stale(record, unit.name, asked, now))
    return pl.concat(found).sort("check", "session", "symbol")


def _exported(
    store: ExportStore, job: ExportJob, manifest: Manifest | None, unit: Unit
) -> pl.DataFrame:
    """Aggregates of the exported rows of a unit."""
    files = manifest.files_of(unit.name) if manifest else []
    if not files:
        return added(job, [])
    folder = store.folder(job)
    rows = pl.scan_parquet(
        [folder / file.path for file in files],
        schema=job.dataset.schema.dtypes,
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )
    try:
        return added(job, [aggregates(job, rows).collect(engine="streaming")])
    except FileNotFoundError as error:
        raise DatasetMissingError(
            f"{job.name}: a file of {unit.name} is gone: 'emp export verify {job.name}' names it"
        ) from error


def _is_stale(
    reading: Reading, unit: Unit, record: UnitRecord | None, version: str, *, rows: int
) -> bool:
    if record is None:
        return rows > 0
    if record.source_version == version:
        return False
    # Files were merged, or rows that are not handed out changed: what counts are those that are.
    return str(source_digest(reading, unit)) != record.digest


def source_digest(reading: Reading, unit: Unit) -> ContentDigest:
    """The digest of the rows of a unit as the source hands them out now."""
    with reading.explained([unit]):
        batches = (
            batch
            for part in reading.parts(unit)
            # Never all of it at once: a month of all symbols may be more than fits.
            for rows in part.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)
            for batch in rows.to_arrow().to_batches()
        )
        return total(content_digest(batch) for batch in batches)


def outdated(reading: Reading, manifest: Manifest) -> list[str]:
    """The units whose source has another version by now; cheap, and too many after an upkeep."""
    units = [Unit(unit.name, unit.first, unit.last) for unit in manifest.units]
    versions = reading.versions(units)
    return [u.name for u in manifest.units if versions[u.name] != u.source_version]
