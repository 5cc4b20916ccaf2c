"""A damaged Delta table: what is wrong with it, and how it goes on.

What belongs here: data files that are gone or spoilt, and a log whose newest commits, or all,
cannot be read. What does not: fetching or curating again what was lost
(market_data/pipeline/lake_losses.py).

Lost files leave the table in one commit that names them, so that history tells it. Rows of a raw
log are never made up, but those that files of former versions still hold are true as ever: they
come in again. Rows of other datasets are not taken from former versions, since they may have been
corrected; they are made anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from adapters.stores.delta_damage import lost_among
from adapters.stores.delta_maintenance import footprint
from adapters.stores.delta_snapshot import Snapshot, files_frame
from adapters.stores.delta_table import Change, DeltaFiles
from adapters.stores.slices import files_of, rows_of
from market_data.errors import TableDamagedError, UnsupportedOperationError
from market_data.ordering import sort_if_needed
from market_data.ports.lake import CHANGED, LEFT, Damage, Footprint, Tended

_UNFINISHED = ".repairing"
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
    try:
        table.opened()
        snapshot = table.snapshot()
    except TableDamagedError as error:
        wrong = str(error).partition(" is damaged: ")[2].partition(". Put its")[0]
        return _of_log(wrong or str(error), _later(table))
    if table.place.is_marked(_UNFINISHED):
        return _of_log("its log was mended, and its rows did not all come in again")
    lost = lost_among(table.place.files, snapshot.files, thorough=thorough)
    named = snapshot.files.filter(pl.col("path").is_in(list(lost)))
    rows = None if named["rows"].null_count() else int(named["rows"].sum())
    ranges = _ranges(named)
    losses = _losses(table, snapshot, named)
    return Damage(lost, "", rows, ranges, losses, _left(table, snapshot, named, ranges))


def _of_log(wrong: str, later: pl.DataFrame | None = None) -> Damage:
    """A log that is to be mended, and what later versions than its newest good one wrote."""
    sessions = pl.DataFrame(schema=CHANGED) if later is None else later
    return Damage({}, wrong, None, pl.DataFrame(schema=_RANGES), sessions)


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
    return _counted(table.collect(rows, files))


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
    found = [pl.DataFrame(schema=CHANGED)]
    gone = set(lost["path"])
    for unit in units:
        named = snapshot.of([unit]).filter(~pl.col("path").is_in(list(gone)))
        left = _counted(table.collect(table.scan(named), named).select("symbol", "session"))
        # The one of the former files with most rows of a session knows best how many there were.
        former = [
            _counted(rows.select("symbol", "session"))
            for rows in _former(table, unit, set(named["path"]) | gone).values()
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


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("symbol", "session").agg(rows=pl.len().cast(pl.Int64))


def _former(table: DeltaFiles, unit: str, named: set[str]) -> dict[str, pl.DataFrame]:
    """The rows of every file of a unit that the newest version does not name."""
    kept: dict[str, pl.DataFrame] = {}
    for path in sorted(table.place.files.stored()):
        if path.rpartition("/")[0] != unit or path in named:
            continue
        try:
            found = pl.read_parquet(table.place.files.read(path), hive_partitioning=False)
        except (pl.exceptions.PolarsError, FileNotFoundError):
            continue  # half of a file that a killed writer left
        known = set(table.dataset.schema.names)
        if {"symbol", "session"} <= set(found.columns):
            kept[path] = table.dataset.schema.conform(found.select(known & set(found.columns)))
    return kept


def repair(table: DeltaFiles, *, thorough: bool) -> tuple[Damage, Tended]:
    """Go on without what is lost, see `VersionedTable.repair`.

    Raises:
        DatasetMissingError: nothing was ever written.
        StoreConflictError: other writers won every attempt.
        UnsupportedOperationError: the table cannot be mended here.
    """
    found = damage(table, thorough=thorough)
    if found.log:
        return found, _mend_log(table, found)
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
    units = sorted({path.rpartition("/")[0] for path in lost})
    back = 0

    def plan(snapshot: Snapshot) -> Change | None:
        nonlocal back
        named = snapshot.files.filter(pl.col("path").is_in(list(lost)))
        if named.is_empty():
            return None
        change = Change(units, "repair")
        change.removes.extend(table.remove(file) for file in named.iter_rows(named=True))
        back = 0
        for unit in units if _is_raw(table) else ():
            held = snapshot.of([unit]).filter(~pl.col("path").is_in(list(lost)))
            rows = _true_still(table, unit, held, lost)
            back += rows.height
            if not rows.is_empty():
                change.adds.append(table.write(unit, rows))
        return change

    table.change(units, plan, {"lost_files": json.dumps(lost)})
    if not back:
        return []
    return [f"{back} rows came back from files of former versions: vendors said them once and ever"]


def _is_raw(table: DeltaFiles) -> bool:
    return table.dataset.name.startswith("raw/")


def _true_still(
    table: DeltaFiles, unit: str, held: pl.DataFrame, lost: Sequence[str]
) -> pl.DataFrame:
    """Rows of a raw log that former files hold and the unit does not any more, each once."""
    former = _former(table, unit, {*held["path"], *lost})
    if not former:
        return table.dataset.schema.empty()
    known = table.collect(table.scan(held), held)
    rows = pl.concat(former.values()).unique()
    missing = rows.join(known, on=rows.columns, how="anti", nulls_equal=True)
    return sort_if_needed(missing, table.dataset.sort)


# --- a log that cannot be read -----------------------------------------------------------------


def _mend_log(table: DeltaFiles, found: Damage) -> Tended:
    """Back to the newest version that can be opened; a raw log gets its rows again."""
    name = table.dataset.name
    files = table.place.log_files()
    moment = datetime.now(UTC)
    with table.writers_away():
        if _is_raw(table):
            # From here on the log may be whole before its rows are; the mark tells until then.
            table.place.mark(_UNFINISHED)
        good = _newest_good(table, files)
        # The hint may point at what goes; without it the whole log is listed.
        aside = [name for name in files if good is None or _version(name) > good]
        aside += [name for name in files if good is not None and name == "_last_checkpoint"]
        if good is None and not _is_raw(table):
            raise UnsupportedOperationError(
                f"{name}: {found.log}, and no version of it can be opened. Put its folder "
                f"{table.place.uri} back from a backup, or lay it aside by hand (rename it) and "
                "make its rows anew: they all come from the raw logs and the operations database"
            )
        folder = f".damaged-{moment:%Y%m%dT%H%M%SZ}"
        where = table.place.lay_aside(aside, folder) if aside else ""
        table.forget()
        if good is None:
            table.place.create()
    notes = [f"{found.log}; {len(aside)} files of the log were laid aside in {where}"]
    notes.append(
        "every version is gone" if good is None else f"version {good} is the newest that is whole"
    )
    after = footprint(table) if good is not None else Footprint(-1, 0, 0, 0, 0)
    before = Footprint(-1, 0, 0, after.stored_files, after.stored_bytes)
    changed = pl.DataFrame(schema=CHANGED)
    if _is_raw(table):
        notes.append(f"{_taken_in(table)} rows of files that no version named came in again")
        table.place.unmark(_UNFINISHED)
        after = footprint(table)
    else:
        changed = found.sessions
        notes.append(
            "what later versions wrote is left out: the sessions named here are to be made anew"
        )
    return Tended(
        name, "repair", False, before, after, removed=tuple(aside), notes=tuple(notes),
        changed=changed,
    )  # fmt: skip


def _later(table: DeltaFiles) -> pl.DataFrame:
    """What versions wrote that cannot be opened, told before anything is laid aside: CHANGED."""
    good = None if _is_raw(table) else _newest_good(table, table.place.log_files())
    if good is None:
        return pl.DataFrame(schema=CHANGED)
    return _written_since(table, Snapshot(good, files_frame(table.opened(good), table.dataset)))


def _version(name: str) -> int:
    """The version that a file of the log is about; -1 where it is about none."""
    return int(name[:20]) if name[:20].isdigit() else -1


def _newest_good(table: DeltaFiles, names: Sequence[str]) -> int | None:
    """The newest version that can be opened."""
    versions = {_version(name) for name in names if name.endswith(".json")}
    for version in sorted(versions - {-1}, reverse=True):
        try:
            table.place.open(version)
        except TableDamagedError:
            continue
        return version
    return None


def _units_stored(table: DeltaFiles) -> list[str]:
    return sorted({path.rpartition("/")[0] for path in table.place.files.stored()})


def _taken_in(table: DeltaFiles) -> int:
    """Take rows of a raw log in that lie in files which no version names; how many those are."""
    back = 0
    for unit in _units_stored(table):

        def plan(snapshot: Snapshot, unit: str = unit) -> Change | None:
            nonlocal back
            rows = _true_still(table, unit, snapshot.of([unit]), [])
            if rows.is_empty():
                return None
            return Change([unit], "repair", [table.write(unit, rows)])

        counted = table.snapshot().of([unit])["rows"].sum()
        table.change([unit], plan)
        back += int(table.snapshot().of([unit])["rows"].sum()) - int(counted)
    return back


def _written_since(table: DeltaFiles, snapshot: Snapshot) -> pl.DataFrame:
    """Symbol-sessions of files that a version does not name and that hold other rows than it."""
    found = [pl.DataFrame(schema=CHANGED)]
    for unit in _units_stored(table):
        held = snapshot.of([unit])
        former = _former(table, unit, set(held["path"]))
        if not former:
            continue
        known = table.collect(table.scan(held), held)
        rows = pl.concat(former.values()).unique()
        other = _counted(rows.join(known, on=rows.columns, how="anti", nulls_equal=True))
        now = _counted(known.select("symbol", "session"))
        found.append(
            other.join(now, on=["symbol", "session"], how="left", suffix="_now").select(
                "symbol",
                "session",
                rows_before=pl.col("rows"),
                rows_after=pl.col("rows_now").fill_null(0),
            )
        )
    return pl.concat(found).sort("symbol", "session")
