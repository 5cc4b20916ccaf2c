"""The first tables: journal, ledger, quarantine, corporate actions, annotations."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, **options: Any) -> sa.Column[Any]:
    kind = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=False, **options)


def _long_text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _date(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _id() -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=True, nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "ingest_journal",
        _text("fetch_id"),
        _text("run_id"),
        _text("vendor"),
        _text("timeframe"),
        sa.Column("symbols", sa.JSON(), nullable=False),
        _date("first_session"),
        _date("last_session"),
        _text("status"),
        _whole("rows"),
        _whole("new_rows"),
        _whole("rejected_rows"),
        _whole("started_at"),
        _whole("ended_at"),
        sa.Column("payloads", sa.JSON(), nullable=False),
        _long_text("error"),
        _key("ingest_journal", "fetch_id"),
    )
    _index("ingest_journal", "started_at")
    _index("ingest_journal", "vendor", "started_at")

    op.create_table(
        "ledger",
        _text("timeframe"),
        _text("symbol"),
        _date("session"),
        _text("vendor"),
        _text("outcome"),
        _whole("rows"),
        sa.Column("final", sa.Boolean(), nullable=False),
        _long_text("detail"),
        _whole("asked_at"),
        _text("fetch_id"),
        _key("ledger", "timeframe", "symbol", "session", "vendor"),
        sqlite_with_rowid=False,
    )
    _index("ledger", "timeframe", "session")

    op.create_table(
        "quarantine",
        _text("row_id"),
        _text("vendor"),
        _text("timeframe"),
        _text("symbol"),
        _whole("ts", nullable=True),
        _date("session", nullable=True),
        _text("stage"),
        _text("reasons"),
        _long_text("row"),
        _text("fetch_id"),
        _whole("seen_at"),
        _text("status", server_default="open"),
        _key("quarantine", "row_id"),
    )
    _index("quarantine", "timeframe", "session")
    _index("quarantine", "symbol", "session")

    op.create_table(
        "corporate_actions",
        _id(),
        _text("symbol"),
        _date("ex_date"),
        _text("kind"),
        sa.Column("value", sa.Double(), nullable=False),
        _text("source"),
        _whole("known_at"),
        _key("corporate_actions", "id"),
    )
    _index("corporate_actions", "symbol", "ex_date", "kind")

    op.create_table(
        "annotations",
        _id(),
        _whole("created_at"),
        _text("author"),
        _text("dataset"),
        _text("symbol"),
        _date("first_session"),
        _date("last_session"),
        _text("decision"),
        _text("vendor"),
        _long_text("reason"),
        _key("annotations", "id"),
    )
    _index("annotations", "dataset", "symbol")


def downgrade() -> None:
    """Drop the tables."""
    for table in ("annotations", "corporate_actions", "quarantine", "ledger", "ingest_journal"):
        op.drop_table(table)
