"""A log of a Delta table whose newest commits, or all, cannot be read: what it means, and the cure.

What belongs here: what is wrong with a log, which sessions differ from what versions held that
cannot be opened, going back to the newest one that can. What does not: data files that are lost
(delta_repair.py).

All of it works on `DeltaFiles.for_repair`, which a log does not stop whose mending has not ended.
Until it has, every other reader and writer of the table is refused: its log may be whole before its
rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from adapters.stores.delta_change import Change
from adapters.stores.delta_commits import commits_of, named_until, version_of_file
from adapters.stores.delta_damage import lost_among
from adapters.stores.delta_former import FormerFiles, contents, differing
from adapters.stores.delta_maintenance import footprint
from adapters.stores.delta_snapshot import Snapshot, files_frame
from adapters.stores.delta_table import DeltaFiles
from market_data.errors import StoreConflictError, TableDamagedError, UnsupportedOperationError
from market_data.ports.lake import CHANGED, Damage, Footprint, Tended

_HINT = "_last_checkpoint"
_LONGEST_WRITE = timedelta(days=1)
"""From the first file of a commit to the commit; what is older belongs to versions before."""


def wrong_with(own: DeltaFiles) -> str:
    """What is wrong with the log, in a sentence; empty where it can be read and is whole.

    Raises:
        DatasetMissingError: nothing was ever written.
    """
    try:
        own.opened()
    except TableDamagedError as error:
        told = str(error)
        return told.partition(" is damaged: ")[2].partition(". Put its")[0] or told
    if not own.place.mending.last().ended:
        return "its log is being mended, or a repair was killed: its rows are not all there"
    return ""


def later_sessions(own: DeltaFiles) -> pl.DataFrame:
    """Symbol-sessions in which versions that cannot be opened differ from the newest one that can.

    Told before anything is laid aside.

    Returns:
        Columns CHANGED: `rows_before` is what a later version had, `rows_after` what is left. Of a
        folder of which nobody knows what it held at last, every symbol-session counts.
    """
    nothing = pl.DataFrame(schema=CHANGED)
    if own.is_raw:
        return nothing
    names = own.place.log_files()
    good = _newest_good(own, names)
    if good is None:
        return nothing
    newest = max(version_of_file(name) for name in names)
    if newest == good and own.place.mending.last().ended:
        return nothing
    return _written_since(own, Snapshot(good, files_frame(own.opened(good), own.dataset)))


def _written_since(own: DeltaFiles, snapshot: Snapshot) -> pl.DataFrame:
    """Where files that later versions wrote hold other rows than a version: columns CHANGED.

    A writer of ours leaves a new file in every folder that a commit of its changes, which holds all
    of the folder (`DeltaFiles._leave_traces`). So every one of them is compared, whichever was the
    last; one that cannot be read, or has no rows, differs in everything.
    """
    whole = snapshot.files.filter(
        ~pl.col("path").is_in(list(lost_among(own.place.files, snapshot.files, thorough=False)))
    )
    former = FormerFiles(own)
    later = _later_files(own, snapshot, former)
    units = sorted(later) if later else sorted(set(snapshot.files["unit"]))
    found = [pl.DataFrame(schema=CHANGED)]
    for unit in units:
        held = whole.filter(pl.col("unit") == unit)
        now = contents(own.collect(own.scan(held), held))
        for path in later.get(unit, [""]):
            rows = former.read(path) if path else None
            found.append(differing(contents(_or_none(own, rows)), now))
    return (
        pl.concat(found)
        .group_by("symbol", "session")
        .agg(pl.col("rows_before").max(), pl.col("rows_after").max())
        .sort("symbol", "session")
    )


def _or_none(own: DeltaFiles, rows: pl.DataFrame | None) -> pl.DataFrame:
    return own.dataset.schema.empty() if rows is None else rows


def _later_files(own: DeltaFiles, snapshot: Snapshot, former: FormerFiles) -> dict[str, list[str]]:
    """By unit, files that no version up to this one ever named, and that are not older than it."""
    commits = commits_of(own.place)
    named = named_until(own.place, snapshot.version, commits) | set(snapshot.files["path"])
    times = [c.at for c in commits if c.version == snapshot.version and not c.aside]
    since = min(times) - _LONGEST_WRITE if times and min(times).year > 1 else None
    found: dict[str, list[str]] = {}
    for unit in former.units:
        for path in former.paths(unit, named):
            written = own.place.files.written_at(path)
            if written is not None and (since is None or written >= since):
                found.setdefault(unit, []).append(path)
    return found


def mend(own: DeltaFiles, found: Damage) -> Tended:
    """Back to the newest version that can be opened; a raw log gets its rows again.

    Args:
        own: `DeltaFiles.for_repair`, while writers are away.
        found: what is wrong, as it is while they are away.

    Raises:
        StoreConflictError: another repair is at work on an object store.
        UnsupportedOperationError: there is no such version.
    """
    name, place = own.dataset.name, own.place
    good = _newest_good(own, place.log_files())
    if good is None and not own.is_raw:
        raise UnsupportedOperationError(
            f"{name}: {found.log}, and no version of it can be opened. Put its folder "
            f"{place.uri} back from a backup, or lay it aside by hand (rename it) and "
            "make its rows anew: they all come from the raw logs and the operations database"
        )
    begun = place.mending.begin()
    files = place.log_files()
    # The hint may point at what goes; without it the whole log is listed.
    aside = [file for file in files if good is None or version_of_file(file) > good]
    aside += [file for file in files if good is not None and file == _HINT]
    if place.mending.last() != begun:
        raise StoreConflictError(f"{name}: another repair is at work on it; look again later")
    notes = [found.log]
    if aside:
        where = place.lay_aside(aside, datetime.now(UTC))
        notes = [f"{found.log}; {len(aside)} files of the log were laid aside in {where}"]
    if good is None:
        place.create()
    notes.append(
        "every version is gone" if good is None else f"version {good} is the newest that is whole"
    )
    after = footprint(own) if good is not None else Footprint(-1, 0, 0, 0, 0)
    before = Footprint(-1, 0, 0, after.stored_files, after.stored_bytes)
    if own.is_raw:
        notes.append(f"{_taken_in(own)} rows of files that no version named came in again")
        after = footprint(own)
    else:
        notes.append(
            "what later versions wrote is left out: the sessions named here are to be made anew"
        )
    place.mending.end(begun)
    return Tended(
        name, "repair", False, before, after, removed=tuple(aside), notes=tuple(notes),
        changed=found.sessions,
    )  # fmt: skip


def _newest_good(own: DeltaFiles, names: Sequence[str]) -> int | None:
    """The newest version that can be opened."""
    versions = {version_of_file(name) for name in names if name.endswith(".json")}
    for version in sorted(versions - {-1}, reverse=True):
        try:
            own.place.open(version)
        except TableDamagedError:
            continue
        return version
    return None


def _taken_in(own: DeltaFiles) -> int:
    """Take rows of a raw log in that lie in files which no version names; how many those are."""
    former, back = FormerFiles(own), 0
    for unit in former.units:
        taken = 0

        def plan(snapshot: Snapshot, unit: str = unit) -> Change | None:
            nonlocal taken
            rows = former.true_still(unit, snapshot.of([unit]), [])
            taken = rows.height
            return None if rows.is_empty() else Change([unit], "repair", [own.write(unit, rows)])

        own.change([unit], plan)
        back += taken
    return back
