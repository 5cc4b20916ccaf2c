"""Features in a store: the same bits however they are asked for, and current after corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import trading_sessions
from market_data.datasets import FEATURES, curated_bars
from market_data.features.compute import compute
from market_data.features.registry import Kind, bar_groups
from market_data.features.series import series
from market_data.features.windows import stretches, touched_until
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.features import features_now, make_features
from market_data.pipeline.features_touched import touched
from market_data.pipeline.outdated_features import under_features
from market_data.pipeline.platform import Platform
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import curated, walk
from tests.support.worlds import World

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
SYMBOLS = ("AAA", "BBB", "YNG")
D1, H1 = Timeframe.D1, Timeframe.H1
SPLIT = date(2023, 11, 15)
FIRST, LAST = date(2021, 1, 4), date(2024, 2, 28)


def daily(first: date = FIRST, last: date = LAST) -> pl.DataFrame:
    """Three years of two symbols, one of them split, and ten weeks of a third."""
    sessions = trading_sessions("XNYS", first, last)
    frames = []
    for seed, symbol in enumerate(SYMBOLS):
        high, low, close = walk(seed, sessions.height)
        own = sessions.select(
            "session", ts="open", symbol=pl.lit(symbol), high=high, low=low, close=close
        )
        frames.append(own.tail(50) if symbol == "YNG" else own)
    bars = pl.concat(frames).with_columns(open="close", volume=pl.col("high") % 1 * 1e6)
    halved = (pl.col("symbol") == "BBB") & (pl.col("session") >= SPLIT)
    prices = pl.col("open", "high", "low", "close")
    return curated(bars.with_columns(pl.when(halved).then(prices / 2).otherwise(prices)))


def platform_at(folder: Path) -> Platform:
    world = World.at(folder, NOW).register(
        instruments=tuple(
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in SYMBOLS
        )
    )
    world.platform.actions.add(
        pl.DataFrame(
            {
                "symbol": ["BBB"],
                "ex_date": [SPLIT],
                "kind": ["split"],
                "value": [2.0],
                "source": ["x"],
                "known_at": [NOW],
            },
            schema=CORPORATE_ACTIONS.dtypes,
        ),
        now=NOW,
    )
    return world.platform


def put(platform: Platform, bars: pl.DataFrame, first: date = FIRST, last: date = LAST) -> None:
    platform.store.replace(curated_bars(D1), bars, sessions=(first, last), symbols=SYMBOLS)


def stored(platform: Platform) -> dict[Kind, pl.DataFrame]:
    return {g.kind: platform.store.scan(FEATURES[g.key]) for g in bar_groups(D1)}


def same(ours: dict[Kind, pl.DataFrame], theirs: dict[Kind, pl.DataFrame]) -> None:
    for kind, frame in theirs.items():
        assert_frame_equal(ours[kind], frame, check_exact=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Bars and the features of all of them; tests do not change it."""
    platform = platform_at(tmp_path_factory.mktemp("made"))
    put(platform, daily())
    make_features(platform, bar_groups(D1), SYMBOLS, FIRST, LAST)
    return platform


def test_reports_say_what_was_made(made: Platform) -> None:
    reports = make_features(made, bar_groups(D1), SYMBOLS, date(2024, 1, 2), LAST)
    price = reports[Kind.PRICE]
    assert (price.rows, price.beside, price.symbols) == (3 * 40, 0, SYMBOLS)
    assert price.per_session[date(2024, 1, 2)] == 3
    assert price.empty_cells["ret_20"] == 10
    assert 0 < price.null_rate < 0.2
    assert reports[Kind.LABELS].beside == 3 * 20 - 10
    assert reports[Kind.LABELS].empty_cells["fwd_ret_1"] == 3


