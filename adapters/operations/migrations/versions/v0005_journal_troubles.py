"""The kind of trouble that met an attempt to fetch."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of attempts that are there nobody knows the kind."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("ingest_journal", sa.Column("trouble", text))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("ingest_journal", "trouble")
