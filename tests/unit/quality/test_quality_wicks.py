"""Wrong opens, highs and lows: found where they are planted, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.quality.thresholds import Thresholds
from market_data.quality.wicks import WICKS, check_wicks, find_wicks
from market_data.schemas import FINDINGS
from market_data.schemas import UTC as UTC_TIME
from market_data.timeframes import Timeframe

FIRST = datetime(2023, 1, 2, tzinfo=UTC)
DAYS = 120
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
D1, M1 = Timeframe.D1, Timeframe.M1


def walk(
    seed: int, *, count: int = DAYS, volatility: float = 0.012, step: timedelta = DAY
) -> pl.DataFrame:
    """Bars that open near the last close, and reach a little beyond open and close."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.normal(0, volatility, count)))
    opened = np.r_[100.0, close[:-1]] * np.exp(chance.normal(0, volatility / 4, count))
    reach = 1 + np.abs(chance.normal(0, volatility / 3, (2, count)))
    return pl.DataFrame(
        {
            "symbol": ["AAA"] * count,
            "ts": pl.Series([FIRST + step * i for i in range(count)], dtype=UTC_TIME),
            "open": opened,
            "high": np.maximum(opened, close) * reach[0],
            "low": np.minimum(opened, close) / reach[1],
            "close": close,
        }
    ).select("symbol", pl.col("ts").dt.date().alias("session"), pl.exclude("symbol"))


def spoilt(bars: pl.DataFrame, at: int, price: str, factor: float) -> pl.DataFrame:
    """One price of one bar is wrong; the high and low of the bar still enclose it."""
    here = pl.int_range(pl.len()) == at
    wrong = bars.with_columns(pl.when(here).then(pl.col(price) * factor).otherwise(price))
    return wrong.with_columns(
        high=pl.max_horizontal("open", "high", "close"),
        low=pl.min_horizontal("open", "low", "close"),
    )


@pytest.fixture(scope="module")
def limits(thresholds: Thresholds):
    def of(asset_class: str = "equity", timeframe: Timeframe = D1, **changed: object):
        rules = thresholds.rule(asset_class, timeframe).model_dump() | changed
        return pl.DataFrame([{"symbol": "AAA", **rules}])

    return of


def found(
    bars: pl.DataFrame, limits: pl.DataFrame, timeframe: Timeframe = D1
) -> list[tuple[int, str]]:
    wicks = find_wicks(bars, limits, timeframe=timeframe)
    assert dict(wicks.schema) == WICKS
    numbers = bars.select("symbol", "ts", number=pl.int_range(pl.len()))
    told = wicks.join(numbers, on=["symbol", "ts"], maintain_order="left")
    return told.select("number", "price").rows()


@pytest.mark.parametrize("at", [1, 70, DAYS - 1])
@pytest.mark.parametrize(
    ("price", "factor"),
    [("high", 10), ("high", 1.4), ("low", 0.01), ("low", 0.7), ("open", 3), ("open", 0.5)],
)
def test_a_price_that_was_not_traded_is_found(limits, price: str, factor: float, at: int) -> None:
    assert found(spoilt(walk(1), at, price, factor), limits()) == [(at, price)]


def test_prices_a_tenth_off_are_found_in_days_that_move_much(limits) -> None:
    """At six usual ranges 28 of the same forty are."""
    sound = [walk(seed) for seed in range(40)]
    wrong = [spoilt(bars, 70, "low", 1 / 1.1) for bars in sound]
    assert sum(found(bars, limits()) == [(70, "low")] for bars in wrong) == 36
    assert not any(found(bars, limits()) for bars in sound)


def test_one_wrong_neighbour_hides_nothing_at_the_end_of_a_series_either(limits) -> None:
    both = spoilt(spoilt(walk(1), DAYS - 2, "high", 1.4), DAYS - 1, "high", 1.4)
    assert found(both, limits()) == [(DAYS - 2, "high"), (DAYS - 1, "high")]


def test_a_wick_says_where_it_is_and_how_far(limits) -> None:
    still = walk(1, volatility=0.0).with_columns(high=pl.lit(101.0), low=pl.lit(99.0))
    told = find_wicks(spoilt(still, 70, "high", 150 / 101), limits(), timeframe=D1)
    row = told.row(0, named=True)
    # 150 against 100 all around it; a usual bar reaches from 99 to 101
    assert (row["price"], row["at"]) == ("high", pytest.approx(150.0))
    assert row["beyond"] == pytest.approx(0.5)
    assert row["z"] == pytest.approx(np.log(1.5) / np.log(101 / 99))
    assert row["threshold"] == 5.5


@given(
    seed=st.integers(0, 10_000),
    at=st.integers(1, DAYS - 1),
    ratio=st.sampled_from([2, 3, 7, 20, 1 / 2, 1 / 8, 100]),
)
@settings(max_examples=100, deadline=None)
def test_what_moves_a_whole_bar_is_no_wick(
    thresholds: Thresholds, seed: int, at: int, ratio: float
) -> None:
    """Neither a split, nor an opening that gaps, nor another unit."""
    rules = pl.DataFrame([{"symbol": "AAA", **thresholds.rule("equity", D1).model_dump()}])
    after = pl.int_range(pl.len()) >= at
    prices = pl.col("open", "high", "low", "close")
    split = walk(seed).with_columns(pl.when(after).then(prices / ratio).otherwise(prices))
    assert found(split, rules) == []


