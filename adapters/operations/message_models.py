"""The tables of what is asked for once: keys of backfills, messages that were taken or parked.

What belongs here: tables, columns, indexes. A change here needs a new file in migrations/versions.
What does not: statements (backfills.py, and one file per further port).
"""

from __future__ import annotations

import sqlalchemy as sa

from adapters.operations.models import Instant, LongText, ShortText, _number, _required, metadata

backfill_keys = sa.Table(
    "backfill_keys",
    metadata,
    _required("name", ShortText(), primary_key=True),
    _required("backfill", ShortText()),
)
"""Backfills that are launched once: under one name there is one, whoever asks for it again."""

refresh_offsets = sa.Table(
    "refresh_offsets",
    metadata,
    _required("topic", ShortText(), primary_key=True),
    _required("partition", sa.Integer(), primary_key=True, autoincrement=False),
    _required("next", sa.BigInteger()),
    _required("changed_at", Instant()),
)
"""Where reading of a partition goes on: what lies before it was taken, with what followed of it.

`topic` also holds the id by which the brokers know the topic from a former one of its name."""

parked_messages = sa.Table(
    "parked_messages",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("topic", ShortText()),
    _required("partition", sa.Integer()),
    _required("place", sa.BigInteger()),
    _required("body", LongText()),
    _required("reason", LongText()),
    _required("parked_at", Instant()),
    sa.Column("decided_at", Instant()),
    sa.Column("decision", LongText()),
    sa.Index(None, "decided_at"),
)
"""Messages that say nothing that can be done; `place` is the offset."""
