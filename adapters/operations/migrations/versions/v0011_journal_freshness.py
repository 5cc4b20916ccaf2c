"""When the newest bar of an attempt's answer ended."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, in microseconds since 1970; of attempts that are there nobody knows it."""
    op.add_column("ingest_journal", sa.Column("newest_bar", sa.BigInteger()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("ingest_journal", "newest_bar")
