"""The grade of a part and the reasons for it, the same for every part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a part does, best first."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Reason:
    """One thing that keeps a part from being ok, in a sentence that names the cure.

    Attributes:
        grade: how bad it is alone.
        text: the sentence.
        code: names what was found, for pages.py; empty where no page is about it alone.
        subject: what it was found at: a dimension, a feed; empty where the part has but one.
        value: what was measured; None where nothing was.
        limit: what it broke; None where there is none.
    """

    grade: Grade
    text: str
    code: str = ""
    subject: str = ""
    value: float | None = None
    limit: float | None = None


def worst(reasons: Iterable[Reason]) -> Grade:
    """The worst grade of some reasons; ok where there are none."""
    return worst_of(r.grade for r in reasons)


def worst_of(grades: Iterable[Grade]) -> Grade:
    """The worst of some grades; ok where there are none."""
    order = list(Grade)
    return max(grades, key=order.index, default=Grade.OK)
