"""Files that are dropped into folders: the form of the section `drop` of config/automation.yaml.

What belongs here: the record of a folder, and which of its files are complete. What does not:
looking into folders (adapters/dropped_files.py), taking files in (jobs/take_in_files.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from market_data.durations import Duration
from market_data.errors import ConfigurationError
from market_data.universe import Universe

UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
"""How names of files end that somebody still writes; they are renamed when they are done."""


class DropFolder(BaseModel):
    """A folder whose files become bars.

    Attributes:
        name: by which it is told of; never changed while files lie in it.
        folder: where; a relative one lies below the data folder.
        vendor: for whom the files speak: a vendor of the universe that reads files.
        spec: their format.
        symbols: only these, by the vendor's names; a format that tells no symbol needs one.
        settle: a file is complete once it has been the same for so long.
        marker: a file is complete once one of its name with this behind it lies beside it, such as
            .done; empty: no marker is needed.
        after: what becomes of a file that was taken in: it leaves the folder, or stays in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    folder: Path
    vendor: str
    spec: str
    symbols: tuple[str, ...] = ()
    settle: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=30)
    marker: Annotated[str, Field(pattern=r"^(\.[A-Za-z0-9_.-]+)?$")] = ""
    after: Literal["archive", "keep"] = "archive"

    def counts(self, name: str) -> bool:
        """Whether a file of this name may be one to take in."""
        hidden = any(part.startswith(".") for part in name.split("/"))
        marks = bool(self.marker) and name.endswith(self.marker)
        return not (hidden or marks or name.endswith(UNFINISHED))


@dataclass(frozen=True)
class Found:
    """A file as it lies there now.

    Attributes:
        size: bytes.
        changed: when, nanoseconds since 1970.
        marked: whether a marker that is no older says that it is complete.
    """

    size: int
    changed: int
    marked: bool = False


@dataclass(frozen=True)
class Known:
    """A file as it is remembered.

    Attributes:
        size: bytes.
        changed: when, nanoseconds since 1970.
        since: when it was first seen like that, seconds since 1970.
        handed: whether it was handed over.
    """

    size: int
    changed: int
    since: float
    handed: bool = False

    def is_still(self, found: Found) -> bool:
        """Whether the file is as it was."""
        return (self.size, self.changed) == (found.size, found.changed)


def complete(
    folder: DropFolder,
    known: Mapping[str, Known],
    found: Mapping[str, Found],
    now: float,
    most: int,
) -> tuple[dict[str, Known], list[str]]:
    """Which files are complete now, and what is remembered from now on.

    A file that is gone is forgotten, one that has changed is a new one. An empty file is complete
    only where a marker says so.

    Args:
        folder: its rules.
        known: what was remembered, by name.
        found: what lies there, by name.
        now: seconds since 1970.
        most: so many are handed over at once.
    """
    kept: dict[str, Known] = {}
    ready: list[str] = []
    for name, file in sorted(found.items()):
        old = known.get(name)
        is_same = old is not None and old.is_still(file)
        seen = old if old is not None and is_same else Known(file.size, file.changed, now)
        if folder.marker:
            done = file.marked
        else:
            done = is_same and file.size > 0 and now - seen.since >= folder.settle.total_seconds()
        if done and not seen.handed and len(ready) < most:
            ready.append(name)
            seen = Known(seen.size, seen.changed, seen.since, handed=True)
        kept[name] = seen
    return kept, ready


def check_folders(universe: Universe, folders: Iterable[DropFolder]) -> None:
    """Refuse folders that nothing can be taken from.

    Raises:
        ConfigurationError: two share a name or a place, or a vendor is none that reads files.
    """
    names: set[str] = set()
    places: set[Path] = set()
    readers = {vendor.name: vendor.reader for vendor in universe.vendors}
    for folder in folders:
        if folder.name in names or folder.folder in places:
            raise ConfigurationError(
                f"drop in config/automation.yaml names {folder.name}, or its folder, twice"
            )
        names.add(folder.name)
        places.add(folder.folder)
        if readers.get(folder.vendor) != "files":
            raise ConfigurationError(
                f"drop.{folder.name} in config/automation.yaml: {folder.vendor!r} is no vendor "
                "that reads files; give config/universe.yaml an entry under vendors: "
                f"{{name: {folder.vendor}, reader: files, timeframes: [1d]}}"
            )
