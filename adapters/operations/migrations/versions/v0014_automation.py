"""Backfills with their pieces, and what schedules remember of their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "backfills",
        sa.Column("id", text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("author", text, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index("ix_backfills_state", "backfills", ["state"])
    op.create_index("ix_backfills_created_at", "backfills", ["created_at"])
    op.create_table(
        "backfill_pieces",
        sa.Column("backfill", text, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("token", text, nullable=False),
        sa.Column("run_id", text, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("backfill", "number", name="pk_backfill_pieces"),
    )
    op.create_table(
        "automation_state",
        sa.Column("name", text, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("cut_at", sa.BigInteger()),
        sa.Column("resumed_at", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_automation_state"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("automation_state", "backfill_pieces", "backfills"):
        op.drop_table(table)
