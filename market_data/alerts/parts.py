"""What of a failure was mended so far: sessions and symbols, success by success.

What belongs here: the arithmetic of parts. What does not: which success speaks for which part
(sources.py), what follows from it (machine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

_DAY = timedelta(days=1)
_SETTLED = timedelta(minutes=10)
"""Ends of runs are read in their order but for minutes: older parts that meet become one."""


@dataclass(frozen=True)
class Part:
    """Some sessions of some symbols of a failure.

    Attributes:
        first: session.
        last: session, included.
        symbols: sorted; none: all that the failure is about.
        at: when it was looked at, aware.
    """

    first: date
    last: date
    symbols: tuple[str, ...]
    at: datetime

    def holds(self, other: Part) -> bool:
        """Whether the other one lies within."""
        inside = self.first <= other.first and other.last <= self.last
        return inside and (not self.symbols or _within(other.symbols, self.symbols))


def joined(parts: Sequence[Part], new: Part) -> tuple[Part, ...]:
    """The parts with one more; few, however many successes there were."""
    kept = [part for part in parts if not (new.holds(part) and part.at <= new.at)]
    newest = max(part.at for part in (*kept, new))
    merged: list[Part] = []
    for part in sorted((*kept, new), key=lambda p: (p.symbols, p.first, p.last, p.at)):
        before = merged[-1] if merged else None
        if (
            before is not None
            and before.symbols == part.symbols
            and part.first <= before.last + _DAY
            and max(before.at, part.at) <= newest - _SETTLED
        ):
            merged[-1] = replace(
                before, last=max(before.last, part.last), at=max(before.at, part.at)
            )
        else:
            merged.append(part)
    return tuple(merged)


def without(parts: Iterable[Part], failed: Part, everything: Sequence[str]) -> tuple[Part, ...]:
    """What is left of parts after a later failure of some of it.

    Args:
        parts: what was mended.
        failed: what failed again; a part that was looked at later stays whole.
        everything: the symbols that a part without any is about, as far as they are known.
    """
    return tuple(piece for part in parts for piece in _left(part, failed, everything))


def _left(part: Part, failed: Part, everything: Sequence[str]) -> Iterator[Part]:
    apart = failed.last < part.first or part.last < failed.first
    if part.at > failed.at or apart:
        yield part
        return
    if part.first < failed.first:
        yield replace(part, last=failed.first - _DAY)
    if failed.last < part.last:
        yield replace(part, first=failed.last + _DAY)
    names = part.symbols or tuple(everything)
    others = tuple(s for s in names if s not in failed.symbols) if failed.symbols else ()
    if others:
        both = max(part.first, failed.first), min(part.last, failed.last)
        yield replace(part, first=both[0], last=both[1], symbols=others)


def complete(parts: Sequence[Part], whole: tuple[date, date], symbols: Sequence[str]) -> bool:
    """Whether parts together hold all sessions of a failure.

    Args:
        parts: what was mended.
        whole: first and last session.
        symbols: those that the failure is about; none where they are not known: then only parts
            of all symbols count.
    """
    return all(
        _spans([p for p in parts if not p.symbols or name in p.symbols], whole)
        for name in (symbols or ("",))
    )


def _spans(parts: Sequence[Part], whole: tuple[date, date]) -> bool:
    reached = whole[0]
    for part in sorted(parts, key=lambda p: p.first):
        if part.first > reached:
            return False
        reached = max(reached, part.last + _DAY)
    return reached > whole[1]


def _within(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return bool(some) and set(some) <= set(others)
