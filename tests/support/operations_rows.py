"""Attempts, reach and scores for tests of the reports on operations.

What belongs here: rows with defaults. What does not: assertions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from market_data.operations.attempts import attempts
from market_data.operations.evidence import EVENTS, REACH, Evidence
from market_data.ports import IngestRun
from market_data.schemas import SCORES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
"""A Friday, an hour after the close in New York."""
SHARES = {
    symbol: Instrument(symbol=symbol, asset_class=AssetClass.EQUITY, calendar="XNYS")
    for symbol in ("AAA", "BBB", "CCC")
}


def attempt(day: int, **changes: Any) -> IngestRun:
    """An attempt of ten seconds at AAA's daily bar of a day of March 2024, after its close."""
    at = datetime(2024, 3, day, 21, 30, tzinfo=UTC)
    made: dict[str, Any] = {
        "fetch_id": f"f{day}",
        "run_id": f"run-{day}",
        "vendor": "yahoo",
        "timeframe": Timeframe.D1,
        "symbols": ("AAA",),
        "sessions": (date(2024, 3, day), date(2024, 3, day)),
        "status": "ok",
        "rows": 1,
        "new_rows": 1,
        "rejected_rows": 0,
        "started_at": at,
        "ended_at": at + timedelta(seconds=10),
        "newest_bar": datetime(2024, 3, day, 21, tzinfo=UTC),
    }
    return IngestRun(**{**made, **changes})


def reach(symbol: str, newest: int | None, **changes: Any) -> dict[str, Any]:
    """A row of REACH of a daily bar: the newest of March; the 8th is due, the 7th for long."""
    row = {
        "dimension": "daily_bars",
        "timeframe": "1d",
        "symbol": symbol,
        "newest": None if newest is None else date(2024, 3, newest),
        "newest_end": None if newest is None else datetime(2024, 3, newest, 21, tzinfo=UTC),
        "due_warn": date(2024, 3, 8),
        "due_error": date(2024, 3, 7),
    }
    return {**row, **changes}


def score(symbol: str, day: int, **changes: Any) -> dict[str, Any]:
    """A flawless row of SCORES of a day of March 2024."""
    plain = {pl.String(): "", pl.Int64(): 0, pl.Float64(): 0.0}
    row = {name: plain.get(dtype) for name, dtype in SCORES.dtypes.items()}
    flawless = {"expected": 1, "observed": 1, "coverage": 1.0, "score": 1.0, "status": "GREEN"}
    named = {"dataset": "curated/bars_1d", "symbol": symbol, "session": date(2024, 3, day)}
    return {**row, **flawless, **named, **changes}


def evidence(
    *runs: IngestRun,
    reached: tuple[dict[str, Any], ...] = (),
    scores: tuple[dict[str, Any], ...] = (),
    events: tuple[tuple[str, date, str], ...] = (),
    **more: Any,
) -> Evidence:
    """What was seen at NOW."""
    return Evidence(
        at=NOW,
        attempts=attempts(runs, SHARES),
        reach=pl.DataFrame(list(reached), schema=REACH),
        scores=pl.DataFrame(list(scores), schema=SCORES.dtypes),
        events=pl.DataFrame(list(events), schema=EVENTS, orient="row"),
        **more,
    )
