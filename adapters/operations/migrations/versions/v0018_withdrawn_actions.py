"""Corporate actions that a backfill brought which was rolled back."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing that is there is withdrawn."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("corporate_actions", sa.Column("withdrawn_by", text))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("corporate_actions", "withdrawn_by")
