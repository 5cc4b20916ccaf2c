"""Plans of backfills for tests of what keeps, drives and shows them.

What belongs here: plans with defaults. What does not: assertions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from market_data.backfill.estimate import Estimate
from market_data.backfill.plans import BackfillPlan, BackfillRequest, Piece
from market_data.timeframes import Timeframe

NOW = datetime(2024, 3, 8, 22, 0, 0, 17, tzinfo=UTC)


def plan_of(pieces: int, **changes: Any) -> BackfillPlan:
    """Daily bars of two symbols in so many pieces of 31 days, from 2023 on."""
    first = date(2023, 1, 1)
    symbols = ("DEMO-ACME", "DEMO-BTC")
    made = tuple(
        Piece(
            number=n,
            timeframe=Timeframe.D1,
            first=first + timedelta(days=31 * n),
            last=first + timedelta(days=31 * n + 30),
            symbols=symbols,
            asked={"sample_a": symbols},
            symbol_sessions=50,
            bars=50,
            requests={"sample_a": 2},
        )
        for n in range(pieces)
    )
    last = made[-1].last if made else first
    fields: dict[str, Any] = {
        "request": BackfillRequest("curated/bars_1d", symbols, first, last),
        "pieces": made,
        "complete": 7,
        "not_begun": 1,
        "estimate": Estimate(2.0, 8.0, 0, 9_000),
    }
    return BackfillPlan(**{**fields, **changes})
