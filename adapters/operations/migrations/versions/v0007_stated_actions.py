"""When a source last stated a symbol's actions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of statements that are there nobody knows it."""
    op.add_column("corporate_actions", sa.Column("stated_at", sa.BigInteger()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("corporate_actions", "stated_at")
