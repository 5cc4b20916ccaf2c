"""The manifest of an export: what it holds, from where, and how that can be verified.

What belongs here: its records, its form as JSON, what follows from an older one and new units.
What does not: files (adapters/exports/store.py).

A reader trusts what the newest manifest names and nothing else. It holds no address of a server, no
user and no password.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from market_data.errors import CopyMismatchError
from market_data.exports.digest import ContentDigest
from market_data.exports.jobs import ExportJob
from market_data.schemas import FrameSchema

FORMAT = 1


@dataclass(frozen=True)
class FileRecord:
    """A Parquet file.

    Attributes:
        path: below the folder of the export.
        unit: the folder of the layout that it is of.
        rows: how many.
        bytes: how long.
        sha256: of its bytes.
        digest: of its rows, see digest.py.
    """

    path: str
    unit: str
    rows: int
    bytes: int
    sha256: str
    digest: str


@dataclass(frozen=True)
class UnitRecord:
    """A unit as it was written last; one without rows has no files.

    Attributes:
        name: "year=2024/month=03".
        first: its first session.
        last: its last one.
        rows: how many.
        digest: of its rows.
        source_version: token of what the source held of these sessions.
        run: that wrote it.
        engine: that wrote it.
        written_at: when, aware.
    """

    name: str
    first: date
    last: date
    rows: int
    digest: str
    source_version: str
    run: str
    engine: str
    written_at: datetime


@dataclass(frozen=True)
class Manifest:
    """An export.

    Attributes:
        job: its name.
        number: of this manifest, counted from 1.
        run: the newest one.
        written_at: when that ended, aware.
        engine: of that run, with the versions of what took part.
        query: dataset, condition and columns of the rows; of features their definition.
        source: the kind of store that they come from.
        schema: name, type and meaning of each column that files hold, in order.
        partitions: columns that the folders stand for.
        units: by name.
        files: by path.
    """

    job: str
    number: int
    run: str
    written_at: datetime
    engine: Mapping[str, str]
    query: Mapping[str, Any]
    source: str
    schema: tuple[Mapping[str, Any], ...]
    partitions: tuple[str, ...]
    units: tuple[UnitRecord, ...]
    files: tuple[FileRecord, ...]

    @property
    def rows(self) -> int:
        """Of all units."""
        return sum(unit.rows for unit in self.units)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def digest(self) -> str:
        """Of all rows."""
        return str(total(ContentDigest.read(u.rows, u.digest) for u in self.units))

    def files_of(self, unit: str) -> list[FileRecord]:
        """The files of a unit."""
        return [file for file in self.files if file.unit == unit]

    def summary(self) -> dict[str, Any]:
        """The manifest without its files and units, for people and JSON."""
        sessions = [day for unit in self.units if unit.rows for day in (unit.first, unit.last)]
        return {
            "job": self.job,
            "number": self.number,
            "run": self.run,
            "written_at": self.written_at.isoformat(),
            "engine": dict(self.engine),
            "source": self.source,
            "first": min(sessions).isoformat() if sessions else None,
            "last": max(sessions).isoformat() if sessions else None,
            "units": len(self.units),
            "files": len(self.files),
            "rows": self.rows,
            "bytes": self.bytes,
            "digest": self.digest,
        }


def total(parts: Iterable[ContentDigest]) -> ContentDigest:
    """The digest of the rows of all parts."""
    return sum(parts, ContentDigest())


def schema_told(schema: FrameSchema) -> tuple[Mapping[str, Any], ...]:
    """The columns as a manifest names them."""
    return tuple(
        {
            "name": column.name,
            "type": str(column.dtype),
            "nullable": column.nullable,
            "meaning": column.description,
        }
        for column in schema.columns
    )


def query_told(job: ExportJob) -> dict[str, Any]:
    """What is asked of the source."""
    return {
        "dataset": job.dataset.name,
        "where": job.where,
        "columns": list(job.dataset.schema.names),
        **({"definition": job.definition} if job.definition else {}),
    }


@dataclass(frozen=True)
class Written:
    """What a run wrote.

    Attributes:
        run: its id.
        at: when it ended, aware.
        engine: its name and the versions of what took part.
        source: kind of store.
        units: that it wrote.
        files: of these units.
    """

    run: str
    at: datetime
    engine: Mapping[str, str]
    source: str
    units: Sequence[UnitRecord]
    files: Sequence[FileRecord]


def succeeding(before: Manifest | None, job: ExportJob, written: Written, number: int) -> Manifest:
    """The manifest after a run: its units, and those of the one before that it did not write.

    Where dataset, condition or the definition of features are others than before, what was written
    so is left out. A column that came later is empty in older files.

    Args:
        before: None where nothing was written before, or nothing of it counts.
        job: which export.
        written: by the run.
        number: of the new manifest.
    """
    query, schema = query_told(job), schema_told(job.dataset.schema)
    made = {unit.name for unit in written.units}
    kept = before if before is not None and _rows_meant(before) == _rows_of(job) else None
    units = [u for u in kept.units if u.name not in made] if kept else []
    files = [f for f in kept.files if f.unit not in made] if kept else []
    return Manifest(
        job=job.name,
        number=number,
        run=written.run,
        written_at=written.at,
        engine=dict(written.engine),
        query=query,
        source=written.source,
        schema=schema,
        partitions=job.partitions,
        units=tuple(sorted([*units, *written.units], key=lambda u: u.name)),
        files=tuple(sorted([*files, *written.files], key=lambda f: f.path)),
    )


def _rows_meant(manifest: Manifest) -> tuple[object, ...]:
    query = manifest.query
    return query["dataset"], query["where"], query.get("definition", ""), manifest.partitions


def _rows_of(job: ExportJob) -> tuple[object, ...]:
    return job.dataset.name, job.where, job.definition, job.partitions


def to_text(manifest: Manifest) -> str:
    """The manifest as JSON, with a digest of its own."""
    content = asdict(manifest)
    content |= {"format": FORMAT, "rows": manifest.rows, "bytes": manifest.bytes}
    content["digest"] = manifest.digest
    content["checksum"] = _checksum(content)
    return json.dumps(content, indent=1, sort_keys=True, default=str) + "\n"


def from_text(text: str, place: str) -> Manifest:
    """A manifest of what `to_text` made.

    Args:
        text: JSON.
        place: what it is called in messages.

    Raises:
        CopyMismatchError: it is damaged, or of a newer program.
    """
    cure = "export again with 'emp export run --all'"
    try:
        content = json.loads(text)
        given, form = content.pop("checksum"), content.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CopyMismatchError(f"{place} is damaged: {cure}") from None
    if form != FORMAT:
        raise CopyMismatchError(f"{place} has form {form}, this program reads {FORMAT}: {cure}")
    if _checksum({**content, "format": form}) != given:
        raise CopyMismatchError(f"{place} is damaged: {cure}")
    return _manifest(content)


def _manifest(content: Mapping[str, Any]) -> Manifest:
    units = (
        UnitRecord(
            **{
                **unit,
                "first": date.fromisoformat(unit["first"]),
                "last": date.fromisoformat(unit["last"]),
                "written_at": datetime.fromisoformat(unit["written_at"]),
            }
        )
        for unit in content["units"]
    )
    return Manifest(
        job=content["job"],
        number=content["number"],
        run=content["run"],
        written_at=datetime.fromisoformat(content["written_at"]),
        engine=content["engine"],
        query=content["query"],
        source=content["source"],
        schema=tuple(content["schema"]),
        partitions=tuple(content["partitions"]),
        units=tuple(units),
        files=tuple(FileRecord(**file) for file in content["files"]),
    )


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
