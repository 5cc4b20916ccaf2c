"""Annotations: what a person decided about bad sessions.

What belongs here: keeping and listing decisions. What does not: what a decision is
(market_data/ports/annotations.py), acting on it (market_data/pipeline).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.operations.database import reading, writing
from adapters.operations.models import annotated_sessions
from market_data.ports import Annotation, Decision


class SqlAnnotations:
    """Annotations in the operations database; none is ever changed or removed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, annotation: Annotation) -> int:
        """Keep a decision and return its number; a number it already has is ignored."""
        row = asdict(annotation)
        del row["id"]
        row["decision"] = str(annotation.decision)
        row["codes"] = ",".join(annotation.codes)
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
            return [_annotation(dict(row)) for row in connection.execute(query).mappings()]


def _annotation(row: Mapping[str, Any]) -> Annotation:
    codes = tuple(row["codes"].split(",")) if row["codes"] else ()
    told = {"decision": Decision(row["decision"]), "codes": codes}
    return Annotation(**{**row, **told, "imputation": row["imputation"] or ""})