@given(
    seed=st.integers(0, 10_000),
    at=st.integers(1, DAYS - 1),
    fault=st.sampled_from([("high", 1.5), ("low", 0.6), ("open", 1.6), ("open", 0.6)]),
    scale=st.sampled_from([1e-6, 0.03, 70_000.0]),
)
@settings(max_examples=100, deadline=None)
def test_a_fault_is_found_alone_at_any_level_of_prices(
    thresholds: Thresholds, seed: int, at: int, fault: tuple[str, float], scale: float
) -> None:
    rules = pl.DataFrame([{"symbol": "AAA", **thresholds.rule("equity", D1).model_dump()}])
    bars = spoilt(walk(seed), at, *fault)
    scaled = bars.with_columns(pl.col("open", "high", "low", "close") * scale)
    assert found(scaled, rules) == [(at, fault[0])]


def test_a_high_at_which_the_next_bar_opens_was_traded(limits) -> None:
    bars = spoilt(walk(1), 70, "high", 1.4)
    high = bars["high"][70]
    opens = pl.when(pl.int_range(pl.len()) == 71).then(high).otherwise("open")
    followed = bars.with_columns(open=opens).with_columns(high=pl.max_horizontal("high", "open"))
    assert (70, "high") not in found(followed, limits())


def test_a_wrong_close_is_no_wick(limits) -> None:
    """Neither its own high, nor the opening and the bar after it."""
    assert found(spoilt(walk(1), 70, "close", 1.5), limits()) == []
    assert found(spoilt(walk(1), 70, "close", 0.5), limits()) == []


def test_a_market_in_turmoil_is_so_for_more_than_a_bar(limits) -> None:
    bars = spoilt(walk(1), 70, "high", 1.4)
    wide = spoilt(spoilt(bars, 69, "low", 0.85), 71, "low", 0.85)
    assert (70, "high") not in found(wide, limits())
    assert found(spoilt(bars, 71, "low", 0.5), limits()) == [(70, "high"), (71, "low")]


def test_the_next_symbol_is_no_neighbour(limits) -> None:
    mine = walk(3)
    other = walk(4).with_columns(pl.col("open", "high", "low", "close") * 50, symbol=pl.lit("BBB"))
    both = pl.concat([limits(), limits().with_columns(symbol=pl.lit("BBB"))])
    assert found(pl.concat([mine, other]), both) == []
    wrong = pl.concat([spoilt(mine, DAYS - 1, "high", 2), spoilt(other, 0, "low", 0.4)])
    assert found(wrong, both) == [(DAYS - 1, "high"), (DAYS, "low")]


@pytest.mark.parametrize(("asset_class", "least"), [("equity", 0.02), ("fx", 0.005)])
def test_minutes_are_measured_by_their_session_and_class(
    limits, asset_class: str, least: float
) -> None:
    minutes = walk(5, volatility=0.0002, count=390, step=MINUTE)
    rules = limits(asset_class, M1)
    assert found(spoilt(minutes, 200, "low", 1 - 1.3 * least), rules, M1) == [(200, "low")]
    assert found(spoilt(minutes, 200, "low", 1 - 0.8 * least), rules, M1) == []


def test_prices_that_stand_still_have_a_range_of_nothing(limits) -> None:
    still = walk(1, volatility=0.0, step=MINUTE)
    assert found(still, limits(timeframe=M1), M1) == []
    assert found(spoilt(still, 60, "high", 1.05), limits(timeframe=M1), M1) == [(60, "high")]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"wick_z": 1000.0}, []),
        ({"wick_move": 0.6}, []),
        ({"wick_move": 0.3}, [(70, "high")]),
    ],
)
def test_every_limit_counts(limits, changed: dict[str, float], told: list[object]) -> None:
    assert found(spoilt(walk(1), 70, "high", 1.5), limits(**changed)) == told


def test_findings_name_session_price_and_limit(limits) -> None:
    bars = spoilt(spoilt(walk(1), 70, "high", 10.0), 71, "open", 3.0)
    wicks = find_wicks(bars, limits(), timeframe=D1)
    first, second = bars["session"][70], bars["session"][71]
    outcome = check_wicks(wicks, dataset="curated/bars_1d", sessions=(first, first))
    assert outcome.findings.columns == FINDINGS.names
    told = outcome.findings.row(0, named=True)
    assert (told["check"], told["code"], told["severity"]) == ("false_ticks", "wick", "warn")
    assert told["session"] == first
    assert told["value"] > told["threshold"] == 5.5
    assert "the high is" in told["detail"]
    later = check_wicks(wicks, dataset="curated/bars_1d", sessions=(second, date.max))
    assert later.findings.get_column("session").to_list() == [second]


def test_nothing_comes_of_nothing(limits) -> None:
    assert found(walk(1).clear(), limits()) == []
    assert found(walk(1), limits().clear()) == []
    assert found(walk(1).head(1), limits()) == []
