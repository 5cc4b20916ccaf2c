"""The newest version of a Delta table, kept open between calls.

What belongs here: moving the kept handle on, telling when it is of a log that is not there any
more, making the table. What does not: former versions (delta_travel.py), commits (delta_table.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.stores.delta_mending import Mended
from adapters.stores.delta_place import TablePlace
from adapters.stores.delta_snapshot import Snapshot, files_frame, nothing

if TYPE_CHECKING:
    from deltalake import DeltaTable


class KeptHandle:
    """The handle of one table; whoever calls sees to it that no two threads do at once.

    Args:
        place: where the table lies.
    """

    def __init__(self, place: TablePlace) -> None:
        self._place = place
        self._handle: DeltaTable | None = None
        self._snapshot = nothing(place.dataset)
        self._mended = Mended()
        self._commit: tuple[int, int] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the table was there when it was looked at last."""
        return self._handle is not None

    def newest(self) -> DeltaTable | None:
        """The handle moved to the newest version; opening anew costs several times more.

        Returns:
            None where nothing was ever written.

        Raises:
            TableDamagedError: its log cannot be read, or is being mended.
            StoreUnavailableError: the object store does not answer.
        """
        if self._handle is not None and not self._moved(self._handle):
            self._handle, self._snapshot = None, nothing(self._place.dataset)
        if self._handle is None:
            self._mended = self._place.mended()
            self._keep(self._place.open())
        return self._handle

    def snapshot(self) -> Snapshot:
        """The newest version; version -1 and no files where nothing was ever written."""
        handle = self.newest()
        if handle is None:
            return nothing(self._place.dataset)
        if handle.version() != self._snapshot.version:
            self._snapshot = Snapshot(handle.version(), files_frame(handle, self._place.dataset))
        return self._snapshot

    def ready(self) -> DeltaTable:
        """The handle, the table made where it is absent, columns added that it does not know.

        Raises:
            StorageError: no table can be made there.
        """
        handle = self.newest()
        if handle is None:
            made = self._place.create()
            if made is None:  # another process did
                return self.ready()
            self._keep(made)
            return made
        known = {column.name for column in handle.schema().fields}
        wanted = self._place.schema().fields
        if missing := [column for column in wanted if column.name not in known]:
            handle.alter.add_columns(missing)
        return handle

    def _keep(self, handle: DeltaTable | None) -> None:
        self._handle = handle
        if handle is not None:
            self._commit = self._place.commit_file(handle.version())

    def _moved(self, handle: DeltaTable) -> bool:
        """Move a handle on; False where the log is not the one any more that it was opened on."""
        from deltalake.exceptions import DeltaError

        held = handle.version()
        try:
            with self._place.reached():
                handle.update_incremental()
        except DeltaError:  # its version was cleaned from the log, or the table was replaced
            return False
        # Looked at afterwards: a mending is noted before the log changes.
        if self._place.mended() != self._mended or self._place.commit_file(held) != self._commit:
            return False
        if handle.version() != held:
            self._commit = self._place.commit_file(handle.version())
        return True
