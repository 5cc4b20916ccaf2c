"""False ticks: found where they are planted, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from market_data.quality.false_ticks import FALSE_TICKS, check_false_ticks, find_false_ticks
from market_data.quality.thresholds import Thresholds
from market_data.schemas import FINDINGS
from market_data.schemas import UTC as UTC_TIME
from market_data.timeframes import Timeframe

FIRST = datetime(2023, 1, 2, tzinfo=UTC)
DAYS = 120
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def walk(seed: int, *, count: int = DAYS, volatility: float = 0.015) -> pl.DataFrame:
    """Daily bars with fat tails, each opening where the one before closed."""
    steps = np.random.default_rng(seed).standard_t(3, count) / np.sqrt(3) * volatility
    return series(100 * np.exp(np.cumsum(steps)))


def series(
    closes: np.ndarray | list[float], *, step: timedelta = timedelta(days=1)
) -> pl.DataFrame:
    close = pl.Series("close", closes, dtype=pl.Float64)
    times = pl.Series("ts", [FIRST + step * i for i in range(len(close))], UTC_TIME)
    return pl.DataFrame(
        {"symbol": ["AAA"] * len(close), "ts": times, "open": close.shift().fill_null(close[0])}
        | {"close": close}
    ).select("symbol", pl.col("ts").dt.date().alias("session"), "ts", "open", "close")


def spiked(bars: pl.DataFrame, first: int, length: int, factor: float) -> pl.DataFrame:
    """Wrong closes, and wrong openings of all wrong bars but the first; the rest stays right."""
    position = pl.int_range(pl.len())
    wrong = position.is_between(first, first + length - 1)
    return bars.with_columns(
        open=pl.when(wrong & (position > first)).then(pl.col("open") * factor).otherwise("open"),
        close=pl.when(wrong).then(pl.col("close") * factor).otherwise("close"),
    )


@pytest.fixture(scope="module")
def limits(thresholds: Thresholds):
    def of(asset_class: str = "equity", timeframe: Timeframe = Timeframe.D1, **changed: object):
        rules = thresholds.rule(asset_class, timeframe).model_dump() | changed
        return pl.DataFrame([{"symbol": "AAA", **rules}])

    return of


def flagged(
    bars: pl.DataFrame, limits: pl.DataFrame, timeframe: Timeframe = Timeframe.D1
) -> list[int]:
    found = find_false_ticks(bars, limits, timeframe=timeframe)
    assert dict(found.schema) == FALSE_TICKS
    rows = bars.with_row_index().join(found.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
    assert rows.height == found.height
    return rows.get_column("index").to_list()


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("factor", [1.25, 0.8, 100.0, 0.01])
def test_a_price_that_was_not_traded_is_found(limits, length: int, factor: float) -> None:
    bars = spiked(walk(1), 70, length, factor)
    assert flagged(bars, limits()) == list(range(70, 70 + length))


def test_a_longer_run_than_allowed_is_a_level_of_its_own(limits) -> None:
    bars = spiked(walk(1), 70, 3, 1.25)
    assert flagged(bars, limits(false_tick_bars=2)) == []


def test_right_bars_between_two_false_ones_are_right(limits) -> None:
    bars = spiked(spiked(series([100.0] * 30), 20, 1, 1.2), 22, 1, 1.2)
    varied = bars.with_columns(pl.col("open", "close") * (1 + pl.int_range(pl.len()) % 2 * 0.001))
    assert flagged(varied, limits()) == [20, 22]


def test_a_market_that_turns_trades_its_way_back(limits) -> None:
    closes = walk(2).get_column("close").to_list()
    closes[70] = closes[69] * 0.8
    turned = series(closes)
    assert turned["open"][71] == turned["close"][70]
    assert flagged(turned, limits()) == []


@given(
    seed=st.integers(0, 10_000),
    at=st.integers(1, DAYS - 1),
    ratio=st.sampled_from([2, 3, 7, 20, 1 / 2, 1 / 8]),
)
@settings(max_examples=150, deadline=None)
def test_a_split_is_no_false_tick(thresholds: Thresholds, seed: int, at: int, ratio: float) -> None:
    whole = walk(seed)
    after = pl.int_range(pl.len()) >= at
    split = whole.with_columns(
        pl.when(after).then(pl.col(c) / ratio).otherwise(c).alias(c) for c in ("open", "close")
    )
    rules = pl.DataFrame([{"symbol": "AAA", **thresholds.rule("equity", "1d").model_dump()}])
    assert flagged(split, rules) == flagged(whole, rules) == []


@example(seed=520, scale=1.0)  # a far step lies four bars before
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 0.03, 1.0, 70_000.0]))
@settings(max_examples=50, deadline=None)
def test_prices_count_relative_to_each_other(
    thresholds: Thresholds, seed: int, scale: float
) -> None:
    rules = pl.DataFrame([{"symbol": "AAA", **thresholds.rule("equity", "1d").model_dump()}])
    bars = spiked(walk(seed), 70, 1, 1.6)
    scaled = bars.with_columns(pl.col("open", "close") * scale)
    assert flagged(scaled, rules) == flagged(bars, rules)


@pytest.mark.parametrize("seed", range(40))
def test_a_single_wrong_close_is_found_alone(limits, seed: int) -> None:
    assert flagged(spiked(walk(seed), 70, 1, 1.6), limits()) == [70]


def test_of_two_runs_that_overlap_the_farther_one_tells_of_their_bar(limits) -> None:
    """A price that is a fifth of what it was for three bars, in the second one far less than it."""
    wrong = spiked(spiked(walk(3), 70, 3, 0.2), 71, 1, 0.01)
    found = find_false_ticks(wrong, limits(), timeframe=Timeframe.D1)
    assert found["session"].to_list() == wrong["session"][70:73].to_list()
    middle = found.row(1, named=True)
    assert middle["before"] == wrong["close"][70]
    assert middle["jump"] == pytest.approx(wrong["close"][71] / wrong["close"][70] - 1)


def test_what_was_traded_between_wrong_bars_hides_none_of_them(limits) -> None:
    closes = [100.0, 101.0] * 35 + [103.0, 106.0, 103.0, 106.5, 105.5, 106.0] + [105.5, 106.5] * 10
    assert flagged(spiked(series(closes), 70, 4, 1.1), limits()) == [70, 71, 72, 73]


@pytest.mark.parametrize(("gap", "found"), [(0.006, [70]), (0.02, [])])
def test_openings_that_usually_lie_apart_tell_nothing(limits, gap: float, found: list[int]) -> None:
    quiet = walk(3, volatility=0.008)
    sign = pl.int_range(pl.len()) % 2 * 2 - 1
    apart = quiet.with_columns(open=pl.col("open") * (1 + gap * sign))
    assert flagged(spiked(apart, 70, 1, 1.15), limits()) == found


@pytest.mark.parametrize(
    ("closes", "opening"),
    [
        pytest.param([125.0, 124.0] + [112.0, 113.0] * 10, 112.0, id="half of it comes back"),
        pytest.param([111.0, 107.0] + [96.0, 97.0] * 10, 96.0, id="it goes on beyond"),
        pytest.param([125.0, 124.0] * 10, 101.0, id="one opening alone is of before"),
    ],
)
def test_a_jump_and_another_one_are_no_fault(limits, closes: list[float], opening: float) -> None:
    gap = series([100.0, 101.0] * 35 + closes).with_columns(
        open=pl.when(pl.int_range(pl.len()) == 72).then(opening).otherwise("open")
    )
    assert flagged(gap, limits()) == []


def test_what_cannot_be_judged_yet_is_left_alone(limits) -> None:
    bars = spiked(walk(3), DAYS - 1, 1, 1.5)
    assert flagged(bars, limits()) == []


def test_the_next_symbol_is_not_what_a_price_comes_back_to(limits) -> None:
    mine = spiked(walk(3), DAYS - 1, 1, 1.5)
    other = walk(3).with_columns(symbol=pl.lit("BBB"))
    both = pl.concat([limits(), limits().with_columns(symbol=pl.lit("BBB"))])
    assert flagged(pl.concat([mine, other]), both) == []


def test_minutes_are_measured_by_their_session(limits) -> None:
    quiet = np.full(390, 100.0) * (1 + np.arange(390) % 2 * 0.0004)
    bars = spiked(series(quiet, step=MINUTE), 200, 2, 1.02)
    assert flagged(bars, limits(timeframe=Timeframe.M1), Timeframe.M1) == [200, 201]


def test_small_steps_are_never_false(limits) -> None:
    still = spiked(series([100.0] * 60, step=MINUTE), 40, 1, 1.004)
    rules = limits(timeframe=Timeframe.M1)
    assert flagged(still, rules, Timeframe.M1) == []
    assert flagged(spiked(still, 50, 1, 1.006), rules, Timeframe.M1) == [50]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"false_tick_z": 1000.0}, []),
        ({"false_tick_move": 0.3}, []),
        ({"false_tick_move": 0.2}, [70]),
        ({"false_tick_revert": 1.0}, []),
    ],
)
def test_every_limit_counts(limits, changed: dict[str, float], found: list[int]) -> None:
    assert flagged(spiked(walk(1), 70, 1, 1.25), limits(**changed)) == found


def test_the_documents_rule_is_kept_beside_it(limits) -> None:
    closes = [100.0 + i % 3 * 0.1 for i in range(40)]
    closes[30] = 103.0
    rules = limits(false_tick_profile="documents")
    found = find_false_ticks(series(closes), rules, timeframe=Timeframe.D1)
    # window 11..30: median 100.1, median absolute deviation 0.1, so z = 2.9 / 0.14826
    assert found.select("before", "z").rows() == [pytest.approx((100.1, 19.5602), rel=1e-4)]
    assert flagged(series([*closes[:9], 130.0]), rules) == [9]
    assert flagged(series([*closes[:8], 130.0]), rules) == []


def test_findings_name_session_rows_and_limit(limits) -> None:
    bars = spiked(walk(1), 70, 2, 1.25)
    first, second = bars["session"][70], bars["session"][71]
    ticks = find_false_ticks(bars, limits(), timeframe=Timeframe.D1)
    outcome = check_false_ticks(ticks, dataset="curated/bars_1d", sessions=(first, first))
    assert outcome.findings.columns == FINDINGS.names
    told = outcome.findings.row(0, named=True)
    assert (told["code"], told["severity"], told["session"]) == ("false_tick", "warn", first)
    assert told["value"] > told["threshold"] == 4.5
    assert outcome.rows.select("session", "before").rows() == [(first, bars["close"][69])]
    later = check_false_ticks(ticks, dataset="curated/bars_1d", sessions=(second, date.max))
    assert later.findings.get_column("session").to_list() == [second]


def test_nothing_comes_of_nothing(limits) -> None:
    empty = walk(1).clear()
    assert flagged(empty, limits()) == []
    assert flagged(empty, limits(false_tick_profile="documents")) == []


def test_long_bars_are_measured_by_those_before(limits) -> None:
    bars = spiked(series(walk(1)["close"].to_list(), step=timedelta(hours=4)), 70, 1, 1.25)
    assert flagged(bars, limits(timeframe=Timeframe.H4), Timeframe.H4) == [70]


@pytest.mark.parametrize(("factor", "found"), [(1.009, []), (1.03, [59])])
def test_a_night_may_undo_what_a_day_did(limits, factor: float, found: list[int]) -> None:
    quiet = series([100.0, 100.2] * 60, step=MINUTE).with_columns(
        session=pl.when(pl.int_range(pl.len()) < 60)
        .then(date(2023, 1, 2))
        .otherwise(date(2023, 1, 3))
    )
    rules = limits(timeframe=Timeframe.M1, false_tick_z=2.0)
    assert flagged(spiked(quiet, 30, 1, factor), rules, Timeframe.M1) == [30]
    assert flagged(spiked(quiet, 59, 1, factor), rules, Timeframe.M1) == found


def in_turmoil() -> pl.DataFrame:
    """A share that steps by 2 % a day, up and down, but on one day not, and opens 0.8 % off."""
    closes = [100 * (1.02 if n % 2 or n == 70 else 1.0) for n in range(100)]
    bars = series(closes)
    sign = 1 - 2 * (pl.int_range(pl.len()) % 2)
    return bars.with_columns(open=pl.col("open") * (1 + 0.008 * sign))


@pytest.mark.parametrize(
    ("length", "undone", "expected"),
    [(1, 1.0, [70]), (1, 0.7, []), (2, 1.0, [])],
)
def test_a_single_day_that_is_undone_exactly_need_not_lie_so_far_off(
    limits, length: int, undone: float, expected: list[int]
) -> None:
    """A tenth is three usual days here, and eight usual gaps: too little for what is less exact."""
    bars = spiked(in_turmoil(), 70, length, 1.1)
    back = pl.int_range(pl.len()) == 70 + length
    moved = pl.col("open") * 1.1 ** (1 - undone)
    bars = bars.with_columns(open=pl.when(back).then(moved).otherwise("open"))
    assert flagged(bars, limits()) == expected


def test_a_minute_that_is_undone_exactly_has_to_lie_as_far_off_as_any(limits) -> None:
    bars = spiked(in_turmoil(), 70, 1, 1.1)
    times = [FIRST + MINUTE * n for n in range(bars.height)]
    minutes = bars.with_columns(ts=pl.Series("ts", times, UTC_TIME), session=pl.lit(FIRST.date()))
    assert flagged(minutes, limits(timeframe=Timeframe.M1), Timeframe.M1) == []
