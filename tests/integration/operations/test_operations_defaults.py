"""Whatever PostgreSQL defaults to, and whatever a text holds: both engines do the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from psycopg import sql

from adapters.operations import (
    SqlAnnotations,
    SqlJournal,
    SqlLedger,
    SqlQuarantineLog,
    open_database,
    reading,
    writing,
)
from adapters.operations.copying import TableCopy
from adapters.operations.models import ledger
from adapters.stores.copy_receipts import CopyReceipts
from market_data.ports import Annotation, Decision
from market_data.ports.operations import IngestRun
from market_data.schemas import LEDGER, QUARANTINE
from market_data.timeframes import Timeframe

NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)
DAY = date(2024, 6, 28)
CONTRARY = {
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "off",
    "client_encoding": "LATIN1",
    "quote_all_identifiers": "on",
}
SETTINGS = {
    "transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "client_encoding": "UTF8",
    "quote_all_identifiers": "off",
}


def default(url: str, **settings: str) -> None:
    """Let new sessions of a database have other settings."""
    name = sql.Identifier(url.rpartition("/")[2])
    with psycopg.connect(url, autocommit=True) as admin:
        for setting, value in settings.items():
            admin.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    name, sql.Identifier(setting), value
                )
            )


@pytest.fixture
def contrary(empty_postgres_url: str) -> Iterator[sa.Engine]:
    """An operations database on PostgreSQL whose defaults are as bad as they get."""
    default(empty_postgres_url, **CONTRARY)
    engine = open_database(empty_postgres_url)
    yield engine
    engine.dispose()


def asked(count: int, minute: int, symbols: int = 40) -> pl.DataFrame:
    """Rows of LEDGER, the later the more."""
    return LEDGER.conform(
        pl.DataFrame({"symbol": [f"Ж{n}" for n in range(symbols)]}).with_columns(
            vendor=pl.lit("v"), timeframe=pl.lit("1d"), session=pl.lit(DAY),
            outcome=pl.lit("rows"), rows=pl.lit(count), final=pl.lit(value=False),
            detail=pl.lit(""), asked_at=pl.lit(NOON + timedelta(minutes=minute)),
            fetch_id=pl.lit(f"f{minute}"),
        )
    )  # fmt: skip


def told(connection: sa.Connection) -> dict[str, str | None]:
    return {
        name: connection.exec_driver_sql("select current_setting(%s)", (name,)).scalar()
        for name in SETTINGS
    }


def test_a_session_has_its_own_settings(contrary: sa.Engine):
    for transaction in (reading, writing):
        with transaction(contrary) as connection:
            assert told(connection) == SETTINGS
    # Also a connection that was lent for one snapshot in between.
    snapshot = contrary.execution_options(isolation_level="REPEATABLE READ")
    with reading(snapshot) as connection:
        assert told(connection)["transaction_isolation"] == "repeatable read"
    with writing(contrary) as connection:
        assert told(connection) == SETTINGS


@pytest.mark.parametrize("promised", ["local", "remote_write", "remote_apply"])
def test_a_server_that_promises_something_else_keeps_to_it(empty_postgres_url: str, promised: str):
    default(empty_postgres_url, synchronous_commit=promised)
    engine = open_database(empty_postgres_url)
    with writing(engine) as connection:
        assert told(connection)["synchronous_commit"] == promised
    engine.dispose()


def test_writers_take_turns_whatever_the_isolation(contrary: sa.Engine):
    """The later answer is kept, and nobody fails for having waited."""
    book, start = SqlLedger(contrary), threading.Barrier(3)

    def record(writer: int) -> None:
        start.wait()
        for number in range(8):
            minute = number * 3 + writer
            book.record(asked(minute, minute))

    with ThreadPoolExecutor(3) as writers:
        list(writers.map(record, range(3)))
    assert_frame_equal(book.read(), asked(23, 23).sort("symbol"))


def refused(row_id: str, text: str) -> pl.DataFrame:
    """A row of QUARANTINE."""
    row = {
        "row_id": row_id, "vendor": "v", "timeframe": "1d", "symbol": f"A{text}", "ts": NOON,
        "session": DAY, "stage": "fetch", "reasons": text, "row": text, "fetch_id": "f1",
        "seen_at": NOON, "status": "open",
    }  # fmt: skip
    return pl.DataFrame([row], schema=QUARANTINE.dtypes)


def test_a_text_with_a_character_0_is_kept_alike(engine: sa.Engine):
    bad, kept = "a\x00b", "a\ufffdb"
    book = SqlLedger(engine)
    frame = asked(1, 1, 2).with_columns(
        # Kept alike, and yet twice in one frame: the later one is kept.
        symbol=pl.Series([bad, kept]),
        detail=pl.lit(bad),
        rows=pl.Series([1, 2]),
    )
    book.record(frame)
    found = book.read(symbols=[bad])
    assert found.select("symbol", "detail", "rows").rows() == [(kept, kept, 2)]
    assert_frame_equal(book.read(symbols=[kept]), found)

    journal = SqlJournal(engine)
    run = IngestRun(
        fetch_id="f1", run_id=bad, vendor="v", timeframe=Timeframe.D1, symbols=("A", bad),
        sessions=(DAY, DAY), status="failed", rows=0, new_rows=0, rejected_rows=0,
        started_at=NOON, ended_at=NOON, payloads=(), error=bad,
    )  # fmt: skip
    journal.add(run)
    # JSON writes the character in letters, so that it stays.
    assert journal.runs() == [replace(run, run_id=kept, error=kept)]

    log = SqlQuarantineLog(engine)
    log.add(refused("r1", bad))
    assert_frame_equal(log.read(), refused("r1", kept))
    assert log.read(symbols=[f"A{bad}"]).height == 1

    notes = SqlAnnotations(engine)
    notes.add(
        Annotation(
            created_at=NOON, author=bad, dataset="curated/bars_1d", symbol="A", first_session=DAY,
            last_session=DAY, decision=Decision.ACCEPT, reason=bad,
        )
    )  # fmt: skip
    (note,) = notes.read()
    assert (note.author, note.reason) == (kept, kept)


def test_a_file_with_a_character_0_can_be_copied(
    tmp_path_factory: pytest.TempPathFactory, engine: sa.Engine
):
    """Such as one that was written before texts were looked at."""
    folder = tmp_path_factory.mktemp("old")
    old = open_database(f"sqlite:///{folder}/operations.sqlite")
    SqlLedger(old).record(asked(1, 1, 3))
    with writing(old) as connection:
        connection.exec_driver_sql("update ledger set detail = 'a' || char(0) || 'b'")
    outcome = TableCopy(ledger, old, engine, CopyReceipts(folder / "receipts")).copy(lambda _: None)
    assert outcome.rows_copied == 3
    assert SqlLedger(engine).read()["detail"].to_list() == ["a\ufffdb"] * 3
    old.dispose()
