"""Keys of backfills that are launched once, places in topics, messages that were parked."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "backfill_keys",
        sa.Column("name", text, nullable=False),
        sa.Column("backfill", text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_backfill_keys"),
    )
    op.create_table(
        "refresh_offsets",
        sa.Column("topic", text, nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name="pk_refresh_offsets"),
    )
    op.create_table(
        "parked_messages",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("topic", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("decision", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_parked_messages"),
    )
    op.create_index("ix_parked_messages_decided_at", "parked_messages", ["decided_at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("parked_messages", "refresh_offsets", "backfill_keys"):
        op.drop_table(table)
