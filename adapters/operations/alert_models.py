"""The tables of alerts, beside the others of the operations database (models.py).

What belongs here: tables, columns, indexes. A change here needs a new file in migrations/versions.
What does not: statements (alerts.py, alert_outbox.py).
"""

from __future__ import annotations

import sqlalchemy as sa

from adapters.operations.models import Instant, LongText, ShortText, _number, _required, metadata

alerts = sa.Table(
    "alerts",
    metadata,
    _required("fingerprint", ShortText(), primary_key=True),
    _required("phase", ShortText()),
    _required("trouble", LongText()),
    _required("first_seen", Instant()),
    _required("last_seen", Instant()),
    _required("due", Instant()),
    _required("sightings", sa.BigInteger()),
    _required("told", LongText()),
    sa.Column("mended", LongText(), nullable=False, server_default="[]"),
    sa.Index(None, "phase", "last_seen"),
)
"""Every thing that was in trouble; `trouble`, `told` and `mended` are JSON. A closed one stays for
a while, so that a late look at it is known to be late."""

_waiting = sa.text("sent_at IS NULL AND refused_at IS NULL")

alert_outbox = sa.Table(
    "alert_outbox",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("message_id", ShortText()),
    _required("route", ShortText()),
    _required("state", ShortText()),
    _required("title", LongText()),
    _required("body", LongText()),
    _required("created_at", Instant()),
    _required("attempts", sa.BigInteger()),
    sa.Column("sent_at", Instant()),
    sa.Column("refused_at", Instant()),
    _required("error", LongText()),
    sa.UniqueConstraint("message_id"),
    sa.Index(
        "ix_alert_outbox_waiting",
        "route",
        "id",
        sqlite_where=_waiting,
        postgresql_where=_waiting,
    ),
    sa.Index(None, "created_at"),
)
"""Messages for delivery, per route in the order of `id`; `body` is JSON. A route that refuses one
for good sets `refused_at`, and the next goes on."""

alert_told = sa.Table(
    "alert_told",
    metadata,
    _required("route", ShortText(), primary_key=True),
    _required("state", ShortText(), primary_key=True),
    _required("place", ShortText(), primary_key=True),
    _required("at", Instant()),
)
"""When a route was told of a group last: `place` is the group, `state` what it was told."""

alert_routes = sa.Table(
    "alert_routes",
    metadata,
    _required("route", ShortText(), primary_key=True),
    _required("failures", sa.BigInteger()),
    _required("next_at", Instant()),
    sa.Column("down_since", Instant()),
    _required("error", LongText()),
)
"""How routes fare: failures in a row, when the next attempt is made, since when nothing passes."""

alert_silences = sa.Table(
    "alert_silences",
    metadata,
    _required("id", _number(), primary_key=True, autoincrement=True),
    _required("pattern", ShortText()),
    _required("until", Instant()),
    _required("author", ShortText()),
    _required("reason", LongText()),
    _required("created_at", Instant()),
    sa.Index(None, "until"),
)
"""What nobody wants to hear of for a while."""
