"""Files of drop folders that are to be taken once more, since no store answered when they were.

What belongs here: the note of them, beside the batches. What does not: who writes it
(jobs/take_in_files.py), who reads it and asks (sensors/dropped_files.py).

It is a file, so that a tick that finds nothing to do opens no connection.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.disk import writing_to
from adapters.dropped_files import Dropped
from adapters.settings import Settings
from market_data.automation.drop import DropFolder

_FIRST, _LONGEST = 60.0, 1800.0
"""Seconds from a failure to the next attempt: they double."""


@dataclass(frozen=True)
class Again:
    """A file that is to be taken once more.

    Attributes:
        size: of the file as it was found, bytes.
        changed: nanoseconds since 1970.
        count: how often it failed.
        at: not before, seconds since 1970.
    """

    size: int
    changed: int
    count: int
    at: float


def to_take_again(settings: Settings, folder: DropFolder) -> dict[str, Again]:
    """The files of a drop folder that are to be taken once more, by name."""
    try:
        kept = json.loads(_place(settings, folder).read_text())
    except FileNotFoundError:
        return {}
    return {name: Again(**file) for name, file in kept.items()}


def note(
    settings: Settings,
    folder: DropFolder,
    files: Iterable[Dropped],
    failed: Collection[str],
    now: float,
) -> None:
    """Note which files of a batch are to be taken once more; the others of it are forgotten.

    Args:
        settings: of the installation.
        folder: whose files.
        files: of the batch.
        failed: names of those for which no store answered.
        now: seconds since 1970.

    Raises:
        StorageError: the disk takes no more.
    """
    known = to_take_again(settings, folder)
    after = dict(known)
    for file in files:
        old = after.pop(file.name, None)
        if file.name in failed:
            same = old is not None and (old.size, old.changed) == (file.size, file.changed)
            count = old.count + 1 if old is not None and same else 1
            wait = min(_FIRST * 2 ** (count - 1), _LONGEST)
            after[file.name] = Again(file.size, file.changed, count, now + wait)
    if after == known:
        return
    place = _place(settings, folder)
    with writing_to(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(".part")
        draft.write_text(json.dumps({name: asdict(file) for name, file in after.items()}))
        draft.replace(place)


def _place(settings: Settings, folder: DropFolder) -> Path:
    return settings.data_dir.resolve() / "inbox" / folder.name / ".again.json"
