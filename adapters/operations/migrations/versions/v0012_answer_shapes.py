"""Shapes of vendors' answers, and their changes."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; the first answers after this are what later ones are compared with."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "answer_shapes",
        sa.Column("vendor", text, nullable=False),
        sa.Column("timeframe", text, nullable=False),
        sa.Column("symbol", text, nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("fetch_id", text, nullable=False),
        sa.PrimaryKeyConstraint("vendor", "timeframe", "symbol", name="pk_answer_shapes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shape_changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("vendor", text, nullable=False),
        sa.Column("timeframe", text, nullable=False),
        sa.Column("symbol", text, nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("change", text, nullable=False),
        sa.Column("was", text, nullable=False),
        sa.Column("now", text, nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("fetch_id", text, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("mended_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_shape_changes"),
    )
    op.create_index(
        "ix_shape_changes_vendor_timeframe_session",
        "shape_changes",
        ["vendor", "timeframe", "session"],
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("shape_changes")
    op.drop_table("answer_shapes")
