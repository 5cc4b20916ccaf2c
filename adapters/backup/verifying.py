"""Reading a backup back: every file, and every row that stands in the manifest.

What belongs here: what is compared, and the list of what is wrong. What does not: putting a backup
in place (restoring.py).

Nothing is written into the backup: it may lie on a disk that can only be read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from adapters.backup.manifest import (
    LAKE,
    MANIFEST,
    OPERATIONS_FILE,
    WAREHOUSE,
    Manifest,
    PartRecord,
    read_manifest,
)
from adapters.backup.tree import active_files, checksum, copy_file, rows_of, walked
from adapters.operations import open_database
from adapters.operations.copying import table_digest
from adapters.operations.migration import HEAD
from adapters.operations.models import metadata
from adapters.sides import OPERATIONS, Side, files
from market_data.datasets import STORED, Dataset
from market_data.errors import CopyMismatchError
from market_data.pipeline.copy_slices import cut
from market_data.pipeline.copying import ROWS_AT_ONCE
from market_data.pipeline.migration import Tell
from market_data.ports import BarStore
from market_data.quality.digest import RowsDigest, month_digests, rows_digest

_TOLD = 5
_DATASETS = {dataset.name: dataset for dataset in STORED}


@dataclass(frozen=True)
class Verified:
    """A backup that was read back.

    Attributes:
        manifest: what it says of itself.
        problems: what is wrong, in sentences; none where it is whole.
    """

    manifest: Manifest
    problems: tuple[str, ...]

    def demand_whole(self) -> None:
        """Refuse a backup with problems.

        Raises:
            CopyMismatchError: naming them.
        """
        if self.problems:
            more = len(self.problems) - _TOLD
            told = "; ".join(self.problems[:_TOLD]) + (f"; and {more} more" if more > 0 else "")
            raise CopyMismatchError(
                f"backup {self.manifest.name} is damaged: {told}. Take another backup, or an older "
                "one: 'emp backup list'"
            )


def verify(folder: Path, tell: Tell) -> Verified:
    """Read a backup back.

    Args:
        folder: of the backup.
        tell: hears of progress.

    Raises:
        ConfigurationError: it is no whole backup, or one of a newer program.
        CopyMismatchError: its manifest is damaged.
    """
    manifest = read_manifest(folder)
    problems = list(_files(folder, manifest, tell))
    if not problems:
        # A file that is not what it was would only be found twice.
        problems += _tables(folder, manifest, tell)
        problems += _parts(folder, manifest, tell)
    return Verified(manifest, tuple(problems))


def _files(folder: Path, manifest: Manifest, tell: Tell) -> Iterator[str]:
    tell(f"reading {len(manifest.files)} files")
    for number, (path, noted) in enumerate(manifest.files.items(), 1):
        file = folder / path
        if number % 10_000 == 0:
            tell(f"reading files: {number} of {len(manifest.files)}")
        if not file.is_file():
            yield f"{path} is missing"
        elif (size := file.stat().st_size) != noted.size:
            yield f"{path} has {size} bytes, it had {noted.size}"
        elif checksum(file) != noted.sha256:
            yield f"{path} is not what was written"
    for file in walked(folder):
        path = file.relative_to(folder).as_posix()
        if path not in manifest.files and path != MANIFEST:
            yield f"{path} is not of the backup"


def _tables(folder: Path, manifest: Manifest, tell: Tell) -> Iterator[str]:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    for record in manifest.raw:
        tell(f"{record.name}: reading its log")
        table = folder / LAKE / record.name
        try:
            opened = DeltaTable(table)
            found = opened.version(), rows_of(opened)
            active = active_files(opened)
        except DeltaError as error:
            yield f"{record.name} cannot be opened: {type(error).__name__}"
            continue
        if found != (record.version, record.rows):
            yield (
                f"{record.name} has {found[1]} rows at version {found[0]}, it had {record.rows} at "
                f"version {record.version}"
            )
        lacking = [name for name in active if f"{LAKE}/{record.name}/{name}" not in manifest.files]
        if lacking:
            yield f"{record.name} lacks {len(lacking)} files, the first is {lacking[0]}"


def _parts(folder: Path, manifest: Manifest, tell: Tell) -> Iterator[str]:
    with opened(folder) as side:
        for record in manifest.parts:
            tell(f"{record.name}: reading {record.rows} rows")
            found = _digests(side, record, manifest)
            if found is not None and found != record.digests:
                months = sorted(
                    m for m in {*found, *record.digests} if found.get(m) != record.digests.get(m)
                )
                where = f" of {', '.join(m for m in months if m)}" if any(months) else ""
                yield f"{record.name}: the rows{where} have another digest"


@contextmanager
def opened(folder: Path) -> Iterator[Side]:
    """The warehouse and the operations database of a backup.

    The database is opened as a copy in a temporary folder, brought to the revision of this program.
    """
    with tempfile.TemporaryDirectory(prefix="emp-backup-") as place:
        copy = Path(place) / "operations.sqlite"
        copy_file(folder / OPERATIONS_FILE, copy)
        engine = open_database(f"sqlite:///{copy}")
        try:
            yield Side(*files(folder / WAREHOUSE), engine)
        finally:
            engine.dispose()


def _digests(side: Side, record: PartRecord, manifest: Manifest) -> Mapping[str, str] | None:
    """What the rows of a part tell; None where this program keeps the part otherwise."""
    if record.name in _DATASETS:
        dataset = _DATASETS[record.name]
        if not set(record.columns) <= set(dataset.schema.names):
            return None
        return dataset_digests(side.bars, dataset, record.columns)
    if record.name.startswith(OPERATIONS):
        table = metadata.tables.get(record.name.removeprefix(OPERATIONS))
        if table is None or manifest.revision != HEAD:
            return None
        return _told({"": table_digest(side.operations, table)})
    if not record.rows:
        return {}
    frame = side.reference.get(record.name)
    return _told({"": rows_digest(frame.select(record.columns))})


def dataset_digests(
    store: BarStore, dataset: Dataset, columns: tuple[str, ...]
) -> Mapping[str, str]:
    """The digests of a stored dataset by month, read slice by slice."""
    counts = store.counts(dataset)
    sums: dict[date, RowsDigest] = {}
    for slice_ in cut(dataset, counts, counts.clear(), ROWS_AT_ONCE):
        rows = store.scan(
            dataset, symbols=slice_.symbols, sessions=slice_.sessions, columns=columns
        )
        for month, digest in month_digests(rows).items():
            sums[month] = sums.get(month, RowsDigest()) + digest
    return _told({f"{month:%Y-%m}": digest for month, digest in sums.items()})


def _told(sums: Mapping[str, RowsDigest]) -> Mapping[str, str]:
    return {name: str(digest) for name, digest in sums.items() if digest.rows}
