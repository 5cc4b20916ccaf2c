"""Of each alert the parts that are right again while others are not."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, JSON; of alerts that are there nothing counts as mended."""
    op.add_column("alerts", sa.Column("mended", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("alerts", "mended")
