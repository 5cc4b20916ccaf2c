"""Looking into drop folders, and taking their files to where nobody changes them.

What belongs here: what lies in a folder, gathering a batch, clearing up after it. What does not:
which files are complete (market_data/automation/drop.py), what becomes of a batch
(jobs/take_in_files.py), which are asked for once more (dropped_again.py).

A batch lies in inbox/<folder>/<batch> of the data folder, under the names that its files had. It is
copied there: of a file that is linked, every writer of the one would change the other.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from adapters.disk import writing_to
from adapters.settings import Settings
from market_data.automation.drop import DropFolder, Found

_NEVER = datetime.min.replace(tzinfo=UTC)
_OF_THE_FILE = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR}
"""What is wrong with one file, and not with the disk."""


@dataclass(frozen=True)
class Dropped:
    """A file that was found complete: its name below the folder, bytes, when it was changed."""

    name: str
    size: int
    changed: int


@dataclass
class Gathered:
    """A batch that lies where nobody changes it.

    Attributes:
        folder: where.
        names: of the files that are in it.
        changed: names of files that are others by now; they are taken when they stand still.
        gone: names of files that are no more.
        refused: by name of a file, why it cannot be copied.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def place_of(settings: Settings, folder: DropFolder) -> Path:
    """Where a drop folder is."""
    return settings.data_dir.resolve() / folder.folder.expanduser()


def look_into(place: Path, folder: DropFolder) -> dict[str, Found]:
    """The files of a drop folder by their names below it; none where there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    files = dict(_files(place, ""))
    marks = {n: s.st_mtime_ns for n, s in files.items()} if folder.marker else {}
    return {
        name: Found(
            status.st_size,
            status.st_mtime_ns,
            marks.get(name + folder.marker, -1) >= status.st_mtime_ns if folder.marker else False,
        )
        for name, status in files.items()
        if folder.counts(name)
    }


def gather(
    settings: Settings,
    folder: DropFolder,
    batch: str,
    files: Iterable[Dropped],
    taken_at: Mapping[str, datetime] | None = None,
) -> Gathered:
    """Bring files to where nobody changes them; again with the same files, the same.

    What was copied is of the batch, whatever has become of the file since: it was taken away, or
    another lies in its place. Only where that other one was taken in meanwhile is the copy left
    out: the older bars would come to stand above the newer ones.

    Args:
        settings: say where the batch lies.
        folder: whose files they are.
        batch: its name.
        files: as they were found.
        taken_at: by name of a file, when another batch took one of that name in last.

    Raises:
        StorageError: the disk takes no more.
    """
    place = place_of(settings, folder)
    gathered = Gathered(settings.data_dir.resolve() / "inbox" / folder.name / batch)
    with writing_to(gathered.folder):
        for file in files:
            source, target = place / file.name, gathered.folder / file.name
            try:
                where = gathered.names if _copied(source, target, file) else gathered.changed
            except FileNotFoundError:
                where = gathered.gone
            except OSError as error:
                if error.errno not in _OF_THE_FILE:
                    raise
                gathered.refused[file.name] = f"it cannot be read: {error.strerror}"
                continue
            if where is not gathered.names and target.exists():
                if _copied_at(target) > (taken_at or {}).get(file.name, _NEVER):
                    where = gathered.names
                else:
                    # It stays as an archive, under a name that is never taken for a bar file's.
                    target.replace(target.with_name(f".{target.name}"))
            where.append(file.name)
    return gathered


def leave_out(gathered: Gathered, names: Iterable[str]) -> None:
    """Take files out of a batch; in the drop folder they stay."""
    for name in names:
        (gathered.folder / name).unlink(missing_ok=True)
        gathered.names.remove(name)


def clear(
    settings: Settings, folder: DropFolder, gathered: Gathered, files: Iterable[Dropped]
) -> None:
    """Do with files that were taken in what their folder says.

    The batch is their archive; of files that stay in their folder no second copy is kept.
    """
    if folder.after == "keep":
        shutil.rmtree(gathered.folder, ignore_errors=True)
        return
    place, taken = place_of(settings, folder), set(gathered.names)
    for file in files:
        source = place / file.name
        with suppress(FileNotFoundError):
            if file.name in taken and _is_still(source, file):
                source.unlink()
                if folder.marker:
                    Path(f"{source}{folder.marker}").unlink(missing_ok=True)


def _files(place: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = list(os.scandir(place))
    except FileNotFoundError:
        return
    for entry in entries:
        name = f"{below}{entry.name}"
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from _files(Path(entry.path), f"{name}/")
            elif entry.is_file():
                yield name, entry.stat()


def _copied(source: Path, target: Path, file: Dropped) -> bool:
    """Bring a file to its batch, whole or not at all; whether it is still the one that was found.

    Raises:
        FileNotFoundError: it is no more.
    """
    if not _is_still(source, file):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name that is never taken for a file of the batch, and no longer than any name may be.
    part = target.with_name(".copied.part")
    shutil.copy2(source, part)
    if not _is_still(source, file):
        # Somebody began to write while it was copied.
        part.unlink()
        return False
    part.replace(target)
    return True


def _copied_at(target: Path) -> datetime:
    """When a file came to its batch: of its two times the one that is not its source's."""
    return datetime.fromtimestamp(target.stat().st_ctime, UTC)


def _is_still(source: Path, file: Dropped) -> bool:
    status = source.stat()
    return (status.st_size, status.st_mtime_ns) == (file.size, file.changed)
