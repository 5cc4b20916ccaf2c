"""The standing inventory: what is failed now, since when, why, and what mends it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.operations.failed_sessions import (
    Attempt,
    failed_attempts,
    failed_fetches,
    red_scores,
)
from market_data.ports import IngestRun
from market_data.schemas import LEDGER, SCORES
from market_data.timeframes import Timeframe

NOON = datetime(2024, 3, 7, 12, tzinfo=UTC)
DAYS = [date(2024, 3, day) for day in range(1, 9)]


def row(day: int, outcome: str, **changed: object) -> dict[str, object]:
    return {
        "vendor": "yahoo",
        "timeframe": "1d",
        "symbol": "AAPL",
        "session": DAYS[day],
        "outcome": outcome,
        "rows": 0,
        "final": False,
        "detail": "no answer",
        "asked_at": NOON,
        "fetch_id": "f",
        **changed,
    }


def ledger(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=LEDGER.dtypes)


def attempt(hours: int, first: int, last: int, **changed: object) -> IngestRun:
    values: dict[str, object] = {
        "fetch_id": f"fetch{hours}",
        "run_id": "",
        "vendor": "yahoo",
        "timeframe": Timeframe.D1,
        "symbols": ("AAPL",),
        "sessions": (DAYS[first], DAYS[last]),
        "status": "failed",
        "rows": 0,
        "new_rows": 0,
        "rejected_rows": 0,
        "started_at": NOON - timedelta(hours=hours),
        "ended_at": NOON,
        **changed,
    }
    return IngestRun(**values)  # type: ignore[arg-type]


def test_a_question_is_failed_since_the_oldest_attempt_about_it():
    rows = ledger(row(2, "failed"), row(3, "failed"), row(4, "rows"), row(5, "unavailable"))
    runs = [attempt(1, 2, 4), attempt(5, 3, 3), attempt(9, 4, 5), attempt(10, 0, 1)]
    (found,) = failed_fetches(rows, runs)
    assert (found.kind, found.dataset, found.symbols) == ("fetch", "raw/yahoo_bars_1d", ("AAPL",))
    assert (found.sessions, found.count) == ((DAYS[2], DAYS[3]), 2)
    assert found.since == NOON - timedelta(hours=5)
    assert found.why == "failed: no answer"
    assert found.cure == (
        "emp ingest --vendor yahoo --timeframe 1d --symbols 'AAPL' "
        "--start 2024-03-03 --end 2024-03-04"
    )


def test_attempts_at_other_symbols_vendors_and_timeframes_say_nothing():
    others = [
        attempt(9, 2, 2, symbols=("MSFT",)),
        attempt(9, 2, 2, vendor="oanda"),
        attempt(9, 2, 2, timeframe=Timeframe.M1),
        attempt(9, 2, 2, unasked=("AAPL",)),
    ]
    (found,) = failed_fetches(ledger(row(2, "failed")), others)
    assert found.since == NOON


def test_reasons_vendors_and_timeframes_are_told_apart():
    rows = ledger(
        row(1, "failed"),
        row(1, "refused", detail="not entitled", symbol="MSFT"),
        row(1, "failed", vendor="oanda"),
        row(1, "failed", timeframe="1m"),
        row(1, "failed", vendor="fred_releases", timeframe="macro", symbol="*"),
    )
    found = {(f.dataset, f.why): f.cure for f in failed_fetches(rows, [])}
    assert list(found) == [
        ("raw/fred_releases", "failed: no answer"),
        ("raw/oanda_bars_1d", "failed: no answer"),
        ("raw/yahoo_bars_1d", "failed: no answer"),
        ("raw/yahoo_bars_1d", "refused: not entitled"),
        ("raw/yahoo_bars_1m", "failed: no answer"),
    ]
    macro = found["raw/fred_releases", "failed: no answer"]
    assert macro == "emp macro ingest --start 2024-03-02 --end 2024-03-02"


@pytest.mark.parametrize(
    ("dataset", "cure"),
    [
        ("raw/yahoo_bars_1m", "emp backfill launch raw/yahoo_bars_1m --start"),
        ("curated/bars_1d", "emp backfill launch bars_1d --start"),
        ("curated/macro_calendar", "emp macro ingest --start"),
        ("raw/fred_observations", "emp macro ingest --start"),
        ("quality/scores", "re-execute run r1 from failure, in the UI"),
        ("curated/quarantine", "re-execute run r1 from failure, in the UI"),
    ],
)
def test_what_a_run_left_is_told_by_unbroken_ranges(dataset: str, cure: str):
    left = [Attempt(dataset, DAYS[day], "r1", NOON, "scores: boom") for day in (5, 1, 2)]
    found = failed_attempts([*left, Attempt(dataset, DAYS[3], "r2", NOON, "else")])
    assert [(f.sessions, f.count, f.why) for f in found] == [
        ((DAYS[1], DAYS[2]), 2, "scores: boom"),
        ((DAYS[3], DAYS[3]), 1, "else"),
        ((DAYS[5], DAYS[5]), 1, "scores: boom"),
    ]
    assert found[0].cure.startswith(cure)
    assert found[0].told()["since"] == NOON.isoformat()


def test_scores_that_are_red():
    names = {"dataset": "curated/bars_5m", "bars_digest": "", "rule_version": "", "score": 0.1}
    numbers = dict.fromkeys(["expected", "observed", "gaps", "duplicates", "flat_run"], 0)
    numbers |= dict.fromkeys(["ohlc_violations", "outliers"], 0)
    shares = {"coverage": 0.0, "null_rate": 0.0, "drift_max": None, "freshness_seconds": None}
    rows = [
        {
            **names,
            **numbers,
            **shares,
            "symbol": symbol,
            "session": DAYS[day],
            "status": status,
            "reasons": "coverage" if status == "RED" else "",
        }
        for symbol, day, status in (("A", 1, "RED"), ("B", 3, "RED"), ("A", 2, "GREEN"))
    ]
    (found,) = red_scores(pl.DataFrame(rows, schema=SCORES.dtypes))
    assert (found.symbols, found.sessions, found.count) == (("A", "B"), (DAYS[1], DAYS[3]), 2)
    assert found.since is None
    assert found.why == "RED: coverage"
    assert found.cure == (
        "emp quality --timeframe 5m --symbols 'A,B' --start 2024-03-02 --end 2024-03-04"
    )


def test_nothing_failed():
    assert failed_fetches(ledger(row(1, "rows")), [attempt(1, 1, 1)]) == []
    assert failed_attempts([]) == []
    assert red_scores(SCORES.empty()) == []
