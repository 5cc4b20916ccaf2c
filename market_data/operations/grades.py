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
    """One thing that keeps a part from being ok, in a sentence that names the cure."""

    grade: Grade
    text: str


def worst(reasons: Iterable[Reason]) -> Grade:
    """The worst grade of some reasons; ok where there are none."""
    order = list(Grade)
    return max((r.grade for r in reasons), key=order.index, default=Grade.OK)
