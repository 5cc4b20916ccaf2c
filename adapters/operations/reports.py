"""Reports: what the platform said of itself, kept for whoever asks later and from elsewhere.

What belongs here: keeping reports and finding the newest. What does not: making them
(market_data/operations), showing them (emp/commands).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.models import reports
from adapters.operations.outbox import SqlOutbox
from market_data.ports.events import Event
from market_data.ports.reports import Report

KEPT = 200
"""How many of the newest reports of one name stay."""


class SqlReports:
    """The `Reports` port in the operations database.

    Args:
        engine: from `open_database`.
        outbox: where the events about reports go; None where nobody listens.
    """

    def __init__(self, engine: Engine, outbox: SqlOutbox | None = None) -> None:
        self._engine = engine
        self._outbox = outbox

    def keep(self, report: Report, *, events: Sequence[Event] = ()) -> None:
        """Keep a report and its events in one transaction; the oldest of its name make room."""
        row = {
            "name": report.name,
            "at": report.at,
            "status": report.status,
            "body": json.dumps(report.body, default=str),
        }
        with writing(self._engine) as connection:
            connection.execute(sa.insert(reports).values(row))
            self._make_room(connection, report.name)
            if self._outbox is not None:
                self._outbox.add(connection, events)

    def newest(self, name: str, limit: int = 1) -> list[Report]:
        """The newest reports of a name, newest first."""
        table = reports.c
        query = (
            sa.select(table.name, table.at, table.status, table.body)
            .where(table.name == name)
            .order_by(table.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [
                Report(found, at, status, _body(text))
                for found, at, status, text in connection.execute(query)
            ]

    @staticmethod
    def _make_room(connection: Connection, name: str) -> None:
        table = reports.c
        kept = sa.select(table.id).where(table.name == name).order_by(table.id.desc()).limit(KEPT)
        oldest = sa.select(sa.func.min(kept.subquery().c.id)).scalar_subquery()
        connection.execute(sa.delete(reports).where(table.name == name, table.id < oldest))


def _body(text: str) -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(text)
    return content
