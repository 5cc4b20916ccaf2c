"""Messages that ask for a refresh: how far they were taken, what followed, which were parked.

What belongs here: taking a batch in one transaction with its backfills and its parked messages,
and what people decide about the latter. What does not: reading topics (adapters/kafka/refresh.py),
what a message says (market_data/refresh_messages.py).

The place up to which a partition was taken lies beside what was made of its messages, and changes
with it or not at all: a reader that dies, or a second one, loses and doubles nothing. The offset
that Kafka keeps follows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.backfills import add_backfill
from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from adapters.operations.message_models import parked_messages, refresh_offsets
from market_data.backfill.plans import BackfillPlan
from market_data.backfill.records import BackfillState
from market_data.errors import ConfigurationError

LONGEST = 20_000
"""Characters of a parked message that are kept."""


@dataclass(frozen=True)
class Parked:
    """A message that says nothing that can be done.

    Attributes:
        partition: of its topic.
        place: its offset.
        body: its text, without what lies beyond `LONGEST`.
        reason: why it was parked.
    """

    partition: int
    place: int
    body: str
    reason: str


@dataclass(frozen=True)
class ParkedRecord:
    """A parked message, and what was decided.

    Attributes:
        id: its number.
        topic: where it was.
        message: what it is.
        parked_at: when.
        decided_at: when somebody decided about it; None where it waits.
        decision: in words.
    """

    id: int
    topic: str
    message: Parked
    parked_at: datetime
    decided_at: datetime | None
    decision: str | None


@dataclass(frozen=True)
class Taken:
    """What is made of a batch of messages.

    Attributes:
        topic: whose.
        log: under which name the places are kept, see `SqlRefreshMessages.places`; empty: the
            topic's.
        was: by partition, where reading began as it was known; None where nothing was.
        becomes: by partition, where reading goes on.
        plans: backfills that follow.
        parked: messages that say nothing that can be done.
        complete: plans without pieces, of messages that ask for nothing that lacks: each is kept
            as a backfill that is over, the same once a day.
    """

    topic: str
    was: Mapping[int, int | None]
    becomes: Mapping[int, int]
    plans: Sequence[BackfillPlan] = ()
    parked: Sequence[Parked] = ()
    log: str = ""
    complete: Sequence[BackfillPlan] = ()


class _TakenByAnotherError(Exception):
    """Another reader took messages of the batch."""


class SqlRefreshMessages:
    """How far messages were taken, in the operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def places(self, log: str) -> dict[int, int]:
        """By partition, where reading of a log goes on; those that were never read are absent.

        Args:
            log: name of the topic, and behind a space the id by which the brokers know it from
                one of the same name that was there before. What was kept under the name alone, by
                a program that knew no ids, is of the first log that is asked for.
        """
        table = refresh_offsets.c
        with reading(self._engine) as connection:
            found = _places(connection, log)
        topic, _, known = log.partition(" ")
        if found or not known:
            return found
        with writing(self._engine, alone="refresh_offsets") as connection:
            own = sa.update(refresh_offsets).where(table.topic == topic)
            connection.execute(own.values(topic=log))
            return _places(connection, log)

    def take(self, taken: Taken, *, at: datetime, author: str) -> list[str] | None:
        """Keep what is made of a batch, and how far it reached, or nothing of it.

        Returns:
            The ids of the backfills that are to be done; None where another reader took messages
            of it meanwhile.
        """
        rows = [
            {
                "topic": taken.topic,
                "partition": message.partition,
                "place": message.place,
                "body": message.body[:LONGEST],
                "reason": message.reason,
                "parked_at": at,
            }
            for message in taken.parked
        ]
        try:
            with writing(self._engine, alone="refresh_offsets") as connection:
                for partition, place in sorted(taken.becomes.items()):
                    _move(connection, taken, partition, place, at)
                if rows:
                    connection.execute(sa.insert(parked_messages), rows)
                for plan in taken.complete:
                    key, over = _once_a_day(plan, at), BackfillState.SUCCEEDED
                    add_backfill(connection, plan, at=at, author=author, key=key, state=over)
                return [add_backfill(connection, p, at=at, author=author) for p in taken.plans]
        except _TakenByAnotherError:
            return None

    def parked(self, *, decided: bool = False, limit: int = 1_000) -> list[ParkedRecord]:
        """Parked messages, newest first.

        Args:
            decided: also those that somebody has decided about.
            limit: at most so many.
        """
        query = sa.select(parked_messages).order_by(parked_messages.c.id.desc()).limit(limit)
        if not decided:
            query = query.where(parked_messages.c.decided_at.is_(None))
        with reading(self._engine) as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def waiting(self) -> tuple[int, str]:
        """How many parked messages wait for a decision, and why the newest was parked."""
        table = parked_messages.c
        open_ = table.decided_at.is_(None)
        newest = sa.select(table.reason).where(open_).order_by(table.id.desc()).limit(1)
        with reading(self._engine) as connection:
            count = connection.execute(sa.select(sa.func.count()).where(open_)).scalar_one()
            reason = connection.execute(newest).scalar() if count else None
        return int(count), reason or ""

    def get(self, number: int) -> ParkedRecord:
        """The parked message of a number.

        Raises:
            ConfigurationError: there is none, or somebody has decided about it.
        """
        query = sa.select(parked_messages).where(parked_messages.c.id == number)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise ConfigurationError(
                f"there is no parked message {number}; 'emp messages parked' lists them"
            )
        found = _record(row)
        if found.decided_at is not None:
            raise ConfigurationError(
                f"about message {number} was decided at {found.decided_at:%Y-%m-%d %H:%M} UTC: "
                f"{found.decision}"
            )
        return found

    def decide(self, number: int, decision: str, at: datetime) -> bool:
        """Keep what was decided about a parked message; whether nobody had before."""
        table = parked_messages.c
        with writing(self._engine) as connection:
            done = connection.execute(
                sa.update(parked_messages)
                .where(table.id == number, table.decided_at.is_(None))
                .values(decided_at=at, decision=decision)
            )
        return bool(done.rowcount)


def _once_a_day(plan: BackfillPlan, at: datetime) -> str:
    asked = hashlib.sha256(repr(plan.request).encode()).hexdigest()
    return f"complete|{at:%Y-%m-%d}|{asked}"


def _places(connection: Connection, log: str) -> dict[int, int]:
    table = refresh_offsets.c
    query = sa.select(table.partition, table.next).where(table.topic == log)
    return {row.partition: row.next for row in connection.execute(query)}


def _move(connection: Connection, taken: Taken, partition: int, place: int, at: datetime) -> None:
    table, was, log = refresh_offsets.c, taken.was.get(partition), taken.log or taken.topic
    values = {"next": place, "changed_at": at}
    statement: Any
    if was is None:
        row = {"topic": log, "partition": partition, **values}
        insert = upsert_into(refresh_offsets, connection).values(row)
        statement = insert.on_conflict_do_nothing(index_elements=["topic", "partition"])
    else:
        own = table.topic == log, table.partition == partition, table.next == was
        statement = sa.update(refresh_offsets).where(*own).values(values)
    # Of an insert that met its like, not every driver tells how many rows it made.
    if connection.execute(statement.returning(table.partition)).first() is None:
        raise _TakenByAnotherError


def _record(row: Any) -> ParkedRecord:
    message = Parked(row["partition"], row["place"], row["body"], row["reason"])
    return ParkedRecord(
        row["id"], row["topic"], message, row["parked_at"], row["decided_at"], row["decision"]
    )
