"""Feature frames: aligned, as they were known, and said where they come from."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import emp
from adapters.settings import Settings
from market_data.calendars import bar_starts
from market_data.datasets import FEATURES, curated_bars
from market_data.errors import ConfigurationError, MarketDataError, MissingFeaturesWarning
from market_data.features.registry import Kind, bar_groups, group_for
from market_data.pipeline.feature_context import make_confluence
from market_data.pipeline.features import make_features
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import curated, walk
from tests.support.worlds import World

H1, D1 = Timeframe.H1, Timeframe.D1
SYMBOLS = ("AAA", "COIN")
FIRST, LAST = date(2023, 11, 1), date(2024, 2, 28)
WITHIN = ("2024-02-20", "2024-02-27")


def bars(timeframe: Timeframe, changed_after: datetime | None = None) -> pl.DataFrame:
    """A share in New York and a coin; prices doubled after a moment."""
    frames = []
    for seed, (symbol, calendar) in enumerate(zip(SYMBOLS, ("XNYS", "24/7"), strict=True)):
        grid = bar_starts(calendar, timeframe, FIRST, LAST)
        high, low, close = walk(seed, grid.height, step=0.002)
        frames.append(
            grid.with_columns(
                symbol=pl.lit(symbol), open=pl.Series(close), high=pl.Series(high),
                low=pl.Series(low), close=pl.Series(close), volume=pl.Series(high),
            )
        )  # fmt: skip
    found = pl.concat(frames)
    if changed_after is not None:
        later = pl.col("bar_end") > changed_after
        prices = pl.col("open", "high", "low", "close")
        found = found.with_columns(pl.when(later).then(prices * 2).otherwise(prices))
    return curated(found)


def installed(folder: Path, changed_after: datetime | None = None) -> Settings:
    shares = Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS")
    coin = Instrument(symbol="COIN", asset_class=AssetClass.CRYPTO, calendar="24/7")
    now = datetime(2024, 3, 1, tzinfo=UTC)
    world = World.at(folder, now).register(instruments=(shares, coin))
    platform = world.platform
    for timeframe in (H1, D1):
        platform.store.replace(
            curated_bars(timeframe),
            bars(timeframe, changed_after),
            sessions=(FIRST, LAST),
            symbols=SYMBOLS,
        )
        make_features(platform, bar_groups(timeframe), SYMBOLS, date(2024, 1, 15), LAST)
    make_confluence(platform, SYMBOLS, date(2024, 2, 1), LAST)
    return world.settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return installed(tmp_path_factory.mktemp("frames"))


EVERY = ["price_1h_v1", "regime_1h_v1", "indicators_1d_v1", "regime_1d_v1", "confluence_v1"]


def test_a_training_frame_is_aligned_and_knows_where_it_comes_from(settings: Settings) -> None:
    found = emp.get_features_for_training(SYMBOLS, *WITHIN, "1h", groups=EVERY, settings=settings)
    frame = found.frame
    assert frame.select("symbol", "ts").is_unique().all()
    assert frame.height == 6 * 7 + 8 * 24
    daily = group_for(Kind.INDICATORS, D1).names
    assert {f"{n}_1d" for n in daily} <= set(found.features)
    assert {"ret_1", "regime", "regime_1d", "signal"} <= set(found.features)
    assert found.labels == ("fwd_ret_1", "fwd_end_1", "fwd_ret_5", "fwd_end_5", "fwd_ret_20",
                            "fwd_end_20")  # fmt: skip
    assert not set(found.features) & set(found.labels)
    group = found.metadata["groups"]["indicators_1d_v1"]
    assert group["version"] == 1
    assert group["definitions_read"] == [group["definition"]]
    assert len(group["digest"]) == 32
    assert found.metadata["labels"] == list(found.labels)
    json.dumps(found.metadata)


def test_a_row_of_another_timeframe_had_ended(settings: Settings) -> None:
    """Within a session the day before is known, and the day itself at its close."""
    found = emp.get_features_for_training(
        "AAA", *WITHIN, "1h", groups=["price_1h_v1", "price_1d_v1"], settings=settings
    )
    days = emp.get_features_for_training(
        "AAA", "2024-02-01", WITHIN[1], "1d", groups="price_1d_v1", settings=settings
    ).frame
    told = found.frame.join_asof(
        days.select(ended="available_at", expected="ret_1").sort("ended"),
        left_on="available_at",
        right_on="ended",
    )
    assert_frame_equal(told.select("ret_1_1d"), told.select(ret_1_1d="expected"), check_exact=True)
    last = found.frame.filter(pl.col("session") == date(2024, 2, 21))
    assert last["ret_1_1d"].n_unique() == 2
    assert last["ret_1_1d"][:-1].n_unique() == 1


def test_nothing_after_a_row_changes_it(settings: Settings, tmp_path: Path) -> None:
    """Other prices from a moment on: features up to it stay as they are, to the bit."""
    moment = datetime(2024, 2, 23, 17, tzinfo=UTC)
    other = installed(tmp_path, changed_after=moment)
    ours, theirs = (
        emp.get_features_for_training(SYMBOLS, *WITHIN, "1h", groups=EVERY, settings=s)
        for s in (settings, other)
    )
    known = pl.col("available_at") <= moment
    columns = ["symbol", "ts", *ours.features]
    assert_frame_equal(
        ours.frame.filter(known).select(columns),
        theirs.frame.filter(known).select(columns),
        check_exact=True,
    )
    assert not ours.frame.select(columns).equals(theirs.frame.select(columns))


def test_labels_stop_where_the_range_does(settings: Settings) -> None:
    found = emp.get_features_for_training("COIN", *WITHIN, "1h", settings=settings).frame
    last = found["available_at"].max()
    assert [found[f"fwd_ret_{n}"].null_count() for n in (1, 5, 20)] == [1, 5, 20]
    assert found["fwd_end_5"].max() == last
    longer = emp.get_features_for_training("COIN", WITHIN[0], LAST, "1h", settings=settings).frame
    assert longer.filter(pl.col("available_at") <= last)["fwd_ret_20"].null_count() == 0
    none = emp.get_features_for_training(
        "COIN", *WITHIN, "1h", include_labels=False, settings=settings
    )
    assert (none.labels, none.metadata["labels"]) == ((), [])


def test_inference_takes_the_newest_row_that_had_ended(settings: Settings) -> None:
    at = "2024-02-23T15:20"
    found = emp.get_features_for_inference(SYMBOLS, at, "1h", groups=EVERY, settings=settings)
    assert found.frame.select("symbol", "available_at", "age_seconds").rows() == [
        ("AAA", datetime(2024, 2, 22, 21, tzinfo=UTC), 66_000.0),
        ("COIN", datetime(2024, 2, 23, 15, tzinfo=UTC), 1200.0),
    ]
    trained = emp.get_features_for_training(SYMBOLS, *WITHIN, "1h", groups=EVERY, settings=settings)
    same = trained.frame.join(found.frame.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
    columns = ["symbol", "ts", *found.features]
    assert_frame_equal(found.frame.select(columns), same.select(columns), check_exact=True)
    short = emp.get_features_for_inference(
        SYMBOLS, at, "1h", max_age=timedelta(hours=1), settings=settings
    )
    assert short.metadata["missing"] == ["AAA"]


def test_exact_inference_has_a_row_of_every_symbol_or_fails(settings: Settings) -> None:
    at = datetime(2024, 2, 23, 21, tzinfo=UTC)
    found = emp.get_features_for_inference(SYMBOLS, at, "1h", mode="exact", settings=settings)
    assert found.frame["available_at"].to_list() == [at, at]
    with pytest.raises(MarketDataError, match="no 1h bar of AAA ended at 2024-02-23 11:00"):
        emp.get_features_for_inference(
            SYMBOLS, "2024-02-23T11:00", "1h", mode="exact", settings=settings
        )
    day = emp.get_features_for_inference(SYMBOLS, "2024-02-23", mode="exact", settings=settings)
    assert day.frame["session"].to_list() == [date(2024, 2, 23)] * 2
    with pytest.raises(MarketDataError, match="AAA has no 1d bar"):
        emp.get_features_for_inference(SYMBOLS, "2024-02-24", mode="exact", settings=settings)


def test_the_last_row_of_a_range_knows_what_it_does_in_a_longer_one(settings: Settings) -> None:
    """What is told as the next session begins is known to the bar that ends there."""
    store = World(settings, datetime(2024, 3, 1, tzinfo=UTC)).platform.store
    group = group_for(Kind.MACRO_CONTEXT)
    dataset, name = (
        FEATURES[group.key],
        next(f.name for f in group.features if f.dtype.is_numeric()),
    )
    days = bar_starts("24/7", D1, FIRST, LAST)
    rows = days.select(
        "ts",
        "session",
        symbol=pl.lit("COIN"),
        available_at="ts",
        definition=pl.lit(group.definition),
        **{name: pl.col("session").dt.ordinal_day().cast(dataset.schema.dtypes[name])},
    )
    store.replace(dataset, dataset.schema.conform(rows), sessions=(FIRST, LAST), symbols=["COIN"])
    short, longer = (
        emp.get_features_for_training(
            "COIN", "2024-02-20", last, groups=["price_1d_v1", group.key], settings=settings,
            include_labels=False,
        )
        for last in ("2024-02-23", "2024-02-26")
    )  # fmt: skip
    assert short.frame[name].to_list() == [52, 53, 54, 55]
    assert_frame_equal(short.frame, longer.frame.head(4), check_exact=True)
    assert short.metadata["groups"][group.key]["rows"] == 4 + 14 + 3 + 1


def test_the_row_of_a_session_is_that_of_its_last_bar(settings: Settings) -> None:
    store, dataset = World(settings, datetime(2024, 3, 1, tzinfo=UTC)).platform.store, "price_1h_v1"
    day, close = date(2024, 2, 23), datetime(2024, 2, 23, 21, tzinfo=UTC)
    found = emp.get_features_for_inference(
        SYMBOLS, day, "1h", mode="exact", groups=dataset, settings=settings
    )
    assert found.frame["available_at"].to_list() == [close, datetime(2024, 2, 24, tzinfo=UTC)]
    rows = store.scan(FEATURES[dataset])
    gone = (pl.col("symbol") == "AAA") & (pl.col("available_at") == close)
    put = partial(store.replace, FEATURES[dataset], sessions=(FIRST, LAST), symbols=SYMBOLS)
    put(frame=rows.filter(~gone))
    with pytest.raises(MarketDataError, match="last 1h bar of AAA in session 2024-02-23 has no"):
        emp.get_features_for_inference(
            SYMBOLS, day, "1h", mode="exact", groups=dataset, settings=settings
        )
    put(frame=rows)


def test_rows_whose_bars_are_not_served_any_more_are_left_out(settings: Settings) -> None:
    store = World(settings, datetime(2024, 3, 1, tzinfo=UTC)).platform.store
    kept, day = store.scan(curated_bars(D1)), date(2024, 2, 23)
    there = (pl.col("symbol") == "COIN") & (pl.col("session") == day)
    status = pl.when(there).then(pl.lit("error")).otherwise("dq_status")
    put = partial(store.replace, curated_bars(D1), sessions=(FIRST, LAST), symbols=SYMBOLS)
    put(frame=kept.with_columns(dq_status=status))
    try:
        with pytest.warns(MissingFeaturesWarning, match="1 1d rows of features are left out"):
            found = emp.get_features_for_training("COIN", *WITHIN, settings=settings)
        assert found.frame.height == 7
        assert day not in found.frame["session"].to_list()
        with (
            pytest.raises(MarketDataError, match="COIN has no 1d bar with features"),
            pytest.warns(MissingFeaturesWarning),
        ):
            emp.get_features_for_inference("COIN", day, mode="exact", settings=settings)
    finally:
        put(frame=kept)


def test_rows_by_another_definition_and_rows_that_are_missing_are_told(tmp_path: Path) -> None:
    house = installed(tmp_path)
    store, dataset = World(house, datetime(2024, 3, 1, tzinfo=UTC)).platform.store, FEATURES
    price = store.scan(dataset["price_1d_v1"])
    old = price.with_columns(
        definition=pl.when(pl.col("session") == LAST).then(pl.lit("x")).otherwise("definition")
    )
    kept = old.filter(pl.col("session") != date(2024, 2, 27))
    store.replace(dataset["price_1d_v1"], kept, sessions=(FIRST, LAST), symbols=SYMBOLS)
    with pytest.raises(MarketDataError, match="2 rows of price_1d_v1 are by another definition"):
        emp.get_features_for_training(SYMBOLS, "2024-02-20", LAST, settings=house)
    with pytest.warns(MissingFeaturesWarning, match="2 of 2 1d bars have no features"):
        emp.get_features_for_training(
            SYMBOLS, "2024-02-27", "2024-02-27", groups="price_1d_v1", settings=house
        )
    taken = emp.get_features_for_training(
        SYMBOLS, LAST, LAST, groups="price_1d_v1", outdated=True, settings=house
    )
    assert taken.metadata["groups"]["price_1d_v1"]["definitions_read"] == ["x"]


def test_forms_that_people_take(settings: Settings, tmp_path: Path) -> None:
    found = emp.get_features_for_training("AAA", *WITHIN, "1h", settings=settings)
    assert found.to_polars() is found.frame
    pandas = found.to_pandas()
    assert list(pandas.index.names) == ["symbol", "ts"]
    assert pandas["ret_1"].to_numpy() == pytest.approx(found.frame["ret_1"].to_numpy())
    values, mask = found.to_numpy()
    assert values.shape == mask.shape == (found.frame.height, len(found.numeric))
    assert (np.isnan(values) == mask).all()
    assert found.missing["regime"].dtype == pl.Boolean
    assert "regime" not in found.numeric
    with pytest.raises(ConfigurationError, match="no numeric column of this frame: nope, regime"):
        found.to_numpy(["regime", "nope"])
    path = found.to_parquet(tmp_path / "features.parquet")
    assert_frame_equal(pl.read_parquet(path), found.frame)
    told = json.loads(pq.read_schema(path).metadata[b"emp.features"])
    assert told["groups"] == found.metadata["groups"]
    assert told["labels"] == list(found.labels)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"groups": "labels_1d_v1"}, "labels look ahead"),
        ({"groups": "price_1d_v2"}, "no feature group 'price_1d_v2'; there are: price_1m_v1"),
        ({"groups": []}, "at least one feature group"),
        ({"groups": ["price_1d_v1", "price_1d_v1", "regime_1d_v1"]}, None),
        ({"timeframe": "30m"}, "no features of 30m"),
        ({"timeframe": "2h"}, "takes one of"),
    ],
)
def test_questions_that_have_no_answer(
    settings: Settings, call: dict[str, object], words: str | None
) -> None:
    if words is None:
        emp.get_features_for_training("AAA", *WITHIN, settings=settings, **call)  # type: ignore[arg-type]
        return
    with pytest.raises(ConfigurationError, match=words):
        emp.get_features_for_training("AAA", *WITHIN, settings=settings, **call)  # type: ignore[arg-type]