def test_equal_to_ta_lib_length_of_history_and_to_the_bit_in_any_order(
    made: Platform, tmp_path: Path
) -> None:
    """Against one series from the first bar on, and against sessions computed one by one."""
    groups, whole = bar_groups(D1), stored(made)
    bars = made.store.scan(curated_bars(D1))
    instruments = [made.universe.instrument(s) for s in SYMBOLS]
    actions = made.actions.read(symbols=["BBB"])
    long = compute(series(bars, instruments, D1, actions), groups)
    for kind, frame in long.items():
        assert_frame_equal(whole[kind], frame, rel_tol=1e-8, abs_tol=1e-8)

    other = platform_at(tmp_path)
    put(other, daily())
    days = bars["session"].unique().sort()
    for day in (days[-1], days[-30], days[-2], days[-60]):
        make_features(other, groups, SYMBOLS, day, day)
    make_features(other, groups, SYMBOLS, date(2023, 12, 20), date(2024, 1, 10))
    for kind, frame in stored(other).items():
        theirs = whole[kind].join(frame.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
        assert frame.height > 40
        assert_frame_equal(frame, theirs, check_exact=True)


def test_the_same_again_writes_nothing(made: Platform) -> None:
    versions = {g.key: made.store.version(FEATURES[g.key]) for g in bar_groups(D1)}
    make_features(made, bar_groups(D1), SYMBOLS, date(2024, 1, 2), LAST)
    assert {g.key: made.store.version(FEATURES[g.key]) for g in bar_groups(D1)} == versions


def test_a_correction_renews_what_it_touches_before_and_after(tmp_path: Path) -> None:
    platform = platform_at(tmp_path)
    start = date(2023, 6, 1)
    put(platform, daily(), FIRST, LAST)
    groups = bar_groups(D1)
    make_features(platform, groups, SYMBOLS, start, LAST)
    before = stored(platform)
    day = date(2023, 11, 1)
    wrong = (pl.col("session") == day) & (pl.col("symbol") == "AAA")
    factor = pl.when(wrong).then(1.05).otherwise(1.0)
    put(platform, daily().with_columns(pl.col("open", "high", "low", "close") * factor))
    reports = make_features(platform, groups, SYMBOLS, day, day)
    assert reports[Kind.PRICE].rows == 2
    assert reports[Kind.PRICE].beside > 100
    after = stored(platform)
    same(after, features_now(platform, groups, SYMBOLS, start, LAST))
    changed = (
        after[Kind.LABELS]
        .join(before[Kind.LABELS], on=["symbol", "ts"])
        .filter(pl.col("fwd_ret_20").ne_missing(pl.col("fwd_ret_20_right")))
    )
    assert changed["session"].min() == date(2023, 10, 4)
    assert {*changed["symbol"]} == {"AAA"}
    assert not after[Kind.INDICATORS].equals(before[Kind.INDICATORS])
    # What had no rows before has none now.
    assert (
        after[Kind.PRICE].select("symbol", "ts").equals(before[Kind.PRICE].select("symbol", "ts"))
    )


def test_a_correction_before_a_hole_of_years_renews_what_lies_behind_it(tmp_path: Path) -> None:
    """The averages behind the hole begin with the bars before it."""
    platform, groups = platform_at(tmp_path), bar_groups(D1)
    begin, day, behind = date(2017, 1, 3), date(2019, 2, 28), date(2023, 11, 1)
    hole = pl.col("session").is_between(day, behind, closed="none")
    bars = daily(begin).filter(~hole)
    put(platform, bars, begin)
    make_features(platform, groups, SYMBOLS, begin, LAST)
    assert touched_until(D1, day) < behind, "days alone do not tell"
    changed = pl.when(pl.col("session") == day).then(1.05).otherwise(1.0)
    put(platform, bars.with_columns(pl.col("open", "high", "low", "close") * changed), begin)
    assert reached_until(platform, D1, SYMBOLS, day) >= LAST
    made = make_features(platform, groups, SYMBOLS, day, day)
    assert made[Kind.INDICATORS].beside > 0
    same(stored(platform), features_now(platform, groups, SYMBOLS, begin, LAST))
    assert [(t.first, t.last) for t in touched(platform, "AAA", [(day, day)])] == [(day, day)]
    # Of features behind the hole alone the newest bars before it are a part: a plan that curates
    # these makes them anew.
    for group in groups:
        none = FEATURES[group.key].schema.empty()
        platform.store.replace(FEATURES[group.key], none, sessions=(begin, day), symbols=SYMBOLS)
    before = bars.filter(pl.col("session") <= day).select("symbol", "session")
    assert dict(under_features(platform, D1, before).iter_rows()) == {"AAA": day, "BBB": day}
    last = features_now(platform, groups, SYMBOLS, behind, LAST)
    ranges = touched(platform, "AAA", [(day, day)])
    assert [(t.first, t.last) for t in ranges] == [(behind, behind)]
    same(stored(platform), last)


def test_bars_in_error_are_left_out_and_counted(tmp_path: Path) -> None:
    platform = platform_at(tmp_path)
    days = daily()["session"].unique().sort()
    bad = pl.col("session").is_in([days[-10], days[-9]]) & (pl.col("symbol") == "AAA")
    prices = pl.col("open", "high", "low", "close")
    put(
        platform,
        daily().with_columns(
            pl.when(bad).then(prices * 100).otherwise(prices),
            dq_status=pl.when(bad).then(pl.lit("error")).otherwise("dq_status"),
            final=pl.col("session") != days[-1],
        ),
    )
    made = features_now(platform, bar_groups(D1), ["AAA"], days[-12], days[-1])[Kind.PRICE]
    told = dict(made.select("session", "num_missing_in_window_20").iter_rows())
    assert [told.get(day) for day in days[-12:]] == [0, 0, None, None, *[2] * 7, None]
    assert made["ret_1"].abs().max() < 0.3


def test_intraday_stretches_do_not_depend_on_the_range(tmp_path: Path) -> None:
    """Hours of a market that never closes, over the ends of months."""
    coin = Instrument(symbol="COIN", asset_class=AssetClass.CRYPTO, calendar="24/7")
    world = World.at(tmp_path, NOW).register(instruments=(coin,))
    platform = world.platform
    start, end = date(2023, 11, 20), date(2024, 2, 10)
    count = ((end - start).days + 1) * 24
    high, low, close = walk(4, count, step=0.002)
    first = datetime(2023, 11, 20, tzinfo=UTC)
    bars = pl.DataFrame(
        {
            "symbol": "COIN",
            "ts": pl.datetime_range(
                first, first + timedelta(hours=count - 1), "1h", eager=True, time_unit="us"
            ),
            "high": high,
            "low": low,
            "close": close,
            "volume": high,
        }
    ).with_columns(session=pl.col("ts").dt.date(), open="close")
    platform.store.replace(curated_bars(H1), curated(bars), sessions=(start, end), symbols=["COIN"])
    groups = bar_groups(H1)
    whole = features_now(platform, groups, ["COIN"], start, end)
    for a, b in ((date(2023, 12, 31), date(2024, 1, 2)), (end, end), (start, start)):
        part = features_now(platform, groups, ["COIN"], a, b)
        ranged = pl.col("session").is_between(a, b)
        for kind, frame in part.items():
            assert_frame_equal(frame, whole[kind].filter(ranged), check_exact=True)


@pytest.mark.parametrize(
    ("timeframe", "parts"),
    [
        (Timeframe.M1, [("2024-01-29", 30, 4), ("2024-02-05", 5, 6)]),
        (Timeframe.M5, [("2024-01-01", 30, 31), ("2024-02-01", 1, 6)]),
        (Timeframe.D1, [("2024-01-01", 30, 6)]),
    ],
)
def test_a_range_is_cut_at_weeks_months_and_years(
    timeframe: Timeframe, parts: Sequence[tuple[str, int, int]]
) -> None:
    found = [*stretches(timeframe, date(2024, 1, 30), date(2024, 2, 6))]
    assert [(str(a), b.day, c.day) for a, b, c in found] == parts
