"""What a person asks of the quarantine, and decides about its rows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
import sqlalchemy as sa

from adapters.operations import SqlQuarantineLog
from market_data.ports import Refused
from market_data.schemas import QUARANTINE, REFUSED_ROWS
from market_data.timeframes import Timeframe

NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)
DAY = date(2024, 6, 28)


def row(row_id: str, **other: object) -> dict[str, object]:
    return {
        "row_id": row_id,
        "vendor": "yahoo",
        "timeframe": "1d",
        "symbol": "AAPL",
        "ts": datetime(2024, 6, 28, 13, 30, tzinfo=UTC),
        "session": DAY,
        "stage": "fetch",
        "reasons": "null_bar",
        "row": "{}",
        "fetch_id": "f1",
        "seen_at": NOON,
    } | other


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=QUARANTINE.dtypes)


@pytest.fixture
def log(engine: sa.Engine) -> SqlQuarantineLog:
    kept = SqlQuarantineLog(engine)
    kept.add(
        frame(
            row("a"),
            row("b", stage="curate", reasons="ohlc,not_positive", vendor="lean"),
            row("c", symbol="MSFT", session=date(2024, 6, 27), reasons="null_bar_"),
            row("d", timeframe="1m", session=None, ts=None),
        )
    )
    return kept


def ids(log: SqlQuarantineLog, **wanted: object) -> list[str]:
    return log.entries(Refused(**wanted))["row_id"].to_list()  # type: ignore[arg-type]


def test_rows_are_found_by_each_of_their_traits(log: SqlQuarantineLog) -> None:
    everything = log.entries(Refused())
    REFUSED_ROWS.check(everything)
    assert everything["row_id"].to_list() == ["d", "a", "b", "c"]
    assert ids(log, row_ids=["c", "nobody"]) == ["c"]
    assert ids(log, vendors=["lean"]) == ["b"]
    assert ids(log, timeframe=Timeframe.M1) == ["d"]
    assert ids(log, symbols=["MSFT"]) == ["c"]
    assert ids(log, sessions=(DAY, DAY)) == ["a", "b"]
    assert ids(log, stages=["curate"]) == ["b"]
    assert ids(log, reasons=["not_positive"]) == ["b"]
    assert ids(log, reasons=["null_bar"]) == ["d", "a"]
    assert ids(log, statuses=["dropped"]) == []
    assert log.entries(Refused(), limit=2).height == 2


def test_reasons_are_counted(log: SqlQuarantineLog) -> None:
    log.add(frame(row("e")))
    assert log.reasons(Refused()).rows()[0] == ("yahoo", "1d", "fetch", "open", "null_bar", 2)
    assert log.reasons(Refused(stages=["curate"]))["rows"].to_list() == [1]


def test_a_dropped_row_stays_with_who_and_why_and_counts_no_more(log: SqlQuarantineLog) -> None:
    assert log.decide(["a", "nobody"], "dropped", at=NOON, by="ann", reason="a test bar") == 1
    (dropped,) = log.entries(Refused(statuses=["dropped"])).to_dicts()
    assert (dropped["row_id"], dropped["decided_by"], dropped["decision"]) == (
        "a",
        "ann",
        "a test bar",
    )
    assert dropped["decided_at"] == NOON
    log.add(frame(row("a")))
    assert ids(log, statuses=["dropped"]) == ["a"]
    counts = log.counts(timeframe=Timeframe.D1, sessions=(DAY, DAY), vendors=["yahoo"])
    assert counts.is_empty()
    assert log.decide(["a"], "dropped", at=NOON, by="bob", reason="again") == 0


def test_a_replayed_row_that_is_refused_again_is_open_again(log: SqlQuarantineLog) -> None:
    log.settle(QUARANTINE.empty(), timeframe=Timeframe.D1, symbols=["AAPL"], sessions=(DAY, DAY))
    assert log.decide(["b"], "replayed", at=NOON, by="ann", reason="new limits") == 1
    log.add(frame(row("b", stage="curate", reasons="ohlc,not_positive", vendor="lean")))
    (again,) = log.entries(Refused(row_ids=["b"])).to_dicts()
    assert (again["status"], again["decided_by"], again["decided_at"]) == ("open", None, None)
