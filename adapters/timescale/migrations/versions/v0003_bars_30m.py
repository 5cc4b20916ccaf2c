"""The hypertable of bars of half an hour, with the columns of those of any other length."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Between the 90 days of a quarter of an hour and the year of an hour.
CHUNK = "180 days"

BARS = """
    symbol text collate "C" not null,
    ts timestamp with time zone not null,
    session date not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    volume double precision,
    vwap double precision,
    trades bigint,
    source text not null,
    filled text not null,
    final boolean not null,
    dq_status text not null,
    flags text not null,
    rule_version text not null
"""


def upgrade() -> None:
    """Create the table and the index that serves reads and uniqueness."""
    op.execute(f"create table curated.bars_30m ({BARS})")
    op.execute(
        "select create_hypertable('curated.bars_30m', "
        f"by_range('ts', interval '{CHUNK}'), create_default_indexes => false)"
    )
    op.execute("create unique index bars_30m_key on curated.bars_30m (symbol, ts)")


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table curated.bars_30m")
