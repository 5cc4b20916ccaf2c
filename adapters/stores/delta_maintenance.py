"""Upkeep of a Delta table: what happened to it, fewer files, less disk.

What belongs here: history, compaction and vacuum, the same for curated tables and the raw log.
What does not: changes of rows.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import Change, DeltaFiles
from market_data.ordering import sort_if_needed
from market_data.ports import TableVersion


def history(table: DeltaFiles) -> list[TableVersion]:
    """Commits, newest first; `operation` is what our writer did, or what a foreign one says.

    Raises:
        DatasetMissingError: nothing was ever written.
    """
    return [
        TableVersion(
            commit["version"],
            datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
            commit.get("action") or commit.get("operation", ""),
        )
        for commit in table.opened().history()
    ]


def compact(table: DeltaFiles) -> None:
    """Merge the files of each unit into one sorted file, a commit per unit; no row changes.

    The engine's own compaction joins files end to end, which would lose the order that reads live
    on.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
    """
    table.opened()
    counts = table.snapshot().files.group_by("unit").len().filter(pl.col("len") > 1)
    for unit in sorted(counts["unit"]):
        _compact_unit(table, unit)


def _compact_unit(table: DeltaFiles, unit: str) -> None:
    def plan(snapshot: Snapshot) -> Change | None:
        files = snapshot.of([unit])
        if files.height < 2:
            return None
        rows = sort_if_needed(table.scan(files).collect(), table.dataset.sort)
        add = table.write(unit, rows, data_change=False)
        removes = [table.remove(file, data_change=False) for file in files.iter_rows(named=True)]
        return Change([unit], "compact", [add], removes)

    table.change([unit], plan)


def vacuum(table: DeltaFiles, retention_hours: int) -> None:
    """Remove files that no version within the retention needs, also those of killed writers.

    Writers wait meanwhile: a file that is written but not yet committed looks abandoned.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: a writer kept on too long.
    """
    with table.alone() as handle:
        handle.vacuum(retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
