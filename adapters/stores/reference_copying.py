"""Copying a reference table from one store into another.

What belongs here: a small table, read whole, compared and replaced whole.
What does not: how a store keeps it (reference_tables.py, adapters/timescale/reference_tables.py).
"""

from __future__ import annotations

import polars as pl

from adapters.stores.reference_tables import ReferenceStore
from market_data.errors import CopyMismatchError, CopyRefusedError
from market_data.pipeline.migration import Compared, Outcome, Receipts, Tell
from market_data.quality.digest import RowsDigest, rows_digest


class ReferenceCopy:
    """A `Part`: one reference table in two stores.

    Args:
        name: one of `adapters.stores.reference_tables.TABLES`.
        source: is only read.
        target: is made to hold the same.
        receipts: what copies have read.
        overwrite: rows that only the target holds may go.
    """

    def __init__(
        self,
        name: str,
        source: ReferenceStore,
        target: ReferenceStore,
        receipts: Receipts,
        *,
        overwrite: bool = False,
    ) -> None:
        self.name = name
        self._source = source
        self._target = target
        self._receipts = receipts
        self._overwrite = overwrite
        self._read = RowsDigest()

    def compare(self, tell: Tell, *, thorough: bool) -> Outcome:  # noqa: ARG002  all is read
        """Read both sides and write nothing, see the port."""
        tell(f"{self.name}: reading both sides")
        rows, held = self._get(self._source), self._get(self._target)
        return _outcome(rows, held, self._foreign(rows, held))

    def copy(self, tell: Tell) -> Outcome:
        """Make the target's table hold what the source's holds, see the port.

        Raises:
            CopyRefusedError: the target holds rows of its own.
            CopyMismatchError: what was read back is not what was written.
        """
        rows, held = self._get(self._source), self._get(self._target)
        self._read = _digest(rows)
        self._receipts.note(self.name, str(self._read))
        if self._read == _digest(held) and (rows is None or held is not None):
            tell(f"{self.name}: equal already")
            return _outcome(rows, held)
        foreign = self._foreign(rows, held)
        if foreign and not self._overwrite:
            raise CopyRefusedError(
                f"{self.name}: the target holds {foreign} rows that the source does not, or holds "
                "otherwise; if they may go, repeat with --overwrite"
            )
        # A table that the source never had stays as an empty one: a store cannot forget a table.
        content = rows if rows is not None else _known(held).clear()
        self._target.put(self.name, content)
        made = self._get(self._target)
        if _digest(made) != self._read:
            raise CopyMismatchError(
                f"{self.name}: the source tells {self._read.rows} rows of digest {self._read}, but "
                f"after they were written the target tells {_digest(made).rows} rows of digest "
                f"{_digest(made)}"
            )
        tell(f"{self.name}: {content.height} rows copied")
        return _outcome(rows, made, slices_copied=1)

    def changed(self) -> bool:
        """Whether the source tells something else than the last copy read."""
        return _digest(self._get(self._source)) != self._read

    def _get(self, store: ReferenceStore) -> pl.DataFrame | None:
        try:
            return store.get(self.name)
        except FileNotFoundError:
            return None

    def _foreign(self, rows: pl.DataFrame | None, held: pl.DataFrame | None) -> int:
        """Rows that only the target holds and that no copy has put there."""
        if held is None or self._receipts.knows(self.name, str(_digest(held))):
            return 0
        if rows is None or set(rows.columns) != set(held.columns):
            return held.height
        alike = held.select(pl.col(name).cast(dtype) for name, dtype in rows.schema.items())
        return alike.join(rows, on=rows.columns, how="anti", nulls_equal=True).height


def _known(frame: pl.DataFrame | None) -> pl.DataFrame:
    if frame is None:
        raise AssertionError("one of two tables that differ is there")
    return frame


def _digest(frame: pl.DataFrame | None) -> RowsDigest:
    return RowsDigest() if frame is None else rows_digest(frame)


def _outcome(
    rows: pl.DataFrame | None,
    held: pl.DataFrame | None,
    foreign: int = 0,
    *,
    slices_copied: int = 0,
) -> Outcome:
    if rows is None and held is None:
        return Outcome((), 0)
    wanted, found = _digest(rows), _digest(held)
    piece = Compared("", wanted.rows, found.rows, str(wanted), str(found), foreign)
    return Outcome((piece,), 1, slices_copied, wanted.rows if slices_copied else 0)
