"""Bars in another unit: those between two steps by a hundred are marked, the right ones are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.bar_flags import bar_flags
from market_data.quality.false_ticks import FALSE_TICKS
from market_data.quality.jumps import LONGEST_IN_OTHER_UNIT, check_jumps, find_jumps
from market_data.quality.thresholds import Thresholds
from market_data.schemas import CORPORATE_ACTIONS, PRICES
from market_data.timeframes import Timeframe

FIRST = date(2024, 1, 2)
NO_ACTIONS = CORPORATE_ACTIONS.empty()
POUNDS = [14.5, 14.6]
PENCE = [1450.0, 1470.0, 1490.0, 1550.0, 1600.0, 1650.0, 1700.0]
"""More bars than a false tick has."""


def daily(closes: Sequence[float], symbol: str = "AAA") -> pl.DataFrame:
    sessions = [FIRST + timedelta(days=i) for i in range(len(closes))]
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(closes),
            "session": sessions,
            "ts": [datetime(s.year, s.month, s.day, 8, tzinfo=UTC) for s in sessions],
            **{price: [float(c) for c in closes] for price in PRICES},
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )


@pytest.fixture
def limits(thresholds: Thresholds) -> pl.DataFrame:
    rules = thresholds.rule("equity", Timeframe.D1).model_dump()
    return pl.DataFrame([{"symbol": s, "asset_class": "equity", **rules} for s in ("AAA", "BBB")])


def marked(bars: pl.DataFrame, limits: pl.DataFrame, symbol: str = "AAA") -> list[int]:
    """Positions of the bars in another unit, by the flags of bars and by the findings alike."""
    position = (pl.col("session") - FIRST).dt.total_days()
    flags = bar_flags(bars, limits, timeframe=Timeframe.D1, actions=NO_ACTIONS)
    own = flags.filter(pl.col("code") == "unit_error", pl.col("symbol") == symbol)
    assert own["severity"].unique().to_list() in ([], ["error"])
    ticks = pl.DataFrame(schema=FALSE_TICKS)
    jumps = find_jumps(bars, limits, actions=NO_ACTIONS, false_ticks=ticks)
    outcome = check_jumps(jumps, check="c", dataset="d", sessions=(date.min, date.max))
    found = outcome.findings.filter(pl.col("code") == "unit_error", pl.col("symbol") == symbol)
    assert found["session"].sort().to_list() == own["session"].to_list()
    return own.select(position).to_series().to_list()


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([*POUNDS, *PENCE, 17.1, 17.2], [*range(2, 9)]),
        ([*PENCE, *[p / 100 for p in PENCE[::-1]], 1440.0, 1430.0], [*range(7, 14)]),
        # Two stretches, each with its own end.
        (
            [*POUNDS, *PENCE, *[17.1] * 6, *[1710.0 + i for i in range(6)], 17.2, 17.3],
            [*range(2, 9), *range(15, 21)],
        ),
        # It stays: nobody can say which side is the wrong one.
        ([*POUNDS, *PENCE], [2]),
        # Twice the same way is no return.
        ([*POUNDS, 1460.0, 1470.0, 147_000.0, 148_000.0], [2, 4]),
    ],
)
def test_bars_between_two_steps_are_in_the_wrong_unit(limits, closes, expected) -> None:
    assert marked(daily(closes), limits) == expected


def test_each_symbol_has_its_own_stretches(limits) -> None:
    back = daily([*PENCE, 17.1, 17.2], "BBB")
    both = pl.concat([daily([*POUNDS, *PENCE]), back])
    assert marked(both, limits, "AAA") == [2]
    assert marked(both, limits, "BBB") == [7]


def test_a_jump_within_such_a_stretch_is_still_told(limits) -> None:
    closes = [*POUNDS, *PENCE, *[p * 1.7 for p in PENCE], 28.9, 29.0]
    flags = bar_flags(daily(closes), limits, timeframe=Timeframe.D1, actions=NO_ACTIONS)
    assert marked(daily(closes), limits) == list(range(2, 16))
    jumps = flags.filter(code="jump")
    assert jumps["session"].to_list() == [FIRST + timedelta(days=9)]


def test_far_apart_steps_are_two_changes(limits) -> None:
    days = LONGEST_IN_OTHER_UNIT.days
    near = daily([*POUNDS, *[1450.0 + i % 2 for i in range(days)], 14.5, 14.6])
    assert marked(near, limits) == list(range(2, 2 + days))
    far = daily([*POUNDS, *[1450.0 + i % 2 for i in range(days + 1)], 14.5, 14.6])
    assert marked(far, limits) == [2, days + 3]


def test_what_is_told_of_bars_in_between(limits) -> None:
    bars = daily([*POUNDS, *PENCE, 17.1])
    ticks = pl.DataFrame(schema=FALSE_TICKS)
    jumps = find_jumps(bars, limits, actions=NO_ACTIONS, false_ticks=ticks)
    outcome = check_jumps(jumps, check="c", dataset="d", sessions=(date.min, date.max))
    told = outcome.findings.sort("session")["detail"].to_list()
    assert "goes from 14.6 to 1450.0" in told[0]
    assert "is 1470.0" in told[1]
    assert "since 2024-01-04 08:00" in told[1]
