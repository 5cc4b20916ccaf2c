"""A store that holds nothing, for reading what the lake alone gives while the warehouse is away.

What belongs here: empty answers, and the refusal of every write. What does not: when it stands in
for the warehouse (emp/client.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from market_data.datasets import Dataset
from market_data.errors import StoreUnavailableError, UnsupportedOperationError
from market_data.ports import TableVersion

_COUNTS = {"symbol": pl.String, "month": pl.Date, "rows": pl.Int64}


class AbsentStore:
    """A `BarStore` without rows."""

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,  # noqa: ARG002  as the port names them
        *,
        sessions: tuple[date, date],  # noqa: ARG002
        symbols: Sequence[str],  # noqa: ARG002
        unless_changed_since: str | None = None,  # noqa: ARG002
    ) -> int:
        """Refuse; raises StoreUnavailableError."""
        raise StoreUnavailableError(f"the warehouse is away: {dataset.name} cannot be written")

    def scan(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,  # noqa: ARG002
        start: datetime | date | None = None,  # noqa: ARG002
        end: datetime | date | None = None,  # noqa: ARG002
        sessions: tuple[date, date] | None = None,  # noqa: ARG002
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """No rows, see the port."""
        empty = dataset.schema.empty()
        return empty if columns is None else empty.select(columns)

    def latest(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,  # noqa: ARG002
        rows: int = 1,  # noqa: ARG002
    ) -> pl.DataFrame:
        """No rows, see the port."""
        return dataset.schema.empty()

    def counts(self, dataset: Dataset) -> pl.DataFrame:  # noqa: ARG002
        """No rows, see the port."""
        return pl.DataFrame(schema=_COUNTS)

    def version(
        self,
        dataset: Dataset,  # noqa: ARG002
        *,
        symbols: Sequence[str] | None = None,  # noqa: ARG002
        sessions: tuple[date, date] | None = None,  # noqa: ARG002
    ) -> str:
        """Nothing never changes."""
        return "absent"

    def history(self, dataset: Dataset) -> list[TableVersion]:  # noqa: ARG002
        """No commits, see the port."""
        return []

    def compact(self, dataset: Dataset) -> None:
        """Refuse; raises UnsupportedOperationError."""
        raise UnsupportedOperationError(f"{dataset.name} has no files here")

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:  # noqa: ARG002
        """Refuse; raises UnsupportedOperationError."""
        raise UnsupportedOperationError(f"{dataset.name} has no files here")
