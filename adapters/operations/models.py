"""The tables of the operations database, the same for SQLite and PostgreSQL.

What belongs here: tables, columns, indexes and the column types. A change here needs a new file
in migrations/versions; a test compares the two.
What does not: statements (one file per port), frames (frames.py).

These are tables of SQLAlchemy's core rather than mapped classes: rows travel in bulk between the
driver and Polars, and loading the mapper would cost every process 65 ms.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

NUL, REPLACEMENT = "\x00", "\ufffd"
_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A point in time, kept as whole microseconds since 1970-01-01 UTC.

    One representation in both engines: no zone to lose, exact to the microsecond, sorted as a
    number, and the same integer that Polars holds. To read it in SQL: `to_timestamp(x / 1e6)` in
    PostgreSQL, `datetime(x / 1e6, 'unixepoch')` in SQLite.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002
        """Microseconds of an aware datetime.

        Raises:
            ValueError: the datetime has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """The aware datetime, UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def storable(text: str) -> str:
    """A text as both engines keep it: what they do not becomes U+FFFD.

    PostgreSQL keeps no character 0, and neither keeps half of a surrogate pair, which JSON and
    names of files may hold and UTF-8 has no bytes for.
    """
    return _UNKEPT.sub(REPLACEMENT, text)


class _Storable(TypeDecorator[str]):
    """A text as `storable` makes it."""

    impl = sa.String

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        """The text as it is kept."""
        return None if value is None else storable(value)


class LongText(_Storable):
    """Words for people, or JSON."""

    impl = sa.Text
    cache_ok = True


class ShortText(_Storable):
    """A name or a key.

    Byte order in PostgreSQL too: rows come back in the order in which Polars would sort them.
    """

    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """VARCHAR, with its order in PostgreSQL."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(sa.String(collation=collation))


def _number() -> sa.types.TypeEngine[int]:
    # SQLite numbers rows by itself only in a column declared INTEGER.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _required(name: str, type_: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False, **options)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

ingest_journal = sa.Table(
    "ingest_journal",
    metadata,
    _required("fetch_id", ShortText(), primary_key=True),
    _required("run_id", ShortText()),
    _required("vendor", ShortText()),
    _required("timeframe", ShortText()),
    _required("symbols", sa.JSON()),
    _required("first_session", sa.Date()),
    _required("last_session", sa.Date()),
    _required("status", ShortText()),
    _required("rows", sa.BigInteger()),
    _required("new_rows", sa.BigInteger()),
    _required("rejected_rows", sa.BigInteger()),
    _required("started_at", Instant()),
    _required("ended_at", Instant()),
    _required("payloads", sa.JSON()),
    _required("error", LongText()),
    sa.Column("trouble", ShortText()),
    sa.Column("payload_symbols", sa.JSON()),
    sa.Column("number", sa.BigInteger()),
    sa.Column("newest_bar", Instant()),
    sa.Column("unasked", sa.JSON()),
    sa.Column("failover", sa.BigInteger()),
    sa.Index(None, "started_at"),
    sa.Index(None, "vendor", "started_at"),
    sa.Index(None, "number"),
)

ledger = sa.Table(
    "ledger",
    metadata,
    # In this order: most questions name a timeframe and symbols, and seldom a vendor alone.
    _required("timeframe", ShortText(), primary_key=True),
    _required("symbol", ShortText(), primary_key=True),
    _required("session", sa.Date(), primary_key=True),
    _required("vendor", ShortText(), primary_key=True),
    _required("outcome", ShortText()),
    _required("rows", sa.BigInteger()),
    _required("final", sa.Boolean()),
    _required("detail", LongText()),
    _required("asked_at", Instant()),
    _required("fetch_id", ShortText()),
    sa.Index(None, "timeframe", "session"),
    sqlite_with_rowid=False,
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    _required("row_id", ShortText(), primary_key=True),
    _required("vendor", ShortText()),
    _required("timeframe", ShortText()),
    _required("symbol", ShortText()),
    sa.Column("ts", Instant()),
    sa.Column("session", sa.Date()),
    _required("stage", ShortText()),
    _required("reasons", ShortText()),
    _required("row", LongText()),
    _required("fetch_id", ShortText()),
    _required("seen_at", Instant()),
    _required("status", ShortText(), server_default="open"),
    sa.Column("decided_at", Instant()),
    sa.Column("decided_by", ShortText()),
    sa.Column("decision", LongText()),
    sa.Index(None, "timeframe", "session"),
    sa.Index(None, "symbol", "session"),
)
"""`status` is open, resolved (no longer refused), replayed (resolved since a person had it tried
again) or dropped (a person wants no more of it). The last two say who decided, when and why."""

corporate_actions = sa.Table(
    "corporate_actions",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("symbol", ShortText()),
    _required("ex_date", sa.Date()),
    _required("kind", ShortText()),
    _required("value", sa.Double()),
    _required("source", ShortText()),
    _required("known_at", Instant()),
    sa.Column("stated_at", Instant()),
    sa.Column("withdrawn_by", ShortText()),
    sa.Index(None, "symbol", "ex_date", "kind"),
)
"""Every revision; `id` is the order in which they were recorded. `stated_at` is when the source
last stated anything about the symbol, null where nobody wrote it down. `withdrawn_by` is the
backfill that brought the row and was rolled back: no read tells it; null for all others."""

annotated_sessions = sa.Table(
    "annotations",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("created_at", Instant()),
    _required("author", ShortText()),
    _required("dataset", ShortText()),
    _required("symbol", ShortText()),
    _required("first_session", sa.Date()),
    _required("last_session", sa.Date()),
    _required("decision", ShortText()),
    _required("vendor", ShortText()),
    _required("reason", LongText()),
    sa.Column("codes", ShortText()),
    sa.Column("imputation", ShortText()),
    sa.Column("takes_back", sa.BigInteger()),
    sa.Index(None, "dataset", "symbol"),
)

_unsent = sa.text("sent_at IS NULL")

outbox = sa.Table(
    "outbox",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("event_id", ShortText()),
    _required("dimension", ShortText()),
    _required("key", ShortText()),
    _required("body", LongText()),
    _required("emitted_at", Instant()),
    sa.Column("sent_at", Instant()),
    sa.UniqueConstraint("event_id"),
    sa.Index("ix_outbox_unsent", "id", sqlite_where=_unsent, postgresql_where=_unsent),
    sa.Index(None, "sent_at"),
)
"""Events for delivery, in the order of `id`; `sent_at` is empty until the broker has them."""

leases = sa.Table(
    "leases",
    metadata,
    _required("name", ShortText(), primary_key=True),
    _required("holder", ShortText()),
    _required("expires_at", Instant()),
)
"""Work that one process at a time does, and until when the holder may take that for granted."""

reports = sa.Table(
    "reports",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("name", ShortText()),
    _required("at", Instant()),
    _required("status", ShortText()),
    _required("body", LongText()),
    sa.Index(None, "name", "id"),
)
"""What the platform said of itself: readiness, market slices, rehearsals; `body` is JSON."""
