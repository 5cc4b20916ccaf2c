"""Of each attempt the symbols about which nothing was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of attempts that are there nobody knows it."""
    op.add_column("ingest_journal", sa.Column("unasked", sa.JSON()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("ingest_journal", "unasked")
