"""The note that a log was mended, or is being mended, beside the log.

What belongs here: the note itself. What does not: mending (delta_log_repair.py), who heeds it
(delta_place.py, delta_table.py).

A mended log gives numbers of versions a second time. Whoever has the table open must know that what
it holds may be of the versions that were given up, and nobody may read a log that is whole before
its rows are. So the note changes before anything else does, and again when all is done.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from adapters.disk import writing_to
from adapters.stores.objects import Objects, Options

NOTE = ".mended"
_BEGUN, _ENDED = "begun", "ended"


@dataclass(frozen=True)
class Mended:
    """What the note says.

    Attributes:
        generation: another one for every mending; empty where there never was one.
        ended: the rows are as they are to be.
    """

    generation: str = ""
    ended: bool = True


class Mending:
    """The note of one table.

    Args:
        local: folder of the table; None on an object store.
        uri: where the table lies.
        options: credentials and settings of an object store.
    """

    def __init__(self, local: Path | None, uri: str, options: Options | None = None) -> None:
        self._file = None if local is None else local / NOTE
        self._objects = None if local is not None else Objects(uri, options)

    def last(self) -> Mended:
        """The last mending, which may not have ended.

        Raises:
            StoreUnavailableError: the object store does not answer.
        """
        try:
            if self._objects is not None:
                told = self._objects.get(NOTE).decode()
            else:
                assert self._file is not None  # noqa: S101  one of the two is given
                told = self._file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return Mended()
        generation, _, state = told.partition(" ")
        return Mended(generation, ended=state == _ENDED)

    def begin(self) -> Mended:
        """Note that the log is about to be mended.

        Raises:
            StorageError: the disk takes no more.
            StoreUnavailableError: the object store does not answer.
        """
        begun = Mended(uuid4().hex, ended=False)
        self._put(f"{begun.generation} {_BEGUN}")
        return begun

    def end(self, begun: Mended) -> None:
        """Note that it is done; see `begin` for errors."""
        self._put(f"{begun.generation} {_ENDED}")

    def _put(self, content: str) -> None:
        if self._objects is not None:
            self._objects.put(NOTE, content.encode())
            return
        assert self._file is not None  # noqa: S101  one of the two is given
        with writing_to(self._file.parent):
            draft = self._file.with_name(f"{NOTE}.{uuid4().hex}.tmp")
            with draft.open("w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
