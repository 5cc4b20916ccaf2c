"""The hypertable of macro events."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A few hundred rows a year.
CHUNK = "10 years"

EVENTS = """
    symbol text collate "C" not null,
    ts timestamp with time zone not null,
    session date not null,
    calendar text not null,
    event text not null,
    currency text not null,
    importance text not null,
    series text not null,
    period date,
    actual double precision,
    published double precision,
    first_published double precision,
    previous double precision,
    revised_previous double precision,
    unit text not null,
    source text not null,
    known_at timestamp with time zone not null,
    status text not null
"""


def upgrade() -> None:
    """Create the table and the index that serves reads and uniqueness."""
    op.execute(f"create table curated.macro_calendar ({EVENTS})")
    op.execute(
        "select create_hypertable('curated.macro_calendar', "
        f"by_range('ts', interval '{CHUNK}'), create_default_indexes => false)"
    )
    op.execute("create unique index macro_calendar_key on curated.macro_calendar (symbol, ts)")


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table curated.macro_calendar")
