"""The outbox of alerts: messages that wait in the database until their route has taken them.

What belongs here: keeping messages per route, handing them out in their order, how routes fare.
What does not: sending (adapters/alerts/sender.py), what a message says (market_data/alerts).

A message is added in the transaction of the looks that it tells of. It is sent at least once: a
sender that dies after sending and before `mark_sent` leaves it to be sent again, under its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.alert_models import alert_outbox, alert_routes
from adapters.operations.alert_records import Kept, RouteHealth, Waiting
from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from adapters.operations.leases import Lease
from market_data.alerts import Message
from market_data.alerts.message import from_json


class SqlAlertOutbox:
    """Messages to routes, in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @staticmethod
    def add(connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        """Keep messages for delivery, in a transaction that is open; a known id is there."""
        if not messages:
            return
        rows: list[dict[str, Any]] = [
            {
                "message_id": message.id,
                "route": message.route,
                "state": str(message.state),
                "title": message.title,
                "body": message.to_json(),
                "created_at": now,
                "attempts": 0,
                "error": "",
            }
            for message in messages
        ]
        insert = upsert_into(alert_outbox, connection)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["message_id"]), rows)

    def first(self, route: str) -> Waiting | None:
        """The oldest message that waits for a route."""
        table = alert_outbox.c
        query = (
            sa.select(table.id, table.body, table.attempts)
            .where(table.route == route, *_waits())
            .order_by(table.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else Waiting(row[0], from_json(route, row[1]), row[2])

    def mark_sent(self, waiting: Waiting, *, at: datetime) -> None:
        """Remember that a route took a message, and that it takes messages again."""
        self._settle(waiting, {"sent_at": at, "error": ""})

    def mark_refused(self, waiting: Waiting, error: str, *, at: datetime) -> None:
        """Remember that a route will never take a message; the next goes on."""
        self._settle(waiting, {"refused_at": at, "error": error})

    def _settle(self, waiting: Waiting, values: dict[str, Any]) -> None:
        """A message that is done with; whoever says so, its route answers again."""
        table, message = alert_outbox.c, waiting.message
        if message.taken or message.reached:
            # Who sends it again later sends the whole of it.
            values["body"] = message.having(0).to_json()
        done = (
            sa.update(alert_outbox)
            .where(table.id == waiting.sequence)
            .values(**values, attempts=table.attempts + 1)
        )
        with writing(self._engine) as connection:
            connection.execute(done)
            connection.execute(sa.delete(alert_routes).where(alert_routes.c.route == message.route))

    def note_taken(self, waiting: Waiting, parts: int, reached: Sequence[str] = ()) -> None:
        """Remember how many parts of a message its route has, so that only the rest is sent.

        Args:
            waiting: the message.
            parts: how many.
            reached: recipients who have all of it.
        """
        body = waiting.message.having(parts, reached).to_json()
        kept = sa.update(alert_outbox).where(alert_outbox.c.id == waiting.sequence)
        with writing(self._engine) as connection:
            connection.execute(kept.values(body=body))

    def set_aside(self, waiting: Waiting, error: str, *, at: datetime, pause: timedelta) -> None:
        """Give a message up that a route never answered; it counts as refused, the next goes on.

        The route has taken nothing: since when it is down stays known.
        """
        message = waiting.message
        values: dict[str, Any] = {"refused_at": at, "body": message.having(0).to_json()}
        with writing(self._engine) as connection:
            _note_failure(connection, waiting, error, values)
            _note_down(connection, message.route, error, at, pause, failures=sa.literal(0))

    def mark_failed(self, waiting: Waiting, error: str, *, at: datetime, pause: timedelta) -> None:
        """Remember that an attempt failed, and when the next is made."""
        more = alert_routes.c.failures + 1
        with writing(self._engine) as connection:
            _note_failure(connection, waiting, error, {})
            _note_down(connection, waiting.message.route, error, at, pause, failures=more)

    def health(self, routes: Sequence[str]) -> list[RouteHealth]:
        """How routes fare, those that are named and those that messages wait for."""
        table, standing = alert_outbox.c, alert_routes.c
        waiting = (
            sa.select(table.route, sa.func.count(), sa.func.min(table.created_at))
            .where(*_waits())
            .group_by(table.route)
        )
        refused = (
            sa.select(table.route, sa.func.count())
            .where(table.refused_at.is_not(None))
            .group_by(table.route)
        )
        with reading(self._engine) as connection:
            waits = {r: (n, oldest) for r, n, oldest in connection.execute(waiting)}
            no = {row[0]: row[1] for row in connection.execute(refused)}
            stands = {
                row.route: row
                for row in connection.execute(
                    sa.select(
                        standing.route,
                        standing.failures,
                        standing.next_at,
                        standing.down_since,
                        standing.error,
                    )
                )
            }
        names = [*routes, *sorted({*waits, *no} - set(routes))]
        found = []
        for name in names:
            number, oldest = waits.get(name, (0, None))
            row = stands.get(name)
            found.append(
                RouteHealth(
                    name,
                    number,
                    oldest,
                    row.failures if row else 0,
                    row.next_at if row else None,
                    row.down_since if row else None,
                    no.get(name, 0),
                    row.error if row else "",
                )
            )
        return found

    def messages(self, *, undelivered: bool = False, limit: int = 100) -> list[Kept]:
        """Messages, newest first; only those that no route took, if asked."""
        table = alert_outbox.c
        columns = (
            table.message_id,
            table.route,
            table.state,
            table.title,
            table.created_at,
            table.attempts,
            table.sent_at,
            table.refused_at,
            table.error,
        )
        query = sa.select(*columns).order_by(table.id.desc()).limit(limit)
        if undelivered:
            query = query.where(table.sent_at.is_(None))
        with reading(self._engine) as connection:
            return [Kept(*row) for row in connection.execute(query)]

    def replay(
        self,
        *,
        since: datetime | None = None,
        route: str | None = None,
        refused: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Let messages be sent again, under their ids and in their order.

        Args:
            since: those that were made at or after it; None for all.
            route: only those to it.
            refused: only those that a route refused or never answered; else also those that were
                sent.
            dry_run: only count them.

        Returns:
            How many.
        """
        table = alert_outbox.c
        wanted: list[sa.ColumnElement[bool]] = [table.refused_at.is_not(None)]
        if not refused:
            wanted = [sa.or_(table.refused_at.is_not(None), table.sent_at.is_not(None))]
        if since is not None:
            wanted.append(table.created_at >= since)
        if route is not None:
            wanted.append(table.route == route)
        if dry_run:
            with reading(self._engine) as connection:
                count = sa.select(sa.func.count()).select_from(alert_outbox).where(*wanted)
                return int(connection.execute(count).scalar_one())
        fresh = {"sent_at": None, "refused_at": None, "attempts": 0}
        again = sa.update(alert_outbox).where(*wanted).values(fresh)
        with writing(self._engine) as connection:
            return connection.execute(again).rowcount

    def hurry(self, route: str | None = None) -> None:
        """Make the next attempt at once, without the pause that failures led to."""
        table = alert_routes.c
        soon = sa.update(alert_routes).values(next_at=sa.literal(0, sa.BigInteger()))
        if route is not None:
            soon = soon.where(table.route == route)
        with writing(self._engine) as connection:
            connection.execute(soon)

    def lease(self, route: str, *, term: timedelta) -> Lease:
        """What a sender holds while it sends to a route.

        Args:
            route: its name.
            term: how long it may be silent before another takes over.
        """
        return Lease(self._engine, f"alerts {route}", term=term)

    def purge(self, *, before: datetime) -> int:
        """Forget messages that were sent before a time; returns how many. None that waits goes."""
        old = sa.delete(alert_outbox).where(alert_outbox.c.sent_at < before)
        with writing(self._engine) as connection:
            return connection.execute(old).rowcount


def _waits() -> list[sa.ColumnElement[bool]]:
    return [alert_outbox.c.sent_at.is_(None), alert_outbox.c.refused_at.is_(None)]


def _note_failure(
    connection: Connection, waiting: Waiting, error: str, values: dict[str, Any]
) -> None:
    table = alert_outbox.c
    failed = sa.update(alert_outbox).where(table.id == waiting.sequence)
    connection.execute(failed.values(**values, attempts=table.attempts + 1, error=error))


def _note_down(
    connection: Connection,
    route: str,
    error: str,
    at: datetime,
    pause: timedelta,
    *,
    failures: sa.ColumnElement[int],
) -> None:
    """How a route stands after an attempt; `failures` where it is known to be down already."""
    row = {
        "route": route,
        "failures": 1,
        "next_at": at + pause,
        "down_since": at,
        "error": error,
    }
    insert = upsert_into(alert_routes, connection).values(row)
    new = {
        "failures": failures,
        "next_at": insert.excluded.next_at,
        "error": insert.excluded.error,
    }
    connection.execute(insert.on_conflict_do_update(index_elements=["route"], set_=new))
