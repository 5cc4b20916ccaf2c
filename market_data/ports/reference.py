"""The port of reference tables: small tables that are replaced whole."""

from __future__ import annotations

from typing import Protocol

import polars as pl


class ReferenceTables(Protocol):
    """Keeps instruments, trading sessions and corporate actions as they were published."""

    def put(self, name: str, frame: pl.DataFrame) -> bool:
        """Make a table hold exactly these rows; returns whether anything was written."""
        ...

    def get(self, name: str) -> pl.DataFrame:
        """The rows of a table.

        Raises:
            FileNotFoundError: it was never written.
        """
        ...
