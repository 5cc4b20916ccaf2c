"""Reports: what the platform said of itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and its index."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "reports",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("name", text, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
    )
    op.create_index("ix_reports_name_id", "reports", ["name", "id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("reports")
