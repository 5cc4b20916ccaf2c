"""The tables of what works by itself, beside the others of the operations database (models.py).

What belongs here: tables, columns, indexes. A change here needs a new file in migrations/versions.
What does not: statements (backfills.py, and one file per further port).
"""

from __future__ import annotations

import sqlalchemy as sa

from adapters.operations.models import Instant, LongText, ShortText, _required, metadata

backfills = sa.Table(
    "backfills",
    metadata,
    _required("id", ShortText(), primary_key=True),
    _required("created_at", Instant()),
    _required("author", ShortText()),
    _required("plan", LongText()),
    _required("state", ShortText()),
    _required("changed_at", Instant()),
    sa.Index(None, "state"),
    sa.Index(None, "created_at"),
)
"""Backfills that were launched; `plan` is JSON and holds the pieces as they were planned."""

backfill_pieces = sa.Table(
    "backfill_pieces",
    metadata,
    _required("backfill", ShortText(), primary_key=True),
    _required("number", sa.Integer(), primary_key=True, autoincrement=False),
    _required("state", ShortText()),
    _required("token", ShortText()),
    _required("run_id", ShortText()),
    _required("attempts", sa.Integer()),
    sa.Column("claimed_at", Instant()),
    sa.Column("ended_at", Instant()),
    _required("reason", LongText()),
    _required("outcome", LongText()),
)
"""How far each piece is; `token` names the attempt that holds it, `outcome` is JSON."""

automation_state = sa.Table(
    "automation_state",
    metadata,
    _required("name", ShortText(), primary_key=True),
    _required("failures", sa.Integer()),
    sa.Column("cut_at", Instant()),
    sa.Column("resumed_at", Instant()),
    _required("changed_at", Instant()),
    _required("body", LongText()),
)
"""What a schedule remembers of its runs: failures in a row, and since when it is cut off; `body`
is JSON."""

failover_decisions = sa.Table(
    "failover_decisions",
    metadata,
    _required("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    _required("at", Instant()),
    _required("was", ShortText()),
    _required("became", ShortText()),
    _required("reason", LongText()),
    _required("evidence", LongText()),
    _required("author", ShortText()),
)
"""Whether the warehouse is used, decision by decision; `evidence` is JSON."""

missed_slices = sa.Table(
    "missed_slices",
    metadata,
    _required("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    _required("dataset", ShortText()),
    _required("timeframe", ShortText()),
    _required("symbols", sa.JSON()),
    _required("first_session", sa.Date()),
    _required("last_session", sa.Date()),
    _required("run_id", ShortText()),
    _required("noted_at", Instant()),
    sa.Column("decision", sa.BigInteger()),
    _required("attempts", sa.Integer()),
    sa.Column("replayed_at", Instant()),
    _required("digest_lake", ShortText()),
    _required("digest_store", ShortText()),
    _required("rows", sa.BigInteger()),
    _required("remark", LongText()),
    sa.Index(None, "replayed_at"),
)
"""Slices that the warehouse could not take; `timeframe` is empty for the scores of all of them."""
