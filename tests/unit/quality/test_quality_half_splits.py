"""Splits that were worked into the last bars before them alone: the bars before those are wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.false_ticks import FALSE_TICKS
from market_data.quality.half_splits import TOLD_BEFORE
from market_data.quality.jumps import check_jumps, find_jumps
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe

FIRST = date(2024, 1, 2)
EX = 80
"""Number of the day on which the split of 5:1 begins to trade."""


def told(thresholds: Thresholds, closes: list[float], ex: int = EX) -> dict[str, list[int]]:
    sessions = [FIRST + timedelta(days=n) for n in range(len(closes))]
    bars = pl.DataFrame(
        {
            "symbol": "AAA",
            "session": sessions,
            "ts": [datetime(s.year, s.month, s.day, 8, tzinfo=UTC) for s in sessions],
            "close": closes,
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    rules = thresholds.rule("equity", Timeframe.D1).model_dump()
    split = {"symbol": "AAA", "ex_date": FIRST + timedelta(days=ex), "kind": "split", "value": 5.0}
    jumps = find_jumps(
        bars,
        pl.DataFrame([{"symbol": "AAA", "asset_class": "equity", **rules}]),
        actions=pl.DataFrame([split]),
        false_ticks=pl.DataFrame(schema=FALSE_TICKS),
    )
    outcome = check_jumps(jumps, check="c", dataset="d", sessions=(date.min, date.max))
    days = (pl.col("session") - FIRST).dt.total_days()
    found = outcome.findings.group_by("code").agg(days.sort(), pl.col("severity").first())
    assert dict(found.select("code", "severity").rows()).get("split_in_part", "error") == "error"
    return dict(found.select("code", "session").rows())


def as_traded(count: int = 100) -> list[float]:
    return [(200.0 if n < EX else 40.0) * (1 + 0.01 * (n % 3)) for n in range(count)]


@pytest.mark.parametrize("worked_in", [1, 5, 14])
def test_bars_before_the_step_are_wrong_and_the_first_right_one_is_not(
    thresholds: Thresholds, worked_in: int
) -> None:
    step = EX - worked_in
    closes = [c * (5 if n < step else 1) for n, c in enumerate(as_traded())]
    assert told(thresholds, closes) == {"split_in_part": list(range(step - TOLD_BEFORE.days, step))}


def test_a_split_that_is_worked_into_all_or_none_is_no_step(thresholds: Thresholds) -> None:
    assert told(thresholds, as_traded()) == {}


def test_a_split_on_another_day_than_the_recorded_one_is_a_jump_there_and_back(
    thresholds: Thresholds,
) -> None:
    """The price fell by it four days early: of these days one side is wrong, not all before."""
    closes = [(200.0 if n < EX - 4 else 40.0) * (1 + 0.01 * (n % 3)) for n in range(100)]
    assert told(thresholds, closes) == {"jump": [EX - 4, EX]}


def test_nothing_is_known_before_the_split_has_come(thresholds: Thresholds) -> None:
    closes = [c * (5 if n < EX - 2 else 1) for n, c in enumerate(as_traded(EX))]
    assert told(thresholds, closes) == {"jump": [EX - 2]}


@pytest.mark.parametrize(("factor", "apart"), [(3.0, 2), (5.0, 20)])
def test_a_fall_by_another_ratio_or_long_before_is_a_jump(
    thresholds: Thresholds, factor: float, apart: int
) -> None:
    closes = [c * (factor if n < EX - apart else 1) for n, c in enumerate(as_traded())]
    assert told(thresholds, closes) == {"jump": [EX - apart]}
