"""The first and the newest bars of a series, and prices that hardly move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.bar_flags import bar_flags
from market_data.quality.false_ticks import check_false_ticks, find_false_ticks
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import limits_of
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

FIRST = datetime(2024, 1, 2, tzinfo=UTC)
SHARE = Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS")


def bars_of(closes: list[float], openings: list[float] | None = None) -> pl.DataFrame:
    """Days; without openings each bar opens and closes at one price."""
    opens = closes if openings is None else openings
    days = [FIRST + timedelta(days=n) for n in range(len(closes))]
    return pl.DataFrame({"ts": days, "open": opens, "close": closes}).select(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        "open",
        "close",
        symbol=pl.lit("AAA"),
        session=pl.col("ts").dt.date(),
        high=pl.max_horizontal("open", "close"),
        low=pl.min_horizontal("open", "close"),
        volume=pl.lit(None, pl.Float64),
    )


def flags(bars: pl.DataFrame, thresholds: Thresholds) -> dict[int, str]:
    """The codes of bars, by number."""
    limits = limits_of([SHARE], Timeframe.D1, thresholds)
    found = bar_flags(bars, limits, timeframe=Timeframe.D1, actions=CORPORATE_ACTIONS.empty()).sort(
        "ts", "code"
    )
    numbered = found.join(bars.with_row_index().select("index", "ts"), on="ts")
    return dict(numbered.group_by("index").agg(pl.col("code").str.join(",")).sort("index").rows())


def calm(count: int) -> list[float]:
    return [50 + 0.05 * ((7 * n) % 11) for n in range(count)]


@pytest.mark.parametrize("wrong", [1, 2, 5])
@pytest.mark.parametrize(
    ("factor", "code"), [(100.0, "unit_error"), (0.01, "unit_error"), (30.0, "jump")]
)
def test_a_few_wrong_bars_at_the_beginning_are_told_and_not_the_first_right_one(
    thresholds: Thresholds, wrong: int, factor: float, code: str
) -> None:
    closes = [c * (factor if n < wrong else 1) for n, c in enumerate(calm(40))]
    assert flags(bars_of(closes), thresholds) == dict.fromkeys(range(wrong), code)
    # Until enough others say so, nobody knows which side it is.
    few = bars_of(closes[: wrong + 10])
    assert flags(few, thresholds) == {wrong: code}


def test_a_long_beginning_is_a_level_of_its_own(thresholds: Thresholds) -> None:
    closes = [c * (100 if n < 6 else 1) for n, c in enumerate(calm(60))]
    assert flags(bars_of(closes), thresholds) == {6: "unit_error"}


def test_a_split_that_is_recorded_is_no_wrong_beginning(thresholds: Thresholds) -> None:
    closes = [c / (20 if n >= 2 else 1) for n, c in enumerate(calm(40))]
    bars = bars_of(closes)
    actions = pl.DataFrame(
        {"symbol": "AAA", "ex_date": bars["session"][2], "kind": "split", "value": 20.0}
    )
    limits = limits_of([SHARE], Timeframe.D1, thresholds)
    assert bar_flags(bars, limits, timeframe=Timeframe.D1, actions=actions).is_empty()


def test_bars_that_come_back_into_the_first_unit_were_the_wrong_ones(
    thresholds: Thresholds,
) -> None:
    closes = [c * (100 if 3 <= n < 4 else 1) for n, c in enumerate(calm(60))]
    told = flags(bars_of(closes), thresholds)
    assert {n for n, codes in told.items() if "unit_error" in codes} == {3}


def test_few_bars_before_many_in_another_unit_say_nothing(thresholds: Thresholds) -> None:
    """All are left out, until a month after the step back."""
    closes = [c * (100 if 3 <= n < 20 else 1) for n, c in enumerate(calm(60))]
    assert flags(bars_of(closes), thresholds) == dict.fromkeys(range(50), "unit_error")


def test_a_change_that_comes_back_later_is_no_wrong_beginning(thresholds: Thresholds) -> None:
    """It lasts too long for a stretch: which side is wrong nobody can say."""
    closes = [c * (100 if 2 <= n < 33 else 1) for n, c in enumerate(calm(60))]
    assert flags(bars_of(closes), thresholds) == {2: "unit_error", 33: "unit_error"}


def test_the_last_bar_is_told_where_it_is_far_off(thresholds: Thresholds) -> None:
    for factor, code in ((100.0, "unit_error"), (3.0, "jump")):
        closes = [*calm(40), 50 * factor]
        assert flags(bars_of(closes), thresholds) == {40: code}


def test_a_false_close_of_the_first_bar_is_told_by_its_opening(thresholds: Thresholds) -> None:
    right = calm(60)
    wrong = [right[0] * 1.2, *right[1:]]
    assert flags(bars_of(wrong, [right[0], *right[:-1]]), thresholds) == {0: "false_tick"}
    # Of the newest bar nobody knows yet.
    assert flags(bars_of([*right, 60.0], [*right, right[-1]]), thresholds) == {}


def test_a_price_that_does_not_move_has_a_finite_measure_of_a_false_one(
    thresholds: Thresholds,
) -> None:
    closes = [50.0] * 60
    closes[40] = 60.0
    limits = limits_of([SHARE], Timeframe.D1, thresholds)
    found = find_false_ticks(bars_of(closes, [50.0] * 60), limits, timeframe=Timeframe.D1)
    days = bars_of(closes)["session"]
    told = check_false_ticks(found, dataset="curated/bars_1d", sessions=(days[0], days[-1]))
    (value,) = told.findings["value"].to_list()
    # A cent is the least that it could have moved.
    assert value == pytest.approx(
        abs(pl.select(pl.lit(50 / 60).log()).item()) / (0.01 / 60) / 1.4826
    )


def test_the_least_that_a_price_can_move_is_no_false_price(thresholds: Thresholds) -> None:
    """A cent of twenty, where hardly anything is traded."""
    closes = [0.20] * 60
    closes[40] = 0.21
    assert flags(bars_of(closes, [0.20] * 60), thresholds).keys() <= set(range(4, 60))
    codes = ",".join(flags(bars_of(closes, [0.20] * 60), thresholds).values())
    assert set(codes.split(",")) == {"flat_run"}
    closes[40] = 0.30
    assert "false_tick" in flags(bars_of(closes, [0.20] * 60), thresholds)[40]
