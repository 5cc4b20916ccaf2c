"""Decisions about rows in quarantine: who, when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; rows that are there were decided by nobody."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("quarantine", sa.Column("decided_at", sa.BigInteger()))
    op.add_column("quarantine", sa.Column("decided_by", text))
    op.add_column("quarantine", sa.Column("decision", sa.Text()))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("decision", "decided_by", "decided_at"):
        op.drop_column("quarantine", name)
