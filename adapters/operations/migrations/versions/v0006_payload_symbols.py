"""Which symbol each payload of an attempt to fetch answers about."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of payloads that are there nobody knows it."""
    op.add_column("ingest_journal", sa.Column("payload_symbols", sa.JSON()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("ingest_journal", "payload_symbols")
