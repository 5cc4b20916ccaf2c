"""What a decision is about: codes of findings, an imputation, a decision that is taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; decisions that are there accept every finding and take nothing back."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("annotations", sa.Column("codes", text))
    op.add_column("annotations", sa.Column("imputation", text))
    op.add_column("annotations", sa.Column("takes_back", sa.BigInteger()))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("takes_back", "imputation", "codes"):
        op.drop_column("annotations", name)
