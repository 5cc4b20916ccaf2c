"""What of a failure was mended so far: sessions and symbols, look by look.

What belongs here: the arithmetic of parts. What does not: which success speaks for which part
(sources.py), what follows from it (machine.py).

Of each session and symbol the newest look at it counts, in whatever order the looks are read; of a
good and a bad one at the same moment the bad one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

_DAY = timedelta(days=1)
_SETTLED = timedelta(minutes=10)
"""Ends of runs are read in their order but for minutes: older parts that meet become one."""
_REMEMBERED = 100
"""So many of the newest bad looks at parts are remembered, for good ones that are read late."""


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


@dataclass(frozen=True)
class Parts:
    """What looks at parts of one thing have come to.

    Attributes:
        right: as far as it is known to be right.
        wrong: what was seen wrong; what is right was taken out of it, and a look that is read late
            must not bring back what was wrong after it.
    """

    right: tuple[Part, ...] = ()
    wrong: tuple[Part, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.right or self.wrong)

    @property
    def newest(self) -> datetime | None:
        """When the newest of these looks was."""
        return max((part.at for part in (*self.right, *self.wrong)), default=None)

    def with_right(self, part: Part, everything: Sequence[str]) -> Parts:
        """With one more part that is right, but for what was wrong after that.

        Args:
            part: the look.
            everything: the symbols that a part without any is about, as far as they are known.
        """
        pieces: tuple[Part, ...] = (part,)
        for failed in self.wrong:
            pieces = without(pieces, failed, everything)
        right = self.right
        for piece in pieces:
            right = joined(right, piece)
        return Parts(right, self.wrong)

    def with_wrong(self, part: Part, everything: Sequence[str], whole: tuple[date, date]) -> Parts:
        """With one more part that is wrong, but for what was right after that.

        Args:
            part: the look.
            everything: as of `with_right`.
            whole: first and last session of the thing: a look at all of it is never forgotten.
        """
        right = without(self.right, part, everything)
        kept = [old for old in self.wrong if not (part.holds(old) and old.at <= part.at)]
        if any(old.holds(part) and old.at >= part.at for old in kept):
            return Parts(right, tuple(kept))
        newest = sorted((*kept, part), key=lambda p: p.at)[-_REMEMBERED:]
        all_of_it = Part(*whole, (), part.at)
        always = [old for old in kept if old.holds(all_of_it) and old not in newest]
        return Parts(right, (*always, *newest))


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
