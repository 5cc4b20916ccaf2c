"""Port of annotations: what people decided about bad sessions.

What belongs here: a decision, and where decisions are kept. What does not: what follows from them
(market_data/quality/annotations.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class Decision(StrEnum):
    """What is to be done with the sessions."""

    ACCEPT = "accept"
    UNUSABLE = "unusable"
    PREFER_VENDOR = "prefer_vendor"
    IMPUTE = "impute"
    TAKE_BACK = "take_back"


@dataclass(frozen=True)
class Annotation:
    """One decision.

    Attributes:
        created_at: when, aware; nobody knew of it before.
        author: who decided.
        dataset: about which dataset, for instance curated/bars_1d.
        symbol: about which instrument.
        first_session: first session concerned.
        last_session: last one, included.
        decision: what is to be done.
        reason: why, in a sentence.
        vendor: whose bars to prefer; only with `prefer_vendor`.
        codes: of the findings that are accepted; none stands for all. Only with `accept`.
        imputation: how missing bars are made up, see market_data/curation/imputation.py; only with
            `impute`.
        takes_back: number of the decision that no longer stands; only with `take_back`.
        id: its number, given when it is added.
    """

    created_at: datetime
    author: str
    dataset: str
    symbol: str
    first_session: date
    last_session: date
    decision: Decision
    reason: str
    vendor: str = ""
    codes: tuple[str, ...] = ()
    imputation: str = ""
    takes_back: int | None = None
    id: int | None = None

    def __post_init__(self) -> None:
        if self.last_session < self.first_session:
            raise ValueError(f"{self.last_session} lies before {self.first_session}")
        if (self.decision is Decision.PREFER_VENDOR) != bool(self.vendor):
            raise ValueError("a vendor is named with prefer_vendor, and only with it")
        if self.codes and self.decision is not Decision.ACCEPT:
            raise ValueError("codes are named with accept only")
        if (self.decision is Decision.IMPUTE) != bool(self.imputation):
            raise ValueError("an imputation is given with impute, and only with it")
        if (self.decision is Decision.TAKE_BACK) != (self.takes_back is not None):
            raise ValueError("a decision is named with take_back, and only with it")


class Annotations(Protocol):
    """Every decision; none is ever changed or removed."""

    def add(self, annotation: Annotation) -> int:
        """Keep a decision and return its number; a number it already has is ignored."""
        ...

    def read(
        self,
        *,
        dataset: str | None = None,
        symbol: str | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> list[Annotation]:
        """Decisions in the order in which they were made, those that were taken back included.

        Args:
            dataset: only about this one; None for all, as everywhere here.
            symbol: only about this one.
            sessions: only those that concern a session from the first to the last of these.
        """
        ...
