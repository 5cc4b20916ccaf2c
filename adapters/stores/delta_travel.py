"""Former versions of a Delta table: which there was at a moment, what it held, how to return to it.

What belongs here: from a number or a moment to a version, its rows, and restoring it.
What does not: a table that is damaged (delta_repair.py).

A moment means the newest commit by then, by the time that its writer noted; where a clock went
back, a version counts as no older than the one before it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from adapters.stores.delta_change import Change
from adapters.stores.delta_damage import lost_among, vacuumed
from adapters.stores.delta_former import contents, differing
from adapters.stores.delta_maintenance import footprint, footprint_of, history
from adapters.stores.delta_snapshot import Snapshot, files_frame, noted, recorded
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.units import unit_values
from market_data.errors import TableDamagedError, VersionGoneError
from market_data.ports import TableVersion
from market_data.ports.lake import CHANGED, Footprint, Tended

if TYPE_CHECKING:
    from deltalake.transaction import AddAction


def version_of(table: DeltaFiles, version: int | None, at: datetime | None) -> int:
    """The version of a number or of a moment, the newest where both are None.

    Raises:
        DatasetMissingError: nothing was ever written.
        VersionGoneError: there is no such version, or nothing was written by then.
    """
    if version is None and at is None:
        return int(table.opened().version())
    versions = sorted(history(table), key=lambda v: v.version)
    known = f"there are {versions[0].version} to {versions[-1].version}"
    if version is not None:
        if not versions[0].version <= version <= versions[-1].version:
            raise VersionGoneError(
                f"{table.dataset.name} has no version {version}: {known} "
                f"('emp lake history {table.dataset.name}')"
            )
        return version
    assert at is not None  # noqa: S101  one of the two is given
    found = _by_then(versions, at)
    if found is None:
        raise VersionGoneError(
            f"{table.dataset.name}: no version is as old as {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} "
            f"UTC, the oldest that is known is {versions[0].version} of "
            f"{versions[0].timestamp:%Y-%m-%d %H:%M:%S} UTC"
        )
    return found


def _by_then(versions: Sequence[TableVersion], at: datetime) -> int | None:
    found, latest = None, datetime.min.replace(tzinfo=UTC)
    for version in versions:
        latest = max(latest, version.timestamp)
        if latest <= at:
            found = version.version
    return found


def snapshot_at(table: DeltaFiles, version: int) -> Snapshot:
    """The files of a version.

    Raises:
        VersionGoneError: its log is not there any more.
    """
    try:
        handle = table.opened(version)
    except TableDamagedError as error:
        raise VersionGoneError(
            f"{table.dataset.name}: the log of version {version} cannot be read any more; "
            f"'emp lake history {table.dataset.name}' lists the versions"
        ) from error
    return Snapshot(version, files_frame(handle, table.dataset))


def restore(
    table: DeltaFiles, version: int | None, at: datetime | None, *, dry_run: bool
) -> Tended:
    """Make the table hold what a former version held, see `VersionedTable.restore`.

    What other writers commit until then is part of what is left behind, or the restore is planned
    anew: never is a commit of theirs half undone.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
        VersionGoneError: there is no such version, or files of it are gone.
    """
    number = version_of(table, version, at)
    target = snapshot_at(table, number)
    way = _way_back(table, target, table.snapshot())

    def told(after: Footprint, *, dry: bool) -> Tended:
        name, notes = table.dataset.name, way.notes
        return Tended(
            name, "restore", dry, way.before, after, way.units, notes=notes, changed=way.changed
        )

    if dry_run:
        return told(_expected(way.before, target) if way.units else way.before, dry=True)

    def plan(snapshot: Snapshot) -> Change | None:
        nonlocal way
        if snapshot.version != way.before.version:  # what others committed goes back as well
            way = _way_back(table, target, snapshot)
        adds = target.files.join(snapshot.files, on="path", how="anti")
        removes = snapshot.files.join(target.files, on="path", how="anti")
        if adds.is_empty() and removes.is_empty():
            return None
        return Change(
            way.units,
            "restore",
            [_added(table, file) for file in adds.iter_rows(named=True)],
            [table.remove(file) for file in removes.iter_rows(named=True)],
            beside=pl.lit(value=True),  # every file there is, those of new units as well
        )

    table.change(way.units, plan, {"restored_version": str(number)})
    return told(footprint(table), dry=False)


@dataclass(frozen=True)
class _Way:
    """From one version back to another.

    Attributes:
        before: the version that is left.
        units: folders whose files change.
        changed: columns CHANGED.
        notes: what was not compared.
    """

    before: Footprint
    units: tuple[str, ...]
    changed: pl.DataFrame
    notes: tuple[str, ...]


def _way_back(table: DeltaFiles, target: Snapshot, current: Snapshot) -> _Way:
    """What changes on the way to a former version.

    Raises:
        VersionGoneError: files of it are gone.
    """
    missing = target.files.join(current.files, on="path", how="anti")
    leaving = current.files.join(target.files, on="path", how="anti")
    if lost := lost_among(table.place.files, missing, thorough=False):
        raise vacuumed(table.place, lost)
    beaten = lost_among(table.place.files, leaving, thorough=False)
    whole = Snapshot(current.version, current.files.filter(~pl.col("path").is_in(list(beaten))))
    notes = (f"{len(beaten)} lost files of today are not compared",) if beaten else ()
    units = tuple(sorted({*missing["unit"], *leaving["unit"]}))
    return _Way(footprint_of(table, current), units, difference(table, whole, target), notes)


def _added(table: DeltaFiles, file: Mapping[str, Any]) -> AddAction:
    """The action that takes a file of a former version in again."""
    from deltalake.transaction import AddAction

    return AddAction(
        file["path"],
        file["size"],
        unit_values(file["unit"]),
        int(time.time() * 1000),
        True,
        recorded(file, noted(table.dataset)),
    )


def _expected(before: Footprint, target: Snapshot) -> Footprint:
    return Footprint(
        before.version + 1,
        target.files.height,
        int(target.files["size"].sum()),
        before.stored_files,
        before.stored_bytes,
    )


def difference(table: DeltaFiles, before: Snapshot, after: Snapshot) -> pl.DataFrame:
    """Symbol-sessions whose rows differ between two versions: columns CHANGED, sorted.

    Only files that one of them has alone are read, a unit at a time.
    """
    old = before.files.join(after.files, on="path", how="anti")
    new = after.files.join(before.files, on="path", how="anti")
    found = [pl.DataFrame(schema=CHANGED)]
    for unit in sorted({*old["unit"], *new["unit"]}):
        was, becomes = (_contents(table, f.filter(pl.col("unit") == unit)) for f in (old, new))
        found.append(differing(was, becomes))
    return pl.concat(found).sort("symbol", "session")


def _contents(table: DeltaFiles, files: pl.DataFrame) -> pl.DataFrame:
    """Rows of some files by symbol and session: how many, and a digest that no order changes."""
    return contents(table.collect(table.scan(files), files))
