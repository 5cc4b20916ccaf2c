"""Rows of features: nothing from the future, no break at a split, nothing made up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market_data.features.compute import compute
from market_data.features.registry import BAR_KINDS, Kind, bar_groups
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from tests.support.feature_series import NO_ACTIONS, bars_of, series_of, walk

D1 = Timeframe.D1
GROUPS = bar_groups(D1)
FEATURES = [k for k in BAR_KINDS if k is not Kind.LABELS]


def split(symbol: str, ex_date: date, value: float) -> pl.DataFrame:
    known = datetime(2000, 1, 1, tzinfo=UTC)
    row = {"symbol": symbol, "ex_date": ex_date, "kind": "split", "value": value}
    return pl.DataFrame([row | {"source": "x", "known_at": known}], schema=CORPORATE_ACTIONS.dtypes)


def as_traded(bars: pl.DataFrame, ex_date: date, value: float) -> pl.DataFrame:
    """What the bars would have been with a split."""
    after = pl.col("session") >= ex_date
    prices = pl.col("high", "low", "close")
    return bars.with_columns(
        pl.when(after).then(prices / value).otherwise(prices),
        volume=pl.when(after).then(pl.col("volume") * value).otherwise("volume"),
    )


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    cut=st.integers(5, 178),
    factor=st.floats(0.01, 100),
    gone=st.booleans(),
    later_split=st.sampled_from([2.0, 3.0, 0.1, 7.0]),
)
def test_later_bars_and_splits_never_change_an_earlier_feature(
    seed: int, cut: int, factor: float, gone: bool, later_split: float
) -> None:
    bars = bars_of({"AAA": walk(seed, 180), "BBB": walk(seed + 1, 180)})
    moment = bars["ts"].unique().sort()[cut]
    changed = bars.with_columns(
        pl.when(pl.col("ts") > moment).then(pl.col(c) * factor).otherwise(pl.col(c))
        for c in ("high", "low", "close", "volume")
    )
    if gone:
        changed = changed.filter((pl.col("ts") <= moment) | (pl.col("symbol") == "BBB"))
    actions = split("AAA", moment.date() + timedelta(days=1), later_split)
    ours = compute(series_of(bars), GROUPS)
    theirs = compute(series_of(changed, actions), GROUPS)
    for kind in FEATURES:
        known = pl.col("available_at") <= moment + timedelta(days=1)
        assert ours[kind].filter(known).height == 2 * (cut + 1)
        assert_frame_equal(ours[kind].filter(known), theirs[kind].filter(known), check_exact=True)
    assert not ours[Kind.PRICE].equals(theirs[Kind.PRICE])


@pytest.mark.parametrize("value", [2.0, 3.0, 0.1])
def test_a_split_within_a_window_breaks_nothing(value: float) -> None:
    """What is a price is on the basis of its session; all else is as if there had been no split."""
    bars = bars_of({"AAA": walk(7, 160)})
    ex_date = bars["session"][120]
    plain = compute(series_of(bars), GROUPS)
    traded = compute(
        series_of(as_traded(bars, ex_date, value), split("AAA", ex_date, value)), GROUPS
    )
    after = pl.col("session") >= ex_date
    for group in GROUPS:
        for feature in group.features:
            scale = {"price": value, "traded units": 1 / value}.get(feature.unit)
            theirs = traded[group.kind]
            if scale is not None:
                scaled = pl.when(after).then(pl.col(feature.name) * scale).otherwise(feature.name)
                theirs = theirs.with_columns(scaled.alias(feature.name))
            assert_frame_equal(
                plain[group.kind].select(feature.name),
                theirs.select(feature.name),
                rel_tol=1e-8,
                abs_tol=1e-8,
            )
    unknown = compute(series_of(as_traded(bars, ex_date, value)), GROUPS)[Kind.PRICE]
    broken = unknown.filter(pl.col("session") == ex_date)["ret_1"].item()
    assert abs(broken - (1 / value - 1)) < 0.2


def test_cells_are_empty_until_the_window_is_full() -> None:
    rows = compute(series_of(bars_of({"AAA": walk(1, 100), "BBB": walk(2, 3)})), GROUPS)
    for group in GROUPS:
        if group.kind is Kind.LABELS:
            continue
        for feature in group.features:
            filled = rows[group.kind].filter(pl.col("symbol") == "AAA")[feature.name]
            assert filled[: feature.warm_up].null_count() == feature.warm_up, feature.name
            assert filled[feature.warm_up :].null_count() == 0, feature.name
            short = rows[group.kind].filter(pl.col("symbol") == "BBB")[feature.name]
            assert short.null_count() == min(feature.warm_up, 3), feature.name


def test_prices_and_volumes_by_their_definitions() -> None:
    close = walk(3, 60)[2]
    volume = np.round(np.random.default_rng(5).uniform(0, 9, 60))
    bars = bars_of({"AAA": (close, close, close)}, volumes=volume.tolist())
    rows = compute(series_of(bars), GROUPS)
    price = rows[Kind.PRICE].row(50, named=True)
    returns = close[1:] / close[:-1] - 1
    assert price["ret_5"] == pytest.approx(close[50] / close[45] - 1, rel=1e-12)
    assert price["ma_20"] == pytest.approx(close[31:51].mean(), rel=1e-12)
    assert price["vol_20"] == pytest.approx(returns[30:50].std(ddof=1), rel=1e-9)
    traded = rows[Kind.VOLUME].row(50, named=True)
    window = volume[31:51]
    assert traded["vol_ma_20"] == pytest.approx(window.mean(), rel=1e-12)
    score = (volume[50] - window.mean()) / window.std(ddof=1)
    assert traded["vol_zscore_20"] == pytest.approx(score, rel=1e-9)
    assert traded["vol_percentile_20"] == (window <= volume[50]).sum() / 20
    label = rows[Kind.LABELS].row(50, named=True)
    assert label["fwd_ret_5"] == pytest.approx(close[55] / close[50] - 1, rel=1e-12)
    assert label["fwd_end_5"] == bars["ts"][56]
    assert (label["fwd_ret_20"], label["fwd_end_20"]) == (None, None)


def test_rows_of_a_session_are_found_between_those_of_others() -> None:
    """Sessions may overlap: of two stretches of one symbol, some rows in between are wanted."""
    rows = series_of(bars_of({"AAA": walk(1, 100), "BBB": walk(2, 100)}))
    first, second = date(2015, 1, 1), date(2015, 1, 2)
    later = pl.when(pl.int_range(pl.len()) % 3 == 0).then(second).otherwise(first)
    rows = rows.with_columns(session=later)
    found = compute(rows, GROUPS, (second, second))
    for kind, whole in compute(rows, GROUPS).items():
        expected = whole.filter(pl.col("session") == second)
        assert expected.height == 67
        assert_frame_equal(found[kind], expected, check_exact=True)


def test_a_series_that_stands_still_is_no_movement() -> None:
    """After closes that moved, so that rounding of running means is left over."""
    flat = np.full(80, 0.1)
    close = np.concatenate([walk(3, 60, start=1e6)[2], flat])
    bars = bars_of({"AAA": (close, close, close)}, volumes=[0.3] * 140)
    rows = compute(series_of(bars), GROUPS)
    indicators, price = (rows[k].row(-1, named=True) for k in (Kind.INDICATORS, Kind.PRICE))
    assert price["vol_20"] == 0.0
    for name in ("stoch_k_14", "stoch_d_3", "cci_20", "williams_r_14"):
        assert indicators[name] is None, name
    assert indicators["bb_upper"] == indicators["bb_lower"] == pytest.approx(0.1, rel=1e-9)
    regime = rows[Kind.REGIME].row(-1, named=True)
    assert regime["trend"] == 0
    assert rows[Kind.VOLUME].row(-1, named=True)["vol_zscore_20"] is None
    # A symbol that never moved has no strength either way.
    never = compute(series_of(bars_of({"AAA": (flat, flat, flat)})), GROUPS)
    assert never[Kind.INDICATORS]["rsi_14"].null_count() == 80
    assert never[Kind.INDICATORS]["adx_14"].null_count() == 80
    assert never[Kind.REGIME]["regime"].null_count() == 80


def test_missing_bars_are_counted_and_not_made_up() -> None:
    bars = bars_of({"AAA": walk(1, 40)})
    days = bars["session"]
    holes = bars.filter(~pl.col("session").is_in([days[20], days[21], days[24]]))
    rows = compute(series_of(holes), GROUPS)[Kind.PRICE]
    of = dict(rows.select("session", "num_missing_in_window_5").iter_rows())
    assert [of[days[i]] for i in (19, 22, 23, 25, 26, 27, 28, 29)] == [0, 2, 2, 3, 3, 1, 1, 0]
    assert rows["num_missing_in_window_20"].to_list()[-1] == 3
    assert days[20] not in of
    ret = rows.filter(pl.col("session") == days[22])["ret_1"].item()
    close = dict(bars.select("session", "close").iter_rows())
    assert ret == pytest.approx(close[days[22]] / close[days[19]] - 1, rel=1e-12)


def test_a_missing_volume_empties_its_windows_and_no_others() -> None:
    volumes = [5.0 + n % 3 for n in range(60)]
    volumes[25] = float("nan")
    gone: list[float | None] = [*volumes]
    gone[30] = None
    rows = compute(series_of(bars_of({"AAA": walk(1, 60)}, volumes=gone)), GROUPS)
    for name in ("vol_ma_20", "vol_zscore_20", "vol_percentile_20"):
        empty = rows[Kind.VOLUME][name].is_null().arg_true().to_list()
        assert empty == [*range(19), *range(25, 50)], name
    assert rows[Kind.PRICE]["ma_20"].null_count() == 19


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H4])
def test_gaps_of_intraday_bars_are_counted_by_the_calendar(timeframe: Timeframe) -> None:
    """Nothing is missing over a night, a week-end, or after an early close."""
    from market_data.calendars import bar_starts

    grid = bar_starts("XNYS", timeframe, date(2024, 6, 28), date(2024, 7, 9))
    prices = walk(2, grid.height)
    bars = grid.select(
        "ts",
        "session",
        symbol=pl.lit("AAA"),
        **dict(zip(("high", "low", "close"), map(pl.Series, prices), strict=True)),
        volume=pl.lit(1.0),
    )
    whole = series_of(bars, NO_ACTIONS, timeframe, "XNYS")
    assert whole["missing"].sum() == 0
    early = whole.filter(pl.col("session") == date(2024, 7, 3))["available_at"].max()
    assert early == datetime(2024, 7, 3, 17, tzinfo=UTC)
    without = series_of(
        bars.filter(pl.col("session") != date(2024, 7, 3)), NO_ACTIONS, timeframe, "XNYS"
    )
    there = grid.filter(pl.col("session") == date(2024, 7, 3)).height
    assert without.filter(pl.col("missing") > 0).select("session", "missing").rows() == [
        (date(2024, 7, 5), there)
    ]


def test_regimes_follow_from_their_limits() -> None:
    rising = 100 * 1.015 ** np.arange(120)
    calm = 100 + 0.2 * (np.arange(120) % 2)
    wild = 100 + 4.0 * (np.arange(120) % 2)
    frames = {
        "RISE": (rising * 1.001, rising * 0.999, rising),
        "FALL": (rising[::-1] * 1.001, rising[::-1] * 0.999, rising[::-1].copy()),
        "CALM": (calm + 0.1, calm - 0.1, calm),
        "WILD": (wild + 0.1, wild - 0.1, wild),
    }
    rows = compute(series_of(bars_of(frames)), GROUPS)[Kind.REGIME]
    newest = rows.group_by("symbol").last().sort("symbol")
    assert newest.select("symbol", "regime", "volatility").rows() == [
        ("CALM", "quiet_range", "low"),
        ("FALL", "trending_down", "medium"),
        ("RISE", "trending_up", "medium"),
        ("WILD", "volatile_chop", "high"),
    ]


def test_a_bar_over_a_vendors_own_day_is_not_known_before_it_ends() -> None:
    """London's midnight is two hours after New York's five o'clock; the flag tells no zone."""
    bars = bars_of({"AAA": walk(3, 30)})
    day = bars["session"][10]
    odd = pl.when(session=day).then(pl.lit("side_bid,foreign_day")).otherwise(pl.lit(""))
    rows = compute(series_of(bars.with_columns(flags=odd)), GROUPS)
    plain = compute(series_of(bars), GROUPS)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    latest = midnight + timedelta(days=2, hours=12)
    ended = rows[Kind.PRICE]["available_at"]
    # The next day's row has that bar in its windows, the one after ends later of itself.
    assert ended[9:14].to_list() == [
        midnight, latest, latest, midnight + timedelta(days=3), midnight + timedelta(days=4)
    ]  # fmt: skip
    assert rows[Kind.LABELS]["fwd_end_1"][8:11].to_list() == [midnight, latest, latest]
    same = [f.name for f in GROUPS[0].features]
    assert_frame_equal(rows[Kind.PRICE].select(same), plain[Kind.PRICE].select(same))
