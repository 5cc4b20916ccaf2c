"""The operations tables travel between engines: equal, in one step, and never over own rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from traceback import format_exception
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from adapters.operations import (
    SqlActionLog,
    SqlAnnotations,
    SqlAnswerShapes,
    SqlBackfills,
    SqlJournal,
    SqlLedger,
    SqlQuarantineLog,
    open_database,
    reading,
    writing,
)
from adapters.operations.copying import TABLES, TableCopy, typed_errors
from adapters.operations.database import open_existing
from adapters.operations.models import ledger, metadata, quarantine
from adapters.stores.copy_receipts import CopyReceipts
from market_data.answer_shapes import ShapeChange
from market_data.errors import CopyMismatchError, CopyRefusedError, StoreUnavailableError
from market_data.pipeline.migration import compare, copy
from market_data.ports import Annotation, Decision, IngestRun
from market_data.schemas import CORPORATE_ACTIONS, LEDGER, QUARANTINE
from market_data.timeframes import Timeframe
from tests.support.backfill_plans import plan_of
from tests.support.operations_file import open_new

NOW = datetime(2024, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
DAY = date(2024, 2, 29)
ROWS = 25


def ledger_rows(rows: int, symbol: str = "Ω") -> pl.DataFrame:
    frame = pl.DataFrame({"number": range(rows)})
    return LEDGER.conform(
        frame.select(
            vendor=pl.lit("yahoo"),
            timeframe=pl.lit("1d"),
            symbol=pl.lit(symbol),
            session=pl.lit(DAY).dt.offset_by(pl.format("-{}d", "number")),
            outcome=pl.lit("rows"),
            rows=pl.col("number"),
            final=pl.col("number") % 2 == 0,
            detail=pl.lit("it's \"odd\"\n\\ ; %s :x"),
            asked_at=pl.lit(NOW),
            fetch_id=pl.format("f{}", "number"),
        )
    )  # fmt: skip


def refused(rows: int) -> pl.DataFrame:
    number = pl.col("number")
    return QUARANTINE.conform(
        pl.DataFrame({"number": range(rows)}).select(
            row_id=pl.format("r{}", number),
            vendor=pl.lit("yahoo"),
            timeframe=pl.lit("1d"),
            symbol=pl.lit(""),
            ts=pl.when(number % 2 == 0).then(pl.lit(NOW)),
            session=pl.when(number % 3 == 0).then(pl.lit(DAY)),
            stage=pl.lit("fetch"),
            reasons=pl.lit("nonsense"),
            row=pl.lit('{"a": "\\u0000"}'),
            fetch_id=pl.lit("f"),
            seen_at=pl.lit(NOW),
        )
    )


def split_of(symbol: str, value: float) -> pl.DataFrame:
    row = {"symbol": symbol, "ex_date": DAY, "kind": "split", "value": value}
    return CORPORATE_ACTIONS.conform(pl.DataFrame([{**row, "source": "yahoo", "known_at": NOW}]))


def run(number: int) -> IngestRun:
    return IngestRun(
        fetch_id=f"f{number}", run_id="r", vendor="yahoo", timeframe=Timeframe.D1,
        symbols=("Ω", 'q"'), sessions=(DAY, DAY), status="ok", rows=3, new_rows=2,
        rejected_rows=1, started_at=NOW, ended_at=NOW + timedelta(seconds=number),
        payloads=("a/b",), error="",
    )  # fmt: skip


def fill(engine: sa.Engine) -> None:
    SqlLedger(engine).record(ledger_rows(ROWS))
    SqlQuarantineLog(engine).add(refused(7))
    actions = SqlActionLog(engine)
    for value in (2.0, 4.0, 1 / 3):
        actions.add(split_of("AAPL", value), now=NOW + timedelta(seconds=value))
    SqlAnnotations(engine).add(
        Annotation(NOW, "me", "curated/bars_1d", "AAPL", DAY, DAY, Decision.ACCEPT, "why")
    )
    for number in range(3):
        SqlJournal(engine).add(run(number))
    gone = ShapeChange("bars/*/close", "gone", "number", "", read=True)
    SqlAnswerShapes(engine).learn(
        "yahoo", Timeframe.D1, shapes={"AAPL": {"": frozenset({"object"})}},
        changes=[("AAPL", DAY, gone)], fetch_id="f1", now=NOW,
    )  # fmt: skip
    SqlBackfills(engine).add(plan_of(3), at=NOW, author="me", key="outage of a day")


def content(engine: sa.Engine) -> dict[str, list[Any]]:
    with reading(engine) as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in TABLES
        }


@pytest.fixture(params=[("sqlite", "postgresql"), ("postgresql", "sqlite")], ids="-to-".join)
def engines(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    urls = {"sqlite": f"sqlite:///{tmp_path}/operations.sqlite"}
    urls["postgresql"] = request.getfixturevalue("operations_postgres_url")
    first, second = request.param
    opened = open_new(urls[first]), open_new(urls[second])
    yield opened
    for engine in opened:
        engine.dispose()


def parts(engines: tuple[sa.Engine, sa.Engine], folder: Path, **how: Any) -> list[TableCopy]:
    receipts = CopyReceipts(folder / "receipts")
    return [TableCopy(t, *engines, receipts, page_rows=10, **how) for t in TABLES]


def silent(_: str) -> None:
    return


def test_tables_that_travel() -> None:
    staying = set(metadata.tables) - {table.name for table in TABLES}
    assert staying == {
        "automation_state",
        "failover_decisions",
        "leases",
        "missed_slices",
        "outbox",
        "parked_messages",
        "refresh_offsets",
        "reports",
    }


def test_every_table_arrives_and_the_same_again_changes_nothing(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    source, target = engines
    fill(source)
    reports = copy(parts(engines, tmp_path), tell=silent)
    assert content(target) == content(source)
    assert len(content(target)["ledger"]) == ROWS
    filled = {r.name: r.outcome.pieces[0].target_rows for r in reports}
    assert {name: rows for name, rows in filled.items() if "alert" not in name} == {
        "operations/annotations": 1,
        "operations/answer_shapes": 1,
        "operations/backfill_keys": 1,
        "operations/backfill_pieces": 3,
        "operations/backfills": 1,
        "operations/corporate_actions": 3,
        "operations/ingest_journal": 3,
        "operations/ledger": ROWS,
        "operations/quarantine": 7,
        "operations/shape_changes": 1,
    }
    assert all(r.outcome.pieces[0].equal for r in reports)
    assert_frame_equal(SqlLedger(target).read(), SqlLedger(source).read())
    assert SqlJournal(target).runs() == SqlJournal(source).runs()
    again = copy(parts(engines, tmp_path), tell=silent)
    assert [r.outcome.slices_copied for r in again] == [0] * len(TABLES)
    assert [r.outcome.pieces for r in again] == [r.outcome.pieces for r in reports]


def test_new_rows_are_numbered_after_those_that_came(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    source, target = engines
    fill(source)
    copy(parts(engines, tmp_path), tell=silent)
    assert SqlActionLog(target).add(split_of("MSFT", 3.0), now=NOW) == 1
    assert [row[0] for row in content(target)["corporate_actions"]] == [1, 2, 3, 4]


def test_rows_that_changed_vanished_or_came_are_followed(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    """After a copy the target holds nothing of its own: no permission is needed."""
    source, target = engines
    fill(source)
    copy(parts(engines, tmp_path), tell=silent)
    with writing(source) as connection:
        connection.execute(sa.delete(ledger).where(ledger.c.rows == 3))
        connection.execute(sa.update(ledger).where(ledger.c.rows == 4).values(detail="changed"))
        connection.execute(sa.update(quarantine).values(status="resolved"))
    SqlLedger(source).record(ledger_rows(2, "NEW"))
    copy(parts(engines, tmp_path), tell=silent)
    assert content(target) == content(source)


def test_own_rows_are_refused_and_go_only_when_told(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    source, target = engines
    fill(source)
    SqlLedger(target).record(ledger_rows(2, "OWN"))
    before = content(target)
    (found,) = [
        r for r in compare(parts(engines, tmp_path), tell=silent, thorough=True)
        if r.name == "operations/ledger"
    ]  # fmt: skip
    assert found.outcome.pieces[0].foreign == 2
    with pytest.raises(CopyRefusedError, match=r"operations/ledger: 2 rows.*--overwrite"):
        copy(parts(engines, tmp_path), tell=silent)
    assert content(target) == before
    with pytest.raises(CopyRefusedError, match="operations/ledger: the target holds 2 rows"):
        TableCopy(ledger, source, target, CopyReceipts(tmp_path / "none")).copy(silent)
    assert content(target) == before
    copy(parts(engines, tmp_path, overwrite=True), tell=silent, overwrite=True)
    assert content(target) == content(source)


def test_an_end_in_the_middle_leaves_a_table_as_it_was(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = engines
    fill(source)
    copy(parts(engines, tmp_path), tell=silent)
    SqlLedger(source).record(ledger_rows(2, "NEW"))
    before = content(target)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TableCopy, "_number_on", dies)
        with pytest.raises(KeyboardInterrupt):
            copy(parts(engines, tmp_path), tell=silent)
    assert content(target) == before
    copy(parts(engines, tmp_path), tell=silent)
    assert content(target) == content(source)


def test_a_database_that_keeps_something_else_is_told_and_nothing_stays(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    source, target = engines
    fill(source)
    trigger = {
        "sqlite": [
            "create trigger bent after insert on ledger begin "
            "update ledger set detail = 'bent' where rows = 7; end"
        ],
        "postgresql": [
            "create function bend() returns trigger language plpgsql as $$ begin "
            "if new.rows = 7 then new.detail = 'bent'; end if; return new; end $$",
            "create trigger bent before insert on ledger for each row execute function bend()",
        ],
    }[target.dialect.name]
    with writing(target) as connection:
        for statement in trigger:
            connection.exec_driver_sql(statement)
    with pytest.raises(CopyMismatchError, match="operations/ledger: the source tells 25 rows"):
        copy(parts(engines, tmp_path), tell=silent)
    assert content(target)["ledger"] == []


def test_a_write_during_the_copy_is_copied_too(
    engines: tuple[sa.Engine, sa.Engine], tmp_path: Path
) -> None:
    source, target = engines
    fill(source)

    def write(sentence: str) -> None:
        if sentence.startswith("operations/ledger: 25 rows copied"):
            SqlLedger(source).record(ledger_rows(2, "LATE"))

    reports = {r.name: r for r in copy(parts(engines, tmp_path), tell=write)}
    assert content(target) == content(source)
    assert reports["operations/ledger"].again == 1
    assert reports["operations/quarantine"].again == 0


def test_opening_what_is_there_makes_nothing(tmp_path: Path, empty_postgres_url: str) -> None:
    file = tmp_path / "none" / "operations.sqlite"
    assert open_existing(f"sqlite:///{file}") is None
    assert not file.parent.exists()
    assert open_existing(empty_postgres_url) is None
    open_database(empty_postgres_url).dispose()
    opened = open_existing(empty_postgres_url)
    assert opened is not None
    opened.dispose()


def test_an_error_of_a_driver_tells_no_values(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a.sqlite")
    SqlLedger(engine).record(ledger_rows(1, "SECRET"))
    with writing(engine) as connection:
        connection.exec_driver_sql("alter table quarantine rename to away")
    with pytest.raises(StoreUnavailableError, match="OperationalError") as raised:
        copy(parts((engine, engine), tmp_path), tell=silent)
    assert "SECRET" not in str(raised.value)
    with pytest.raises(StoreUnavailableError) as raised, typed_errors():
        raise sa.exc.IntegrityError("insert", {"symbol": "SECRET"}, ValueError("SECRET"))
    assert "SECRET" not in "".join(format_exception(raised.value))
