"""The hypertable of flags of single bars."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Few of a year's bars carry any.
CHUNK = "10 years"

FLAGS = """
    dataset text collate "C" not null,
    symbol text collate "C" not null,
    session date not null,
    bar timestamp with time zone not null,
    scope text not null,
    code text collate "C" not null,
    severity text not null,
    found_by text not null,
    digest bigint not null,
    found_at timestamp with time zone not null,
    rule_version text not null
"""


def upgrade() -> None:
    """Create the table and the index that serves reads and uniqueness."""
    op.execute(f"create table quality.bar_flags ({FLAGS})")
    op.execute(
        "select create_hypertable('quality.bar_flags', "
        f"by_range('session', interval '{CHUNK}'), create_default_indexes => false)"
    )
    op.execute(
        "create unique index bar_flags_key on quality.bar_flags "
        "(symbol, session, dataset, bar, code)"
    )


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table quality.bar_flags")
