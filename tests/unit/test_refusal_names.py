"""The names under which `emp quarantine` looks for refused rows are those that rules give."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from market_data.validation import REASONS, PriceRange, find_broken

NAN = float("nan")


def test_every_rule_about_one_row_is_named() -> None:
    rows = [
        (NAN, 1.0, 1.0, 1.0, 1.0),
        (-1.0, 1.0, -1.0, 1.0, 1.0),
        (1.0, 0.5, 1.0, 1.0, 1.0),
        (1.0, 9e9, 1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0, 1.0, -1.0),
    ]
    bars = pl.DataFrame(rows, schema=["open", "high", "low", "close", "volume"], orient="row")
    late = bars.with_columns(ts=datetime(2030, 1, 1, tzinfo=UTC))
    broken = find_broken(late, prices=PriceRange(0.01, 1e6), now=datetime(2024, 1, 1, tzinfo=UTC))
    assert broken is not None
    assert {r for listed in broken.reasons for r in listed.split(",")} == set(REASONS)
