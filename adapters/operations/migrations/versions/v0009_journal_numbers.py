"""The order in which attempts were written down, whenever they were begun."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; attempts that are there are numbered as they were begun."""
    op.add_column("ingest_journal", sa.Column("number", sa.BigInteger()))
    op.execute(
        "UPDATE ingest_journal SET number = counted.number FROM (SELECT fetch_id, row_number() "
        "OVER (ORDER BY started_at, fetch_id) AS number FROM ingest_journal) AS counted "
        "WHERE counted.fetch_id = ingest_journal.fetch_id"
    )
    op.create_index("ix_ingest_journal_number", "ingest_journal", ["number"])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_ingest_journal_number", "ingest_journal")
    op.drop_column("ingest_journal", "number")
