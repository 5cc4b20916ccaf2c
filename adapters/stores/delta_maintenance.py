"""Upkeep of a Delta table: what happened to it, fewer files, less disk.

What belongs here: history, size, compaction and vacuum, the same for curated tables and the raw
log. What does not: former versions (delta_travel.py), damage (delta_repair.py), changes of rows.

Every file of ours is sorted by (symbol, time), and stays so: that is what reads of one symbol live
on. A z-order of sorted rows made such reads slower, and rows that a foreign tool left unsorted are
sorted instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from adapters.stores.delta_change import Change
from adapters.stores.delta_damage import damaged, lost_among
from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from market_data.errors import ConfigurationError
from market_data.ordering import sort_if_needed
from market_data.ports import TableVersion
from market_data.ports.lake import RETENTION, Footprint, Tended

if TYPE_CHECKING:
    from deltalake import DeltaTable

_OURS = re.compile(r"[0-9a-f]{32}\.parquet")
_HOUR = timedelta(hours=1)
SHORTEST_WITHOUT_LOCKS = timedelta(hours=24)
"""On an object store nothing keeps writers away: what they have written and not yet committed must
not look abandoned, however long they take."""


def history(table: DeltaFiles) -> list[TableVersion]:
    """Commits, newest first; `operation` is what our writer did, or what a foreign one says.

    Raises:
        DatasetMissingError: nothing was ever written.
        TableDamagedError: the log cannot be read.
    """
    with table.place.reached():
        commits = table.opened().history()
    return [
        TableVersion(
            commit["version"],
            datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
            commit.get("action") or commit.get("operation", ""),
        )
        for commit in commits
    ]


def footprint(table: DeltaFiles) -> Footprint:
    """How large a table is, and what lies beside it."""
    return footprint_of(table, table.snapshot())


def footprint_of(table: DeltaFiles, snapshot: Snapshot) -> Footprint:
    """The same of a version that was read before."""
    stored = table.place.files.stored()
    return Footprint(
        snapshot.version,
        snapshot.files.height,
        int(snapshot.files["size"].sum()),
        len(stored),
        sum(stored.values()),
    )


def compact(table: DeltaFiles) -> tuple[str, ...]:
    """Make each unit one sorted file, a commit per unit; no row changes.

    The engine's own compaction joins files end to end, which would lose the order that reads live
    on. A file of a foreign writer is written anew where its rows are not sorted, or where it is not
    as ours are: zstd, small row groups.

    Returns:
        The units that were written anew.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
        TableDamagedError: a file is gone or cannot be read.
    """
    table.opened()
    # A file of ours alone in its unit is sorted since it was written.
    unit_files = table.snapshot().files.group_by("unit").agg("path").sort("unit")
    done = []
    for unit, paths in unit_files.iter_rows():
        alone = len(paths) == 1
        if not alone or not _OURS.fullmatch(paths[0].rpartition("/")[2]):
            _compact_unit(table, unit)
            done.append(unit)
    return tuple(done)


def optimize(table: DeltaFiles) -> Tended:
    """Compact, then write a checkpoint of the log, so that it opens without its commits.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
        TableDamagedError: a file is gone or cannot be read.
    """
    table.opened()
    named = table.snapshot().files
    # Also of folders that are left alone, which perhaps nobody reads for months.
    if lost := lost_among(table.place.files, named, thorough=False):
        raise damaged(table.place, named, lost)
    before = footprint(table)
    units = compact(table)
    with table.place.reached():
        table.opened().create_checkpoint()
    after = footprint(table)
    return Tended(table.dataset.name, "optimize", False, before, after, units)


def _compact_unit(table: DeltaFiles, unit: str) -> None:
    def plan(snapshot: Snapshot) -> Change | None:
        files = snapshot.of([unit])
        if files.is_empty():
            return None
        rows = sort_if_needed(table.collect(table.scan(files), files), table.dataset.sort)
        add = table.write(unit, rows, data_change=False)
        removes = [table.remove(file, data_change=False) for file in files.iter_rows(named=True)]
        return Change([unit], "compact", [add], removes)

    table.change([unit], plan)


def vacuum(table: DeltaFiles, retention_hours: int, *, dry_run: bool = False) -> list[str]:
    """Remove files that no version within the retention needs, also those of killed writers.

    Writers wait meanwhile: a file that is written but not yet committed looks abandoned.

    Returns:
        The files that went, or would go.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: a writer kept on too long.
    """
    if dry_run:
        return _vacuumed(table.opened(), table, retention_hours, dry_run=True)
    with table.alone() as handle:
        return _vacuumed(handle, table, retention_hours, dry_run=False)


def _vacuumed(handle: DeltaTable, table: DeltaFiles, hours: int, *, dry_run: bool) -> list[str]:
    with table.place.reached():
        found: list[str] = handle.vacuum(
            hours, dry_run=dry_run, enforce_retention_duration=False, full=True
        )
    # A file taken out twice, as after a restore, is named twice: below the table and whole.
    root = f"{table.place.uri.rstrip('/')}/"
    return sorted({path.removeprefix(root) for path in found if path.endswith(".parquet")})


def vacuum_within(table: DeltaFiles, keep: timedelta, *, dry_run: bool, force: bool) -> Tended:
    """Vacuum, with the retention looked at; see `VersionedTable.vacuum`.

    Raises:
        ConfigurationError: `keep` is too short.
        DatasetMissingError: nothing was ever written.
        StoreConflictError: a writer kept on too long.
    """
    name, hours = table.dataset.name, -(-keep // _HOUR)  # part of an hour is kept whole
    if keep < RETENTION and not force:
        raise ConfigurationError(
            f"{name}: a retention of {hours} h is below {RETENTION // _HOUR} h: versions within "
            "them could not be read or restored any more; say --force where that is meant"
        )
    if keep < SHORTEST_WITHOUT_LOCKS and table.place.local is None:
        raise ConfigurationError(
            f"{name}: on an object store at least {SHORTEST_WITHOUT_LOCKS // _HOUR} h are kept, "
            "since no lock keeps writers away whose files are not committed yet"
        )
    before = footprint(table)
    sizes = table.place.files.stored()
    removed = vacuum(table, hours, dry_run=dry_run)
    if dry_run:
        after = Footprint(
            before.version,
            before.files,
            before.bytes,
            before.stored_files - len(removed),
            before.stored_bytes - sum(sizes.get(path, 0) for path in removed),
        )
    else:
        after = footprint(table)
    return Tended(name, "vacuum", dry_run, before, after, removed=tuple(removed))
