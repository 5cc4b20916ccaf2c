"""The journal: every attempt to fetch.

What belongs here: adding and listing attempts. What does not: what came per session (ledger.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from adapters.operations.database import reading, writing
from adapters.operations.failover import in_force
from adapters.operations.frames import among, upsert_into
from adapters.operations.models import ingest_journal
from market_data.ports.operations import IngestRun
from market_data.timeframes import Timeframe


class SqlJournal:
    """A `Journal` in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, run: IngestRun) -> None:
        """Add one attempt; the same fetch_id again replaces it.

        It is marked with the decision by which the warehouse is away, where one is in force.

        Raises:
            sqlalchemy.exc.StatementError: a time without a zone.
        """
        row = _to_row(run)
        # One after another, so that numbers become visible in their order.
        with writing(self._engine, alone="ingest_journal") as connection:
            newest = connection.execute(sa.select(sa.func.max(ingest_journal.c.number))).scalar()
            row["number"] = (newest or 0) + 1
            row["failover"] = in_force(connection)
            insert = upsert_into(ingest_journal, connection).values(row)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[ingest_journal.c.fetch_id],
                    set_={name: insert.excluded[name] for name in row if name != "fetch_id"},
                )
            )

    def runs(
        self,
        *,
        vendor: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> list[IngestRun]:
        """Attempts, newest start first.

        Args:
            vendor: only of this one; None for all.
            since: only those that were begun then or later; None for all.
            limit: at most so many; None for all.
        """
        table = ingest_journal.c
        query = sa.select(ingest_journal)
        if vendor is not None:
            query = query.where(table.vendor == vendor)
        if since is not None:
            query = query.where(table.started_at >= since)
        query = query.order_by(table.started_at.desc(), table.fetch_id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(query).mappings()]

    def news(self, after: int, vendors: Sequence[str]) -> tuple[set[str], int]:
        """Symbols of answers with rows above a number, and the newest number; see the port."""
        table = ingest_journal.c
        query = (
            sa.select(table.number, table.rows, table.symbols)
            .where(table.number > after)
            .where(table.vendor.in_(list(vendors)))
        )
        symbols: set[str] = set()
        newest = after
        with reading(self._engine) as connection:
            for number, rows, named in connection.execute(query):
                newest = max(newest, number)
                if rows:
                    symbols.update(named)
        return symbols, newest

    def of(self, fetch_ids: Sequence[str]) -> list[IngestRun]:
        """The attempts of these names, in the order of their names."""
        with reading(self._engine) as connection:
            query = (
                sa.select(ingest_journal)
                .where(among(ingest_journal.c.fetch_id, fetch_ids, connection))
                .order_by(ingest_journal.c.fetch_id)
            )
            return [_from_row(row) for row in connection.execute(query).mappings()]


def _to_row(run: IngestRun) -> dict[str, Any]:
    row = asdict(run)
    first, last = row.pop("sessions")
    return {
        **row,
        "timeframe": str(run.timeframe),
        "symbols": list(run.symbols),
        "payloads": list(run.payloads),
        "payload_symbols": list(run.payload_symbols),
        "unasked": list(run.unasked),
        "first_session": first,
        "last_session": last,
    }


def _from_row(row: sa.RowMapping) -> IngestRun:
    fields = dict(row)
    del fields["number"]
    sessions = (fields.pop("first_session"), fields.pop("last_session"))
    fields["timeframe"] = Timeframe(fields["timeframe"])
    fields["symbols"] = tuple(fields["symbols"])
    fields["payloads"] = tuple(fields["payloads"])
    fields["payload_symbols"] = tuple(fields["payload_symbols"] or ())
    fields["unasked"] = tuple(fields["unasked"] or ())
    fields["trouble"] = fields["trouble"] or ""
    return IngestRun(**fields, sessions=sessions)
