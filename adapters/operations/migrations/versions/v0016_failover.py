"""Decisions about the warehouse, slices that it missed, and their mark in the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and add the column; attempts that are there were made without."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "failover_decisions",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("was", text, nullable=False),
        sa.Column("became", text, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("author", text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_failover_decisions"),
    )
    op.create_table(
        "missed_slices",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("dataset", text, nullable=False),
        sa.Column("timeframe", text, nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("first_session", sa.Date(), nullable=False),
        sa.Column("last_session", sa.Date(), nullable=False),
        sa.Column("run_id", text, nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("replayed_at", sa.BigInteger()),
        sa.Column("digest_lake", text, nullable=False),
        sa.Column("digest_store", text, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_missed_slices"),
    )
    op.create_index("ix_missed_slices_replayed_at", "missed_slices", ["replayed_at"])
    op.add_column("ingest_journal", sa.Column("failover", sa.BigInteger()))


def downgrade() -> None:
    """Drop the column and the tables."""
    op.drop_column("ingest_journal", "failover")
    for table in ("missed_slices", "failover_decisions"):
        op.drop_table(table)
