"""What a backup says of itself, and which backups a folder holds.

What belongs here: the records of manifest.json, reading and writing it, listing backups.
What does not: what the records are made from (creating.py).

A backup is made under a name that ends with `.partial` and renamed when its manifest is written and
all of it is on the disk: a folder without the ending is whole. It holds no address, no user and no
password.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.disk import writing_to
from market_data.errors import ConfigurationError, CopyMismatchError

FORMAT = 1
"""Of the folder and its manifest."""
MANIFEST = "manifest.json"
PARTIAL = ".partial"
WAREHOUSE, OPERATIONS, LAKE, SNAPSHOTS = "warehouse", "operations", "lake", "snapshots"
"""Folders of a backup."""
OPERATIONS_FILE = f"{OPERATIONS}/operations.sqlite"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class PartRecord:
    """A dataset or table.

    Attributes:
        name: as reports name it: curated/bars_1d.
        columns: that its digests are of.
        rows: how many.
        digests: of its rows, by month; of a part without months under "".
    """

    name: str
    columns: tuple[str, ...]
    rows: int
    digests: Mapping[str, str]


@dataclass(frozen=True)
class RawRecord:
    """A table of the lake: its folder below the lake, its version, and its rows."""

    name: str
    version: int
    rows: int


@dataclass(frozen=True)
class FileRecord:
    """A file: size in bytes, time of change in nanoseconds, SHA-256."""

    size: int
    changed: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A backup.

    Attributes:
        name: of its folder.
        created_at: when it was begun, aware.
        mode: of the installation.
        revision: of its operations database.
        parts: bars, scores, reference tables, tables of the operations database.
        raw: tables of the lake.
        payloads: how many archived answers.
        files: every file below the folder but the manifest, by path.
        seconds: how long it took.
        bytes_copied: what was not linked from the backup before.
        installation: whose it is, see `adapters.installation`; empty where an earlier version made
            it.
    """

    name: str
    created_at: datetime
    mode: str
    revision: str
    parts: tuple[PartRecord, ...]
    raw: tuple[RawRecord, ...]
    payloads: int
    files: Mapping[str, FileRecord]
    seconds: float
    bytes_copied: int
    installation: str = ""

    @property
    def rows(self) -> int:
        """Of all parts and of the lake."""
        return sum(part.rows for part in self.parts) + sum(table.rows for table in self.raw)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files.values())

    def summary(self) -> dict[str, Any]:
        """The manifest without its files, for JSON."""
        return {
            "name": self.name,
            "created_at": self.created_at.isoformat(),
            "mode": self.mode,
            "revision": self.revision,
            "rows": self.rows,
            "payloads": self.payloads,
            "files": len(self.files),
            "bytes": self.bytes,
            "bytes_copied": self.bytes_copied,
            "seconds": round(self.seconds, 3),
            "parts": {part.name: part.rows for part in self.parts},
            "raw": {table.name: table.rows for table in self.raw},
        }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a backup, with a digest of its own."""
    content = asdict(manifest)
    content |= {"format": FORMAT, "created_at": manifest.created_at.isoformat()}
    content["digest"] = _digest(content)
    with (folder / MANIFEST).open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a whole backup.

    Raises:
        ConfigurationError: it is no backup, not a whole one, or one of a newer program.
        CopyMismatchError: the manifest is damaged.
    """
    file = folder / MANIFEST
    if folder.name.endswith(PARTIAL):
        raise ConfigurationError(
            f"{folder} was never finished, and the next 'emp backup create' removes it: name "
            "another, 'emp backup list' shows them"
        )
    try:
        text = file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(
            f"{folder} is no backup, it has no {MANIFEST}: name the folder of one, "
            "'emp backup list' shows them"
        ) from None
    try:
        content = json.loads(text)
        given, form = content.pop("digest"), content["format"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CopyMismatchError(f"{file} is damaged: take another backup") from None
    if isinstance(form, int) and form > FORMAT:
        raise ConfigurationError(
            f"{folder} was written by a newer version (form {form}, this one reads {FORMAT}); use "
            "that one"
        )
    if _digest(content) != given:
        raise CopyMismatchError(f"{file} is damaged: take another backup")
    return _manifest(content)


def _manifest(content: Mapping[str, Any]) -> Manifest:
    parts = (
        PartRecord(p["name"], tuple(p["columns"]), p["rows"], p["digests"])
        for p in content["parts"]
    )
    return Manifest(
        name=content["name"],
        created_at=datetime.fromisoformat(content["created_at"]),
        mode=content["mode"],
        revision=content["revision"],
        parts=tuple(parts),
        raw=tuple(RawRecord(**table) for table in content["raw"]),
        payloads=content["payloads"],
        files={path: FileRecord(**file) for path, file in content["files"].items()},
        seconds=content["seconds"],
        bytes_copied=content["bytes_copied"],
        installation=content.get("installation", ""),
    )


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def name_of(at: datetime) -> str:
    """The name of a backup that nobody names: its moment, so that names sort by age.

    To the microsecond: backups that begin within one second have names of their own.

    Args:
        at: the moment, UTC.
    """
    return f"{at:%Y%m%dT%H%M%S.%fZ}"


def checked_name(name: str) -> str:
    """A name of a backup.

    Raises:
        ConfigurationError: it would not be a plain folder, or looks like an unfinished one.
    """
    if not _NAME.fullmatch(name) or name.endswith(PARTIAL):
        raise ConfigurationError(
            f"--name {name!r} names no backup: letters, digits, '.', '_' and '-', and no "
            f"{PARTIAL} at its end"
        )
    return name


def whole_backups(root: Path) -> list[Path]:
    """The folders of whole backups, newest first; of one whose manifest is damaged, by its name."""
    found = [path.parent for path in root.glob(f"*/{MANIFEST}")]
    return sorted(
        (folder for folder in found if not folder.name.endswith(PARTIAL)), key=_age, reverse=True
    )


def _age(folder: Path) -> tuple[float, str]:
    try:
        return read_manifest(folder).created_at.timestamp(), folder.name
    except (ConfigurationError, CopyMismatchError):
        return 0.0, folder.name


def unfinished(root: Path) -> list[Path]:
    """What backups left that were killed."""
    return sorted(path for path in root.glob(f"*{PARTIAL}") if path.is_dir())


def remove(folder: Path) -> None:
    """Remove a backup; one that is half removed is not taken for whole."""
    with writing_to(folder):
        if not folder.name.endswith(PARTIAL):
            folder = folder.rename(folder.with_name(folder.name + PARTIAL))
        shutil.rmtree(folder)
