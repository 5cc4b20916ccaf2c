"""The commits of a Delta table as they lie in its log, also those that cannot be opened any more.

What belongs here: which files a commit took in and out, and what was done by it; which files any
version up to one names. What does not: what a version holds (delta_snapshot.py).

Commits that a repair laid aside are told as well: what they say was done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from urllib.parse import unquote

import polars as pl

from adapters.stores.delta_place import LOG, TablePlace

_COMMIT = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint.*\.parquet")


@dataclass(frozen=True)
class Commit:
    """One commit.

    Attributes:
        version: its number.
        at: when its writer made it; the beginning of time where it does not say.
        action: what was done, as far as our writers note it.
        adds: data files that it took in.
        removes: data files that it took out.
        aside: it lies aside, and is no version any more.
    """

    version: int
    at: datetime
    action: str
    adds: tuple[str, ...]
    removes: tuple[str, ...]
    aside: bool


def version_of_file(name: str) -> int:
    """The version that a file of the log is about; -1 where it is about none."""
    return int(name[:20]) if name[:20].isdigit() else -1


def commits_of(place: TablePlace) -> list[Commit]:
    """Every commit of which anything can be read, oldest first."""
    found = []
    for folder in (LOG, *place.folders_aside()):
        for name in place.log_files(folder):
            if _COMMIT.fullmatch(name):
                with suppress(FileNotFoundError):  # another process laid it aside just now
                    content = place.log_file(name, folder)
                    found.append(_commit(name, content, aside=folder != LOG))
    return sorted(found, key=lambda commit: (commit.at, commit.version))


def _commit(name: str, content: bytes, *, aside: bool) -> Commit:
    adds, removes = [], []
    action, at = "", datetime.min.replace(tzinfo=UTC)
    for line in content.decode(errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:  # the half of a line with which a damaged commit ends
            continue
        if not isinstance(said, dict):
            continue
        if "add" in said:
            adds.append(unquote(said["add"]["path"]))
        elif "remove" in said:
            removes.append(unquote(said["remove"]["path"]))
        elif "commitInfo" in said:
            action = said["commitInfo"].get("action", "")
            at = datetime.fromtimestamp(said["commitInfo"].get("timestamp", 0) / 1000, UTC)
    return Commit(version_of_file(name), at, action, tuple(adds), tuple(removes), aside)


def named_until(place: TablePlace, version: int, commits: Sequence[Commit]) -> set[str]:
    """Data files that a version up to this one names or named, as far as the log still knows."""
    named: set[str] = set()
    for commit in commits:
        if commit.version <= version and not commit.aside:
            named |= {*commit.adds, *commit.removes}
    for name in place.log_files():
        if _CHECKPOINT.fullmatch(name) and version_of_file(name) <= version:
            with suppress(FileNotFoundError, pl.exceptions.PolarsError):
                named |= _checkpointed(place.log_file(name))
    return named


def _checkpointed(content: bytes) -> set[str]:
    held = pl.read_parquet(BytesIO(content))
    found: set[str] = set()
    for side in ("add", "remove"):
        if side in held.columns:
            paths = held[side].struct.field("path").drop_nulls()
            found |= {unquote(path) for path in paths}
    return found
