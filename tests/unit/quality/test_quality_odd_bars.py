"""What is usual around a bar, and how odd ones are told of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.odd_bars import CHECK, MIN_BARS, WINDOW, tell, usual_at
from market_data.timeframes import Timeframe

DAY = date(2024, 1, 2)
SIZE = pl.col("size").cast(pl.Float64)


def sized(sizes: list[int], symbol: str = "AAA") -> pl.DataFrame:
    """Two bars a session."""
    sessions = [DAY + timedelta(days=n // 2) for n in range(len(sizes))]
    return pl.DataFrame({"symbol": symbol, "session": sessions, "size": sizes})


def usual(bars: pl.DataFrame, at: list[int], timeframe: Timeframe) -> list[float]:
    numbered = bars.with_row_index("row")
    rows = numbered.filter(pl.col("row").is_in(at))
    return usual_at(numbered, rows, SIZE, timeframe).sort("row")["usual"].to_list()


def test_long_bars_are_measured_by_those_before_and_minutes_by_their_session() -> None:
    bars = sized(list(range(100)))
    assert usual(bars, [99, 70], Timeframe.H1) == [39.5, 68.5]
    assert usual(bars, [99, 70], Timeframe.M1) == [70.5, 98.5]
    assert WINDOW == 60


@pytest.mark.parametrize(("count", "expected"), [(40, (MIN_BARS - 1) / 2), (10, 4.5)])
def test_the_first_bars_are_measured_by_those_that_follow(count: int, expected: float) -> None:
    assert usual(sized(list(range(count))), [3], Timeframe.D1) == [expected]


def test_another_symbol_says_nothing() -> None:
    both = pl.concat([sized([1] * 70), sized([50] * 30, "BBB")])
    assert usual(both, [71, 99], Timeframe.D1) == [50.0, 50.0]


def test_the_farthest_bar_of_a_session_is_told_of_with_how_many_there_are() -> None:
    bars = sized([3, 9, 4, 5]).with_columns(
        z=SIZE,
        threshold=pl.lit(2.0),
        ts=pl.lit(datetime(2024, 1, 2, tzinfo=UTC)) + pl.int_range(pl.len()) * timedelta(hours=1),
    )
    detail = pl.format("{} of {}", "size", "rows")
    told = tell(bars, code="odd", detail=detail, dataset="d", sessions=(DAY, DAY))
    shown = told.findings.select("check", "code", "severity", "session", "value", "rows", "detail")
    assert shown.rows() == [(CHECK, "odd", "warn", DAY, 9.0, 2, "9 of 2")]
    assert told.rows["size"].to_list() == [3, 9]
    assert told.measured.rows() == [("AAA", DAY, 2)]
