"""Copying files into a backup and out of one, each with its checksum.

What belongs here: which files of a lake are copied, links to the files of the backup before,
checksums. What does not: the order of the parts (creating.py), rows (adapters/sides.py).

Files of the lake never change once they have their name: a file that the backup before holds with
equal size and time of change is linked, not copied. A link shares the bytes with that backup, so
that what damages the one damages the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from adapters.backup.manifest import FileRecord, RawRecord
from adapters.stores.delta_mending import Mending
from market_data.errors import CopyMismatchError, TableDamagedError

if TYPE_CHECKING:
    from deltalake import DeltaTable

_CHUNK = 1 << 20
_LOG = "_delta_log"
_LAST = "_last_checkpoint"
_DIGITS = 20
"""Of the version with which the name of a file of the log begins."""


@dataclass
class Tree:
    """Files that are gathered in one folder.

    Attributes:
        root: where they go.
        before: a folder that may hold some of them already; None for none.
        known: the files of that folder.
        files: what was gathered, by path below the root.
        bytes_copied: of those that were not linked.
    """

    root: Path
    before: Path | None = None
    known: Mapping[str, FileRecord] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    bytes_copied: int = 0

    def take(self, source: Path, path: str) -> None:
        """Take a file in.

        Args:
            source: the file.
            path: below the root, which it gets.
        """
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        stat = source.stat()
        known = self.known.get(path)
        same = known is not None and (known.size, known.changed) == (stat.st_size, stat.st_mtime_ns)
        if known is not None and same and self.before is not None:
            try:
                os.link(self.before / path, target)
            except OSError:
                # Another disk, a file system without links, or the file is gone: it is copied.
                pass
            else:
                self.files[path] = known
                return
        size, digest = copy_file(source, target)
        shutil.copystat(source, target)
        self.files[path] = FileRecord(size, stat.st_mtime_ns, digest)
        self.bytes_copied += size

    def note(self, folder: str) -> None:
        """Note the files that others wrote below a folder of the root."""
        for file in walked(self.root / folder):
            stat = file.stat()
            path = file.relative_to(self.root).as_posix()
            self.files[path] = FileRecord(stat.st_size, stat.st_mtime_ns, checksum(file))
            self.bytes_copied += stat.st_size


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file; its size and its SHA-256 as it was read."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as origin, target.open("wb") as copy:
        while chunk := origin.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def checksum(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def walked(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted; without locks and what is still being written."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_passing(name))
        yield from (Path(place) / name for name in sorted(names) if not _is_passing(name))


def _is_passing(name: str) -> bool:
    return name.startswith(".") or name.endswith((".tmp", ".partial"))


def tables(lake: Path) -> list[Path]:
    """The folders of the tables of a lake."""
    return sorted(log.parent for log in lake.glob(f"raw/*/{_LOG}"))


def take_table(tree: Tree, table: Path, path: str) -> RawRecord:
    """Take a table in at one version: the files that this version names, and the log up to it.

    Args:
        tree: takes them.
        table: its folder.
        path: below the root of the tree.

    Raises:
        CopyMismatchError: a file of the version is gone.
        TableDamagedError: its log is being mended.
    """
    from deltalake import DeltaTable

    name, mending = path.partition("/")[2], Mending(table, str(table))
    before = mending.last()
    opened = DeltaTable(table)
    version = opened.version()
    for file in sorted((table / _LOG).iterdir()):
        if _belongs(file, version):
            tree.take(file, f"{path}/{_LOG}/{file.name}")
    for data in active_files(opened):
        try:
            tree.take(table / data, f"{path}/{data}")
        except FileNotFoundError:
            raise CopyMismatchError(
                f"{table / data} is gone, which version {version} of the table needs: look at the "
                "disk; another 'emp backup create' tries again"
            ) from None
    if not before.ended or mending.last() != before:
        raise TableDamagedError(
            f"the log of {name} is being mended, or its repair was killed: it is not backed up "
            f"until 'emp lake repair {name}' has ended"
        )
    return RawRecord(name, version, rows_of(opened))


def active_files(opened: DeltaTable) -> list[str]:
    """The files of a version, below the folder of the table."""
    actions = _actions(opened)
    return [] if actions.is_empty() else sorted(actions["path"])


def rows_of(opened: DeltaTable) -> int:
    """How many rows a version has, by what its log says of its files."""
    actions = _actions(opened)
    return 0 if actions.is_empty() else int(actions["num_records"].sum())


def _actions(opened: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(pl.Series(opened.get_add_actions(flatten=True)).struct.unnest())


def _belongs(file: Path, version: int) -> bool:
    """Whether a file of the log is of a version up to this one."""
    if file.name == _LAST:
        try:
            return bool(json.loads(file.read_text())["version"] <= version)
        except (ValueError, KeyError, OSError):
            return False
    number = file.name[:_DIGITS]
    return number.isdigit() and int(number) <= version
