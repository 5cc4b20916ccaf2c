"""Withdrawn fetches, kept in files, or objects, beside the raw logs.

What belongs here: writing a withdrawal in one step, and telling which fetches of a dataset are
withdrawn. What does not: what a read makes of them (delta_raw_log.py).

A file per withdrawal lies at root/withdrawals/<name>.json. It is written under another name and
renamed, so that a reader meets a whole one or none. It lies with the rows that it speaks of, and
goes where they go: into backups, and to every process that reads the lake.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from adapters.disk import writing_to
from adapters.stores.object_settings import options_of
from adapters.stores.objects import Objects, Options, is_remote
from market_data.errors import MarketDataError

FOLDER = "withdrawals"
_Seen = tuple[tuple[str, str], ...]


class WithdrawnFetches:
    """The `Withdrawals` of a lake.

    Args:
        root: of the lake: a local folder, or a URI of an object store.
        options: credentials and settings of an object store; None for those of the environment.
    """

    def __init__(self, root: Path | str, options: Options | None = None) -> None:
        self._place: _Folder | _Prefix = (
            _Prefix(f"{str(root).rstrip('/')}/{FOLDER}", options or options_of(root))
            if is_remote(root)
            else _Folder(Path(root) / FOLDER)
        )
        self._guard = threading.Lock()
        self._seen: _Seen = ()
        self._known: dict[str, frozenset[str]] = {}

    def withdraw(self, name: str, fetches: Mapping[str, Sequence[str]]) -> None:
        """Withdraw fetches; see the port.

        Raises:
            StorageError: the disk takes no more.
            StoreUnavailableError: the object store does not answer, or refuses.
        """
        content = {"fetches": {key: sorted(ids) for key, ids in sorted(fetches.items())}}
        self._place.write(f"{name}.json", json.dumps(content, indent=1))

    def reinstate(self, name: str) -> None:
        """Take a withdrawal back; see the port.

        Raises:
            StorageError: the disk can only be read.
            StoreUnavailableError: the object store does not answer, or refuses.
        """
        self._place.remove(f"{name}.json")

    def of(self, dataset: str) -> frozenset[str]:
        """The withdrawn fetches of a dataset, as they are now.

        Raises:
            MarketDataError: a withdrawal cannot be read; nobody may take its rows for good.
            StoreUnavailableError: the object store does not answer, or refuses.
        """
        seen = self._place.seen()
        with self._guard:
            if seen != self._seen:
                self._known = _together(self._place, [name for name, *_ in seen])
                self._seen = seen
            return self._known.get(dataset, frozenset())


class _Folder:
    """Withdrawals in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def named(self, name: str) -> str:
        return str(self._folder / name)

    def write(self, name: str, content: str) -> None:
        with writing_to(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".{uuid4().hex}.tmp"
            with draft.open("w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / name)

    def remove(self, name: str) -> None:
        with writing_to(self._folder):
            (self._folder / name).unlink(missing_ok=True)

    def read(self, name: str) -> str:
        return (self._folder / name).read_text()

    def seen(self) -> _Seen:
        """Every withdrawal, and what tells it from another of its name."""
        try:
            listing = os.scandir(self._folder)
        except FileNotFoundError:
            return ()
        found = []
        with listing as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with suppress(FileNotFoundError):  # taken back at this moment; others are not
                        found.append((entry.name, f"{entry.inode()} {entry.stat().st_mtime_ns}"))
        return tuple(sorted(found))


class _Prefix:
    """Withdrawals on an object store, which takes an object whole or not at all."""

    def __init__(self, uri: str, options: Options | None) -> None:
        self._objects = Objects(uri, options)

    def named(self, name: str) -> str:
        return f"{self._objects.uri}/{name}"

    def write(self, name: str, content: str) -> None:
        self._objects.put(name, content.encode())

    def remove(self, name: str) -> None:
        self._objects.remove([name])

    def read(self, name: str) -> str:
        return self._objects.get(name).decode()

    def seen(self) -> _Seen:
        """Every withdrawal, and what tells it from another of its name."""
        return tuple(
            sorted(
                (found["path"], f"{found['e_tag']} {found['last_modified']}")
                for found in self._objects.below()
                if found["path"].endswith(".json")
            )
        )


def _together(place: _Folder | _Prefix, names: Sequence[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        try:
            content: dict[str, list[str]] = json.loads(place.read(name))["fetches"]
        except FileNotFoundError:  # taken back at this moment
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise MarketDataError(
                f"{place.named(name)} is damaged, which says what was withdrawn from the raw logs: "
                "put it back from a backup, or repeat 'emp backfill rollback' with its name"
            ) from error
        for dataset, fetches in content.items():
            found.setdefault(dataset, set()).update(fetches)
    return {dataset: frozenset(fetches) for dataset, fetches in found.items()}
