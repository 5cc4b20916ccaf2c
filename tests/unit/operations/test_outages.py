"""Outages of vendors, told from the journal, and what they left behind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.operations.outages import lacking, outages
from market_data.ports import IngestRun, Outcome
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe

NOON = datetime(2024, 3, 7, 12, tzinfo=UTC)
DAY = date(2024, 3, 6)


def attempt(minute: int, trouble: str = "", **changed: object) -> IngestRun:
    values: dict[str, object] = {
        "fetch_id": f"fetch-{minute:03d}",
        "run_id": "",
        "vendor": "tws",
        "timeframe": Timeframe.M1,
        "symbols": ("AAPL",),
        "sessions": (DAY, DAY),
        "status": "failed" if trouble else "ok",
        "rows": 0,
        "new_rows": 0,
        "rejected_rows": 0,
        "started_at": NOON + timedelta(minutes=minute),
        "ended_at": NOON + timedelta(minutes=minute, seconds=30),
        "error": trouble and f"it is {trouble}",
        "trouble": trouble,
    }
    return IngestRun(**{**values, **changed})  # type: ignore[arg-type]


def test_an_unbroken_run_of_unanswered_attempts_is_one_outage() -> None:
    runs = [attempt(0), attempt(1, "unreachable"), attempt(2, "unavailable"), attempt(5)]
    (found,) = outages(reversed(runs))
    assert found.vendor == "tws"
    assert found.began == NOON + timedelta(minutes=1)
    assert found.last_seen == NOON + timedelta(minutes=2, seconds=30)
    assert found.ended == NOON + timedelta(minutes=5)
    assert found.reason == "it is unavailable"
    assert [run.fetch_id for run in found.attempts] == ["fetch-001", "fetch-002"]


def test_an_outage_that_nobody_saw_end_is_open() -> None:
    (found,) = outages([attempt(1, "unreachable")])
    assert found.ended is None


@pytest.mark.parametrize("answer", ["unknown symbol", "unauthorised", "malformed answer"])
def test_a_refusal_is_an_answer(answer: str) -> None:
    assert outages([attempt(1, answer)]) == []
    (found,) = outages([attempt(1, "unreachable"), attempt(2, answer)])
    assert found.ended == NOON + timedelta(minutes=2)


@pytest.mark.parametrize(
    "silent", [attempt(2, "budget spent"), attempt(2, status="failed", error="before the column")]
)
def test_what_says_nothing_about_the_vendor_neither_begins_nor_ends_one(silent: IngestRun) -> None:
    assert outages([silent]) == []
    (found,) = outages([attempt(1, "unreachable"), silent, attempt(3, "left alone")])
    assert len(found.attempts) == 2
    assert found.ended is None


def test_an_attempt_that_broke_in_the_middle_begins_it_at_its_end() -> None:
    (found,) = outages([attempt(1, "unreachable", status="partial")])
    assert found.began == NOON + timedelta(minutes=1, seconds=30)


def test_vendors_and_outages_are_told_apart_newest_first() -> None:
    runs = [
        attempt(1, "unreachable"),
        attempt(2, "unreachable", vendor="yahoo"),
        attempt(3),
        attempt(4, "unreachable"),
    ]
    found = outages(runs)
    assert [(o.vendor, o.ended is None) for o in found] == [
        ("tws", True),
        ("yahoo", True),
        ("tws", False),
    ]


def ledger(*rows: tuple[str, str, date, Outcome]) -> pl.DataFrame:
    return LEDGER.conform(
        pl.DataFrame(
            [("tws", t, s, d, str(o), 0, False, "", NOON, "f") for t, s, d, o in rows],
            schema=LEDGER.dtypes,
            orient="row",
        )
    )


def test_what_is_lacking_is_what_the_ledger_still_calls_failed() -> None:
    later = DAY + timedelta(days=1)
    (found,) = outages(
        [
            attempt(1, "unreachable", symbols=("MSFT", "AAPL")),
            attempt(2, "unreachable", symbols=("SPY",), sessions=(DAY, later)),
            attempt(3, "unreachable", timeframe=Timeframe.D1),
        ]
    )
    assert found.timeframes == (Timeframe.M1, Timeframe.D1)
    assert found.asked(Timeframe.M1) == (("AAPL", "MSFT", "SPY"), (DAY, later))
    rows = ledger(
        ("1m", "AAPL", DAY, Outcome.ROWS),
        ("1m", "MSFT", DAY, Outcome.FAILED),
        ("1m", "SPY", later, Outcome.FAILED),
        ("1m", "SPY", later + timedelta(days=1), Outcome.FAILED),
        ("1m", "GLD", DAY, Outcome.FAILED),
        ("1d", "AAPL", DAY, Outcome.ROWS),
    )
    left = lacking(found, rows, Timeframe.M1)
    assert left is not None
    assert (left.symbols, left.symbol_sessions) == (("MSFT", "SPY"), 2)
    assert left.command("tws") == (
        "emp ingest --vendor tws --timeframe 1m --symbols 'MSFT,SPY' "
        "--start 2024-03-06 --end 2024-03-07"
    )
    assert lacking(found, rows, Timeframe.D1) is None
