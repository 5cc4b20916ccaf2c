"""Annotations: what a person decided about bad sessions.

What belongs here: keeping and listing decisions. What does not: acting on them (the pipeline).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.operations.database import reading, writing
from adapters.operations.models import annotated_sessions


class Decision(StrEnum):
    """What is to be done with the sessions."""

    ACCEPT = "accept"
    UNUSABLE = "unusable"
    PREFER_VENDOR = "prefer_vendor"
    IMPUTE = "impute"


@dataclass(frozen=True)
class Annotation:
    """One decision.

    Attributes:
        created_at: when, aware.
        author: who decided.
        dataset: about which dataset, for instance curated/bars_1d.
        symbol: about which instrument.
        first_session: first session concerned.
        last_session: last one, included.
        decision: what is to be done.
        reason: why, in a sentence.
        vendor: whose bars to prefer; only with `prefer_vendor`.
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
    id: int | None = None

    def __post_init__(self) -> None:
        if self.last_session < self.first_session:
            raise ValueError(f"{self.last_session} lies before {self.first_session}")
        if (self.decision is Decision.PREFER_VENDOR) != bool(self.vendor):
            raise ValueError("a vendor is named with prefer_vendor, and only with it")


class SqlAnnotations:
    """Annotations in the operations database; none is ever changed or removed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, annotation: Annotation) -> int:
        """Keep a decision and return its number; a number it already has is ignored."""
        row = asdict(annotation)
        del row["id"]
        row["decision"] = str(annotation.decision)
        with writing(self._engine) as connection:
            added = connection.execute(
                sa.insert(annotated_sessions).values(row).returning(annotated_sessions.c.id)
            )
            return int(added.scalar_one())

    def read(
        self,
        *,
        dataset: str | None = None,
        symbol: str | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> list[Annotation]:
        """Decisions in the order in which they were made.

        Args:
            dataset: only about this one; None for all, as everywhere here.
            symbol: only about this one.
            sessions: only those that concern a session from the first to the last of these.
        """
        table = annotated_sessions.c
        query = sa.select(annotated_sessions).order_by(table.id)
        if dataset is not None:
            query = query.where(table.dataset == dataset)
        if symbol is not None:
            query = query.where(table.symbol == symbol)
        if sessions is not None:
            first, last = sessions
            query = query.where(table.first_session <= last, table.last_session >= first)
        with reading(self._engine) as connection:
            return [
                Annotation(**{**row, "decision": Decision(row["decision"])})
                for row in connection.execute(query).mappings()
            ]
