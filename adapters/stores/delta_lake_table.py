"""One Delta table as the lake port has it: versions, upkeep, restore, repair.

What belongs here: the promises of `market_data.ports.lake.VersionedTable`, each by its file.
What does not: how they are kept (delta_maintenance.py, delta_travel.py, delta_repair.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from adapters.stores import delta_maintenance, delta_repair, delta_travel
from adapters.stores.delta_rows import rows_in
from adapters.stores.delta_table import DeltaFiles
from market_data.ports import TableVersion
from market_data.ports.lake import RETENTION, Damage, Footprint, Tended


class DeltaLakeTable:
    """The `VersionedTable` of one dataset; see the port for what each method raises."""

    def __init__(self, table: DeltaFiles) -> None:
        self._table = table

    def history(self) -> list[TableVersion]:
        """Commits that the log still holds, newest first."""
        return delta_maintenance.history(self._table)

    def version_of(self, version: int | None, at: datetime | None) -> int:
        """The version of a number or of a moment; the newest where both are None."""
        return delta_travel.version_of(self._table, version, at)

    def read(
        self,
        version: int | None = None,
        at: datetime | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        sessions: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of a version, sorted as the dataset is."""
        number = self.version_of(version, at)
        return rows_in(
            self._table,
            delta_travel.snapshot_at(self._table, number),
            symbols=symbols,
            start=start,
            end=end,
            sessions=sessions,
            columns=columns,
        )

    def footprint(self) -> Footprint:
        """How large the table is."""
        self._table.opened()
        return delta_maintenance.footprint(self._table)

    def optimize(self) -> Tended:
        """One sorted file for each unit, and a checkpoint; no row changes."""
        return delta_maintenance.optimize(self._table)

    def vacuum(
        self, keep: timedelta = RETENTION, *, dry_run: bool = True, force: bool = False
    ) -> Tended:
        """Remove files that no version of `keep` needs."""
        return delta_maintenance.vacuum_within(self._table, keep, dry_run=dry_run, force=force)

    def restore(
        self, version: int | None = None, at: datetime | None = None, *, dry_run: bool = True
    ) -> Tended:
        """Make the table hold what a former version held, as a new version."""
        return delta_travel.restore(self._table, version, at, dry_run=dry_run)

    def damage(self, *, thorough: bool = False) -> Damage:
        """What is wrong with the table."""
        return delta_repair.damage(self._table, thorough=thorough)

    def repair(self, *, thorough: bool = False) -> tuple[Damage, Tended]:
        """Go on without what is lost."""
        return delta_repair.repair(self._table, thorough=thorough)
