"""Alerts: what is in trouble, what waits for delivery, how routes fare, what is silenced."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _text(name: str, **options: Any) -> sa.Column[Any]:
    kind = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=False, **options)


def _words(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _number() -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=True, nullable=False)


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "alerts",
        _text("fingerprint"),
        _text("phase"),
        _words("trouble"),
        _moment("first_seen"),
        _moment("last_seen"),
        _moment("due"),
        sa.Column("sightings", sa.BigInteger(), nullable=False),
        _words("told"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_alerts"),
    )
    op.create_index("ix_alerts_phase_last_seen", "alerts", ["phase", "last_seen"])

    op.create_table(
        "alert_outbox",
        _number(),
        _text("message_id"),
        _text("route"),
        _text("state"),
        _words("title"),
        _words("body"),
        _moment("created_at"),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        _moment("sent_at", nullable=True),
        _moment("refused_at", nullable=True),
        _words("error"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_outbox"),
        sa.UniqueConstraint("message_id", name="uq_alert_outbox_message_id"),
    )
    waiting = sa.text("sent_at IS NULL AND refused_at IS NULL")
    op.create_index(
        "ix_alert_outbox_waiting",
        "alert_outbox",
        ["route", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("ix_alert_outbox_created_at", "alert_outbox", ["created_at"])

    op.create_table(
        "alert_told",
        _text("route"),
        _text("state"),
        _text("place"),
        _moment("at"),
        sa.PrimaryKeyConstraint("route", "state", "place", name="pk_alert_told"),
    )
    op.create_table(
        "alert_routes",
        _text("route"),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        _moment("next_at"),
        _moment("down_since", nullable=True),
        _words("error"),
        sa.PrimaryKeyConstraint("route", name="pk_alert_routes"),
    )
    op.create_table(
        "alert_silences",
        _number(),
        _text("pattern"),
        _moment("until"),
        _text("author"),
        _words("reason"),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_silences"),
    )
    op.create_index("ix_alert_silences_until", "alert_silences", ["until"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("alert_silences", "alert_routes", "alert_told", "alert_outbox", "alerts"):
        op.drop_table(name)
