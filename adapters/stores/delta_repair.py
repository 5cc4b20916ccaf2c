"""A damaged Delta table: what is wrong with it, and how it goes on.

What belongs here: telling damage, and data files that are gone or spoilt. What does not: mending a
log that cannot be read (delta_log_repair.py), fetching or curating again what was lost
(market_data/pipeline/lake_losses.py).

Lost files leave the table in one commit that names them, so that history tells it. Rows of a raw
log are never made up, but those that files of former versions still hold are true as ever: they
come in again. Rows of other datasets are not taken from former versions, since they may have been
corrected; they are made anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from adapters.stores.delta_change import Change, folder_of
from adapters.stores.delta_damage import lost_among
from adapters.stores.delta_former import FormerFiles, counted
from adapters.stores.delta_log_repair import later_sessions, mend, wrong_with
from adapters.stores.delta_maintenance import footprint
from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.slices import files_of, rows_of
from market_data.ports.lake import CHANGED, LEFT, Damage, Tended

_RANGES = {
    "file": pl.String(),
    "symbol_from": pl.String(),
    "symbol_to": pl.String(),
    "session_from": pl.Date(),
    "session_to": pl.Date(),
    "rows": pl.Int64(),
}


def damage(table: DeltaFiles, *, thorough: bool) -> Damage:
    """What is wrong with a table, see `VersionedTable.damage`.

    Raises:
        DatasetMissingError: nothing was ever written.
    """
    own = table.for_repair()
    if wrong := wrong_with(own):
        return Damage({}, wrong, None, pl.DataFrame(schema=_RANGES), later_sessions(own))
    snapshot = table.snapshot()
    lost = lost_among(table.place.files, snapshot.files, thorough=thorough)
    named = snapshot.files.filter(pl.col("path").is_in(list(lost)))
    rows = None if named["rows"].null_count() else int(named["rows"].sum())
    ranges = _ranges(named)
    losses = _losses(table, snapshot, named)
    return Damage(lost, "", rows, ranges, losses, _left(table, snapshot, named, ranges))


def _left(
    table: DeltaFiles, snapshot: Snapshot, lost: pl.DataFrame, ranges: pl.DataFrame
) -> pl.DataFrame:
    """What whole files hold of the sessions of lost ones."""
    if ranges.is_empty() or ranges.select("session_from", "session_to").null_count().row(0) != (
        0,
        0,
    ):
        return pl.DataFrame(schema=LEFT)
    span = ranges.select(pl.col("session_from").min(), pl.col("session_to").max()).row(0)
    files = snapshot.files.join(lost, on="path", how="anti").filter(files_of(span, None))
    rows = table.scan(files).filter(rows_of(span, None)).select("symbol", "session")
    return counted(table.collect(rows, files))


def _ranges(named: pl.DataFrame) -> pl.DataFrame:
    if named.is_empty():
        return pl.DataFrame(schema=_RANGES)
    return named.select(
        pl.col("path").alias("file"),
        *(
            (pl.col(source) if source in named.columns else pl.lit(None)).cast(dtype).alias(name)
            for (name, dtype), source in zip(
                list(_RANGES.items())[1:],
                ("min.symbol", "max.symbol", "min.session", "max.session", "rows"),
                strict=True,
            )
        ),
    )


def _losses(table: DeltaFiles, snapshot: Snapshot, lost: pl.DataFrame) -> pl.DataFrame:
    """Symbol-sessions that files of former versions hold in the units of lost files.

    Such files are there until vacuum removes them. What a unit still holds is taken off.
    """
    units = lost["unit"].unique().sort().to_list()
    former_files = FormerFiles(table)
    found = [pl.DataFrame(schema=CHANGED)]
    gone = set(lost["path"])
    for unit in units:
        named = snapshot.of([unit]).filter(~pl.col("path").is_in(list(gone)))
        left = counted(table.collect(table.scan(named), named).select("symbol", "session"))
        # The one of the former files with most rows of a session knows best how many there were.
        former = [
            counted(rows.select("symbol", "session"))
            for rows in former_files.rows(unit, set(named["path"]) | gone).values()
        ]
        if not former:
            continue
        was = pl.concat(former).group_by("symbol", "session").agg(pl.col("rows").max())
        found.append(
            was.join(left, on=["symbol", "session"], how="left", suffix="_left")
            .select(
                "symbol",
                "session",
                rows_before=pl.col("rows"),
                rows_after=pl.col("rows_left").fill_null(0),
            )
            .filter(pl.col("rows_after") < pl.col("rows_before"))
        )
    return pl.concat(found).sort("symbol", "session")


def repair(table: DeltaFiles, *, thorough: bool) -> tuple[Damage, Tended]:
    """Go on without what is lost, see `VersionedTable.repair`.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
        UnsupportedOperationError: the table cannot be mended here.
    """
    found = damage(table, thorough=thorough)
    if found.log:
        with table.writers_away():
            # Judged anew: another repair may have been at work until now.
            found = damage(table, thorough=thorough)
            if found.log:
                return found, mend(table.for_repair(), found)
    before = footprint(table)
    notes: list[str] = []
    if found.lost:
        notes = _without_lost(table, sorted(found.lost))
    after = footprint(table)
    removed = tuple(sorted(found.lost))
    return found, Tended(
        table.dataset.name, "repair", False, before, after, removed=removed, notes=tuple(notes)
    )


def _without_lost(table: DeltaFiles, lost: Sequence[str]) -> list[str]:
    units = sorted({folder_of(path) for path in lost})
    former, back = FormerFiles(table), 0

    def plan(snapshot: Snapshot) -> Change | None:
        nonlocal back
        named = snapshot.files.filter(pl.col("path").is_in(list(lost)))
        if named.is_empty():
            return None
        change = Change(units, "repair")
        change.removes.extend(table.remove(file) for file in named.iter_rows(named=True))
        back = 0
        for unit in units if table.is_raw else ():
            held = snapshot.of([unit]).filter(~pl.col("path").is_in(list(lost)))
            rows = former.true_still(unit, held, lost)
            back += rows.height
            if not rows.is_empty():
                change.adds.append(table.write(unit, rows))
        return change

    table.change(units, plan, {"lost_files": json.dumps(lost)})
    if not back:
        return []
    return [f"{back} rows came back from files of former versions: vendors said them once and ever"]
