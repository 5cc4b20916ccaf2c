"""Hypertables of curated bars and scores, reference tables, and the books of the writer."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Chunks of some million rows: a week of minutes of a few hundred symbols, years of days.
CHUNKS = {
    "bars_1m": "7 days",
    "bars_5m": "28 days",
    "bars_15m": "90 days",
    "bars_1h": "1 year",
    "bars_4h": "2 years",
    "bars_1d": "10 years",
}

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

SCORES = """
    dataset text collate "C" not null,
    symbol text collate "C" not null,
    session date not null,
    expected bigint not null,
    observed bigint not null,
    coverage double precision not null,
    gaps bigint not null,
    null_rate double precision not null,
    duplicates bigint not null,
    ohlc_violations bigint not null,
    outliers bigint not null,
    flat_run bigint not null,
    drift_max double precision,
    freshness_seconds double precision,
    score double precision not null,
    status text not null,
    reasons text not null,
    bars_digest text not null,
    rule_version text not null
"""


def _hypertable(schema: str, name: str, columns: str, time: str, chunk: str, key: str) -> None:
    op.execute(f"create table {schema}.{name} ({columns})")
    # One index serves reads and uniqueness; a second one on time alone would cost every write.
    op.execute(
        f"select create_hypertable('{schema}.{name}', by_range('{time}', interval '{chunk}'),"
        " create_default_indexes => false)"
    )
    op.execute(f"create unique index {name}_key on {schema}.{name} ({key})")


def upgrade() -> None:
    """Create schemas, tables, indexes and the writer's books."""
    for schema in ("curated", "quality", "reference"):
        op.execute(f"create schema if not exists {schema}")
    for name, chunk in CHUNKS.items():
        _hypertable("curated", name, BARS, "ts", chunk, "symbol, ts")
    _hypertable("quality", "scores", SCORES, "session", "10 years", "symbol, session, dataset")
    # Grows with every change of a month of a dataset: what a reader compares.
    op.execute("create sequence emp.revisions")
    op.execute(
        'create table emp.months (dataset text collate "C" not null, month date not null,'
        " revision bigint not null, primary key (dataset, month))"
    )
    # What a slice was last made to hold; gone as soon as anything in its months changes.
    op.execute(
        'create table emp.receipts (dataset text collate "C" not null,'
        ' slice text collate "C" not null, digest text not null, first_month date not null,'
        " last_month date not null, primary key (dataset, slice))"
    )
    op.execute(
        "create table emp.identity as select gen_random_uuid()::text as store, now() as made_at"
    )


def downgrade() -> None:
    """Drop everything that `upgrade` made."""
    for table in ("curated.bars_" + t for t in ("1m", "5m", "15m", "1h", "4h", "1d")):
        op.execute(f"drop table {table}")
    op.execute("drop table quality.scores")
    op.execute("drop table emp.months, emp.receipts, emp.identity")
    op.execute("drop sequence emp.revisions")
