"""What `emp lake` tells of upkeep, restore and repair.

What belongs here: sentences and tables for a person, the same for a program.
What does not: what is done (emp/lake.py, emp/lake_repair.py), what is asked (lake.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emp.output import print_json, print_line, records, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from emp.lake_repair import Repaired
    from market_data.ports.lake import Footprint, Tended

_MIB = 1024 * 1024
_SHOWN = 20


def tell(done: Sequence[Tended], *, as_json: bool) -> None:
    """What was done with tables, or would be."""
    if as_json:
        print_json([{**t.numbers(), "changed": records(t.changed)} for t in done])
        return
    for tended in done:
        _tell_one(tended)
    if not done:
        print_line("nothing is stored with versions yet")


def _tell_one(tended: Tended) -> None:
    would = " (dry run: nothing was done)" if tended.dry_run else ""
    before, after = tended.before, tended.after
    print_line(f"{tended.dataset}: {tended.did}{would}")
    print_line(f"  version {before.version} -> {after.version}")
    print_line(f"  in it   {_size(before)} -> {_size(after)}")
    print_line(f"  stored  {_stored(before)} -> {_stored(after)}")
    if tended.removed:
        print_line(f"  {len(tended.removed)} files {'would go' if tended.dry_run else 'went'}")
    if tended.changed.height:
        count = tended.changed.height
        print_line(f"  {count} symbol-sessions {'would be' if tended.dry_run else 'are'} others:")
        _tell_first(tended.changed)
    for note in tended.notes:
        print_line(f"  {note}")


def _size(size: Footprint) -> str:
    return f"{size.files} files, {size.bytes / _MIB:.2f} MiB"


def _stored(size: Footprint) -> str:
    return f"{size.stored_files} files, {size.stored_bytes / _MIB:.2f} MiB"


def tell_damage(dataset: str, found: Repaired) -> None:
    """What is wrong with a table, what was done, and what a person is still to do."""
    damage = found.damage
    if found.whole:
        print_line(f"{dataset}: whole, every file of its newest version is there")
        return
    wrong = [damage.log] if damage.log else [f"{p} is {what}" for p, what in damage.lost.items()]
    for sentence in wrong or ["a repair was not finished"]:
        print_line(f"{dataset}: {sentence}")
    if damage.ranges.height:
        print_line("What the log says of lost files:")
        print_line(table(damage.ranges))
    if found.lost.height:
        print_line(f"{found.lost.height} symbol-sessions lost rows:")
        _tell_first(found.lost)
    if found.tended is not None:
        _tell_one(found.tended)
    if found.remade:
        print_line(f"{found.lost.height} symbol-sessions were curated and scored anew")
    for cure in found.cures:
        print_line(f"to do: {cure}")


def _tell_first(rows: pl.DataFrame) -> None:
    print_line(table(rows.head(_SHOWN)))
    if rows.height > _SHOWN:
        print_line(f"... and {rows.height - _SHOWN} more; --json lists all")


def repaired_as_json(dataset: str, found: Repaired) -> dict[str, Any]:
    """The same for a program."""
    damage = found.damage
    return {
        "dataset": dataset,
        "whole": found.whole,
        "log": damage.log,
        "lost_files": dict(damage.lost),
        "lost_rows": damage.rows,
        "ranges": records(damage.ranges),
        "lost": records(found.lost),
        "repaired": None if found.tended is None else found.tended.numbers(),
        "remade": found.remade,
        "to_do": found.cures,
    }
