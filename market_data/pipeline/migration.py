"""Copying an installation into another: part by part, until the source has stood still.

What belongs here: what a part promises, refusing before anything is written, copying again what
changed meanwhile, the report.
What does not: how a part is copied: datasets (copying.py), tables of databases and reference tables
(adapters).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from market_data.errors import CopyMismatchError, CopyRefusedError

ROUNDS = 4
_SHOWN = 5

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """What both sides hold of a piece of a part.

    Attributes:
        piece: its month, 2024-02; empty for a part that has no months.
        source_rows: rows of the source.
        target_rows: rows of the target.
        source_digest: of the source's rows; empty where they were not read.
        target_digest: of the target's rows; empty where they were not read.
        foreign: rows that only the target holds and that no copy has put there.
    """

    piece: str
    source_rows: int
    target_rows: int
    source_digest: str = ""
    target_digest: str = ""
    foreign: int = 0

    @property
    def equal(self) -> bool:
        """Whether both sides were read and tell the same."""
        return (
            self.source_rows == self.target_rows
            and self.source_digest == self.target_digest
            and self.source_digest != ""
        )


@dataclass(frozen=True)
class Outcome:
    """A part, compared or copied.

    Attributes:
        pieces: what both sides hold now.
        slices: how many steps it is copied in.
        slices_copied: how many of them were written.
        rows_copied: how many rows those hold.
    """

    pieces: tuple[Compared, ...]
    slices: int
    slices_copied: int = 0
    rows_copied: int = 0


@dataclass
class Report:
    """What became of a part; `again` is how often the source changed while it was copied."""

    name: str
    outcome: Outcome
    seconds: float
    again: int = field(default=0)


class Receipts(Protocol):
    """What copies have read, by digest: a target that holds just that holds nothing of its own."""

    def knows(self, part: str, digest: str) -> bool:
        """Whether a copy has once read these rows, on either side."""
        ...

    def note(self, part: str, digest: str) -> None:
        """A copy has read these rows, and is about to write them."""
        ...


class Part(Protocol):
    """One dataset or table, in two places."""

    @property
    def name(self) -> str:
        """As reports and options name it: curated/bars_1d."""
        ...

    def compare(self, tell: Tell, *, thorough: bool) -> Outcome:
        """Read both sides and write nothing.

        Args:
            tell: hears of progress.
            thorough: also read what the target has nothing of.
        """
        ...

    def copy(self, tell: Tell) -> Outcome:
        """Make the target hold what the source holds, and read it back.

        Raises:
            CopyRefusedError: the target holds rows of its own.
            CopyMismatchError: what was read back is not what was written; names part and month.
        """
        ...

    def changed(self) -> bool:
        """Whether a side may hold something else than what the last copy left."""
        ...


def compare(parts: Sequence[Part], *, tell: Tell, thorough: bool) -> list[Report]:
    """What both sides hold; nothing is written.

    Args:
        parts: to be compared.
        tell: hears of progress, in sentences.
        thorough: also read what the target has nothing of.
    """
    return [_timed(part, lambda p: p.compare(tell, thorough=thorough)) for part in parts]


def copy(parts: Sequence[Part], *, tell: Tell, overwrite: bool = False) -> list[Report]:
    """Copy every part, and again what the source changed meanwhile.

    Args:
        parts: to be copied, in this order.
        tell: hears of progress, in sentences.
        overwrite: rows that only the target holds may go.

    Raises:
        CopyRefusedError: the target holds rows of its own, and may not be overwritten; found
            before anything is written, it names every part and month.
        CopyMismatchError: a part is not what was written, or the source did not stand still.
    """
    looks = [] if overwrite else compare(parts, tell=tell, thorough=False)
    refuse_foreign(looks)
    spent = {look.name: look.seconds for look in looks}
    reports: dict[str, Report] = {}
    waiting = list(parts)
    for _ in range(ROUNDS):
        for part in waiting:
            found = _timed(part, lambda p: p.copy(tell))
            found.seconds += spent.pop(part.name, 0.0)
            reports[part.name] = _joined(reports.get(part.name), found)
        waiting = [part for part in parts if part.changed()]
        if not waiting:
            return list(reports.values())
        names = ", ".join(part.name for part in waiting)
        tell(f"written to during the copy: {names} will be copied again")
    raise CopyMismatchError(
        f"written to faster than it is copied: {names}; what is copied stays, so let runs end and "
        "copy again"
    )


def refuse_foreign(reports: Sequence[Report]) -> None:
    """Refuse a target that holds rows of its own.

    Raises:
        CopyRefusedError: naming parts, months and numbers of rows.
    """
    found = [
        (report, piece) for report in reports for piece in report.outcome.pieces if piece.foreign
    ]
    if found:
        listed = "; ".join(
            f"{named(report.name, piece.piece)}: {piece.foreign} rows"
            for report, piece in found[:_SHOWN]
        )
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise CopyRefusedError(
            f"the target holds rows that the source does not, or holds otherwise: {listed}{more}. "
            "Nothing was written. If the target's rows may go, repeat with --overwrite, and "
            "--datasets for these alone"
        )


def demand_equality(reports: Sequence[Report]) -> None:
    """Refuse reports that found a difference.

    Raises:
        CopyMismatchError: naming every part and month that differs.
    """
    found = [
        f"{named(report.name, piece.piece)} ({piece.source_rows} rows in the source, "
        f"{piece.target_rows} in the target)"
        for report in reports
        for piece in report.outcome.pieces
        if not piece.equal
    ]
    if found:
        raise CopyMismatchError(f"source and target differ: {'; '.join(found)}")


def named(part: str, piece: str) -> str:
    """A piece of a part, for people."""
    return f"{part} {piece}".rstrip()


def _timed(part: Part, work: Callable[[Part], Outcome]) -> Report:
    started = time.perf_counter()
    return Report(part.name, work(part), time.perf_counter() - started)


def _joined(before: Report | None, now: Report) -> Report:
    """The newest state of a part, with the work of all rounds."""
    if before is None:
        return now
    outcome = Outcome(
        now.outcome.pieces,
        now.outcome.slices,
        before.outcome.slices_copied + now.outcome.slices_copied,
        before.outcome.rows_copied + now.outcome.rows_copied,
    )
    return Report(now.name, outcome, before.seconds + now.seconds, before.again + 1)
