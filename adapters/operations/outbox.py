"""The outbox: events that wait in the database until the broker has them.

What belongs here: keeping events, handing them out in their order, remembering which were sent.
What does not: sending them (adapters/kafka/relay.py), who may send (leases.py).

An event that is added in the transaction of the rows that it tells of is there exactly when they
are. An event is sent at least once: a sender that dies after sending and before `mark_sent` leaves
it to be sent again, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from adapters.operations.leases import Lease
from adapters.operations.models import outbox
from market_data.operations.evidence import DELIVERIES
from market_data.ports.event_results import Dimension
from market_data.ports.events import Event


@dataclass(frozen=True)
class Pending:
    """One event that waits.

    Attributes:
        sequence: its place in the order of all events.
        event_id: names the event once.
        dimension: what it is about.
        key: events of one key keep their order.
        body: its JSON form.
    """

    sequence: int
    event_id: str
    dimension: Dimension
    key: str
    body: str


@dataclass(frozen=True)
class Backlog:
    """How many events wait, since when the oldest does, and when one was sent last (UTC)."""

    waiting: int
    oldest: datetime | None
    last_sent: datetime | None


class SqlOutbox:
    """An `EventPublisher` that keeps events in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def publish(self, events: Sequence[Event]) -> None:
        """Keep events for delivery; one whose id is known is there already."""
        if events:
            with writing(self._engine) as connection:
                self.add(connection, events)

    @staticmethod
    def add(connection: Connection, events: Sequence[Event]) -> None:
        """Keep events for delivery, in a transaction that is open."""
        if not events:
            return
        rows: list[dict[str, Any]] = [
            {
                "event_id": event.event_id,
                "dimension": str(event.dimension),
                "key": event.key,
                "body": event.to_json(),
                "emitted_at": event.emitted_at,
            }
            for event in events
        ]
        insert = upsert_into(outbox, connection)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["event_id"]), rows)

    def pending(self, limit: int) -> list[Pending]:
        """The oldest events that were not sent, in their order, at most `limit`.

        A transaction that commits late may bring one with an earlier place; it is handed out then.
        """
        table = outbox.c
        query = (
            sa.select(table.id, table.event_id, table.dimension, table.key, table.body)
            .where(table.sent_at.is_(None))
            .order_by(table.id)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [
                Pending(number, event_id, Dimension(dimension), key, body)
                for number, event_id, dimension, key, body in connection.execute(query)
            ]

    def mark_sent(self, sequences: Sequence[int], *, at: datetime) -> None:
        """Remember that the broker has these events; what was marked before stays as it was."""
        statement = (
            sa.update(outbox)
            .where(outbox.c.id == sa.bindparam("sequence"), outbox.c.sent_at.is_(None))
            .values(sent_at=sa.bindparam("at", type_=outbox.c.sent_at.type))
        )
        if sequences:
            with writing(self._engine) as connection:
                connection.execute(statement, [{"sequence": n, "at": at} for n in sequences])

    def backlog(self) -> Backlog:
        """What waits now."""
        table = outbox.c
        waiting = sa.select(sa.func.count(), sa.func.min(table.emitted_at)).where(
            table.sent_at.is_(None)
        )
        with reading(self._engine) as connection:
            count, oldest = connection.execute(waiting).one()
            last_sent = connection.execute(sa.select(sa.func.max(table.sent_at))).scalar()
        return Backlog(count, oldest, last_sent)

    def emitted(self, *, since: datetime) -> dict[str, Dimension]:
        """Id and subject of every event since a time, sent or not."""
        table = outbox.c
        query = sa.select(table.event_id, table.dimension).where(table.emitted_at >= since)
        with reading(self._engine) as connection:
            return {found: Dimension(about) for found, about in connection.execute(query)}

    def deliveries(self, *, since: datetime) -> pl.DataFrame:
        """Rows of `market_data.operations.evidence.DELIVERIES`: what was sent since a time."""
        table = outbox.c
        query = sa.select(table.dimension, table.emitted_at, table.sent_at).where(
            table.sent_at >= since
        )
        with reading(self._engine) as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=DELIVERIES, orient="row")

    def lease(self, *, term: timedelta) -> Lease:
        """What a sender holds while it sends.

        Args:
            term: how long it may be silent before another takes over.
        """
        return Lease(self._engine, "outbox", term=term)

    def presence(self, *, term: timedelta) -> Lease:
        """What every sender prolongs with every look at the outbox: somebody sends what waits.

        Args:
            term: how long it may be silent before it counts as gone.
        """
        return Lease(self._engine, "outbox sender", term=term, holder="whoever sends")

    def resend(self, *, since: datetime) -> int:
        """Let events that were sent at or after a time be sent again, under their ids.

        For a broker that lost them. Returns how many will be.
        """
        again = sa.update(outbox).where(outbox.c.sent_at >= since).values(sent_at=None)
        with writing(self._engine) as connection:
            return connection.execute(again).rowcount

    def purge(self, *, before: datetime) -> int:
        """Remove events that were sent before a time; returns how many. None that waits goes."""
        old = sa.delete(outbox).where(outbox.c.sent_at < before)
        with writing(self._engine) as connection:
            return connection.execute(old).rowcount
