"""Which rows are refused, and that every reason is named."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.validation import PriceRange, find_broken, validate_rows

NOW = datetime(2024, 1, 10, tzinfo=UTC)
RANGE = PriceRange(0.5, 1000.0)
GOOD = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0, "vwap": 10.5}
INF, NAN = float("inf"), float("nan")


def rows(*changes: dict[str, object]) -> pl.DataFrame:
    full = [{"ts": datetime(2024, 1, 9, tzinfo=UTC), "trades": 3, **GOOD, **c} for c in changes]
    return pl.DataFrame(
        full,
        schema={
            "ts": pl.Datetime("us", "UTC"),
            **dict.fromkeys(GOOD, pl.Float64),
            "trades": pl.Int64,
        },
    )


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"close": NAN}, "not_finite"),
        ({"open": NAN}, "not_finite"),
        ({"low": NAN}, "not_finite"),
        ({"high": NAN}, "not_finite"),
        ({"high": INF}, "not_finite"),
        ({"open": None}, "not_finite"),
        ({"volume": INF}, "not_finite"),
        ({"vwap": NAN}, "not_finite"),
        ({"low": 0.0}, "not_positive,price_range"),
        ({"low": -1.0}, "not_positive,price_range"),
        ({"high": 10.5}, "ohlc"),
        ({"low": 10.5}, "ohlc"),
        ({"high": 8.0}, "ohlc"),
        ({"volume": -1.0}, "negative_volume"),
        ({"trades": -1}, "negative_volume"),
        ({"high": 1000.1}, "price_range"),
        ({"low": 0.4}, "price_range"),
        ({"ts": datetime(2024, 1, 10, 0, 1, tzinfo=UTC)}, "future"),
        ({"close": 13.0, "volume": -2.0}, "negative_volume,ohlc"),
    ],
)
def test_a_broken_row_is_refused_with_every_reason(change: dict, reasons: str) -> None:
    found = validate_rows(rows({}, change, {}), prices=RANGE, now=NOW)
    assert found.bad["reasons"].to_list() == [reasons]
    assert found.good.equals(rows({}, {}))


def test_edges_are_inside() -> None:
    bars = rows(
        {"high": 1000.0},
        {"low": 0.5},
        {"ts": NOW},
        {"volume": 0.0},
        {"volume": None, "vwap": None, "trades": None},
        {"open": 9.0, "close": 9.0, "high": 9.0, "low": 9.0},
    )
    found = validate_rows(bars, prices=RANGE, now=NOW)
    assert found.good is bars
    assert found.bad.is_empty()
    assert found.bad.columns == [*bars.columns, "reasons"]


def test_reasons_from_elsewhere_join_those_of_the_values() -> None:
    also = {"contradiction": pl.Series([True, True, False])}
    found = validate_rows(rows({}, {"high": 8.0}, {}), prices=RANGE, now=NOW, also=also)
    assert found.bad["reasons"].to_list() == ["contradiction", "contradiction,ohlc"]


def test_spared_rows_are_not_judged() -> None:
    spared = pl.Series([True, False])
    bars = rows({"high": 8.0}, {"low": -1.0})
    found = find_broken(bars, prices=RANGE, now=NOW, spared=spared)
    assert found is not None
    assert found.flags.to_list() == [False, True]
    assert find_broken(bars, prices=RANGE, now=NOW, spared=pl.Series([True, True])) is None


def test_bounds_may_be_columns() -> None:
    bars = rows({}, {}).with_columns(top=pl.Series([11.0, 12.0]))
    found = validate_rows(bars, prices=PriceRange(0.5, pl.col("top")), now=NOW)
    assert found.bad["reasons"].to_list() == ["price_range"]


cell = st.sampled_from([NAN, INF, -INF, None, -1.0, 0.0, 0.6, 1.0, 9.0, 9.5, 2000.0])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(cell, cell, cell, cell, cell, cell), min_size=1, max_size=8))
def test_the_fast_test_and_the_reasons_agree(cells: list[tuple[float | None, ...]]) -> None:
    names = ("open", "high", "low", "close", "volume", "vwap")
    bars = rows(*(dict(zip(names, c, strict=True)) for c in cells))
    found = validate_rows(bars, prices=RANGE, now=NOW)
    assert "" not in found.bad["reasons"].to_list()
    assert found.good.height + found.bad.height == bars.height
    prices = found.good.select("open", "high", "low", "close")
    for o, h, lo, c in prices.rows():
        assert 0.5 <= lo <= min(o, c) <= max(o, c) <= h <= 1000.0
    alone = [validate_rows(bars[i], prices=RANGE, now=NOW).bad.height for i in range(bars.height)]
    assert sum(alone) == found.bad.height


def test_bounds_that_say_nothing_leave_positive_and_finite() -> None:
    bars = rows({"low": 0.0}, {"high": INF}, {})
    found = validate_rows(bars, prices=PriceRange(0.0, INF), now=NOW)
    assert found.bad["reasons"].to_list() == ["not_positive", "not_finite"]
