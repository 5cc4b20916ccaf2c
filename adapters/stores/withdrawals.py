"""Withdrawn fetches, kept in files beside the raw logs.

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
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.disk import writing_to
from market_data.errors import MarketDataError, UnsupportedOperationError

FOLDER = "withdrawals"
_Seen = tuple[tuple[str, int, int], ...]


class WithdrawnFetches:
    """The `Withdrawals` of a lake in a local folder.

    Args:
        root: of the lake; nothing is withdrawn in one on an object store.
    """

    def __init__(self, root: Path | str) -> None:
        self._folder = None if "://" in str(root) else Path(root) / FOLDER
        self._guard = threading.Lock()
        self._seen: _Seen = ()
        self._known: dict[str, frozenset[str]] = {}

    def withdraw(self, name: str, fetches: Mapping[str, Sequence[str]]) -> None:
        """Withdraw fetches; see the port.

        Raises:
            StorageError: the disk takes no more.
            UnsupportedOperationError: the lake lies on an object store.
        """
        folder = self._local()
        content = {"fetches": {key: sorted(ids) for key, ids in sorted(fetches.items())}}
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f".{uuid4().hex}.tmp"
            with draft.open("w") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(folder / f"{name}.json")

    def reinstate(self, name: str) -> None:
        """Take a withdrawal back; see the port.

        Raises:
            UnsupportedOperationError: the lake lies on an object store.
        """
        folder = self._local()
        with writing_to(folder):
            (folder / f"{name}.json").unlink(missing_ok=True)

    def of(self, dataset: str) -> frozenset[str]:
        """The withdrawn fetches of a dataset, as they are now.

        Raises:
            MarketDataError: a withdrawal cannot be read; nobody may take its rows for good.
        """
        if self._folder is None:
            return frozenset()
        try:
            with os.scandir(self._folder) as entries:
                seen = tuple(
                    sorted(
                        (entry.name, entry.inode(), entry.stat().st_mtime_ns)
                        for entry in entries
                        if entry.name.endswith(".json")
                    )
                )
        except FileNotFoundError:
            return frozenset()
        with self._guard:
            if seen != self._seen:
                self._known = _together(self._folder / name for name, _, _ in seen)
                self._seen = seen
            return self._known.get(dataset, frozenset())

    def _local(self) -> Path:
        if self._folder is None:
            raise UnsupportedOperationError(
                "answers of vendors can be withdrawn in a lake on a local disk alone"
            )
        return self._folder


def _together(files: Any) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for file in files:
        try:
            content: dict[str, list[str]] = json.loads(file.read_text())["fetches"]
        except FileNotFoundError:  # taken back at this moment
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise MarketDataError(
                f"{file} is damaged, which says what was withdrawn from the raw logs: put it back "
                "from a backup, or repeat 'emp backfill rollback' with its name"
            ) from error
        for dataset, fetches in content.items():
            found.setdefault(dataset, set()).update(fetches)
    return {dataset: frozenset(fetches) for dataset, fetches in found.items()}
