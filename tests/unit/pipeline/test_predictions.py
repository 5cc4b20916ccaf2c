"""Predictions: who is asked about which rows, and what is kept of the answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from emp_assets.features.predictions import PredictionsConfig, load_model
from market_data.datasets import FEATURES, PREDICTIONS_DATASET, curated_bars
from market_data.errors import ConfigurationError, MarketDataError
from market_data.features.registry import FeatureGroup, group_of
from market_data.pipeline.platform import Platform
from market_data.pipeline.predicting import predict_range
from market_data.pipeline.prediction_inspection import inspect_predictions
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import curated
from tests.support.toy_models import (
    Boundless,
    Doubtful,
    Forgetful,
    Momentum,
    Several,
    Silent,
    Wordy,
    momentum_2,
)
from tests.support.worlds import World

D1, PRICE = Timeframe.D1, group_of("price_1d_v1")
DATASET = FEATURES[PRICE.key]
SYMBOLS = ("AAA", "BBB")
DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(40)]
RANGE = (DAYS[0], DAYS[-1])


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    instruments = (
        Instrument(symbol=s, asset_class=AssetClass.CRYPTO, calendar="24/7") for s in SYMBOLS
    )
    world = World.at(tmp_path, datetime(2024, 3, 1, tzinfo=UTC)).register(
        instruments=tuple(instruments)
    )
    keys = [(s, datetime(d.year, d.month, d.day, tzinfo=UTC), d) for s in SYMBOLS for d in DAYS]
    rows = pl.DataFrame(
        keys,
        schema={n: DATASET.schema.dtypes[n] for n in ("symbol", "ts", "session")},
        orient="row",
    )
    put(world.platform, rows, PRICE)
    return world.platform


def put(platform: Platform, bars: pl.DataFrame, group: FeatureGroup) -> None:
    """Store some bars and their prices as features."""
    assert group.timeframe is not None
    prices = {n: pl.lit(1.0) for n in ("open", "high", "low", "close", "volume")}
    platform.store.replace(
        curated_bars(group.timeframe),
        curated(bars.with_columns(**prices)),
        sessions=RANGE,
        symbols=SYMBOLS,
    )
    rows = bars.with_columns(
        available_at=pl.col("ts") + group.timeframe.duration,
        ret_1=pl.when(pl.col("session") > DAYS[0]).then(pl.int_range(pl.len()) % 7 / 100),
        definition=pl.lit(group.definition),
    )
    dataset = FEATURES[group.key]
    platform.store.replace(dataset, dataset.schema.conform(rows), sessions=RANGE, symbols=SYMBOLS)


def stored(platform: Platform) -> pl.DataFrame:
    return platform.store.scan(PREDICTIONS_DATASET)


def test_predictions_are_kept_with_the_versions_of_model_and_features(platform: Platform) -> None:
    made = predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    assert (made.rows.height, made.empty) == (80, 2)
    rows = stored(platform)
    assert rows.height == 80
    given = platform.store.scan(DATASET)
    assert rows["value"].to_list() == pytest.approx(
        [None if v is None else 2 * v for v in given["ret_1"]], nan_ok=True
    )
    told = ["model", "model_version", "output", "features"]
    assert rows.select(told).unique().rows() == [
        ("momentum", "1", "prediction", f"price_1d_v1@{PRICE.definition}")
    ]
    version = platform.store.version(PREDICTIONS_DATASET)
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], DAYS[5], DAYS[9])
    assert platform.store.version(PREDICTIONS_DATASET) == version
    assert not inspect_predictions(platform, DAYS[30], DAYS[-1]).findings.height


def test_other_models_and_versions_stay(platform: Platform) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    before = stored(platform)
    predict_range(platform, momentum_2, SYMBOLS, D1, [PRICE], DAYS[5], DAYS[9])
    predict_range(platform, Several(name="several"), ["AAA"], D1, [PRICE], DAYS[5], DAYS[9])
    rows = stored(platform)
    assert rows.height == 80 + 10 + 10
    own = (pl.col("model") == "momentum") & (pl.col("model_version") == "1")
    assert rows.filter(own).equals(before)
    assert {*rows.filter(model="several")["output"]} == {"up", "size"}


def test_a_model_that_cannot_be_asked_has_the_outputs_that_it_had(platform: Platform) -> None:
    """Before it has named any there are no rows, which nobody misses."""
    several = Several(name="several")
    assert not predict_range(platform, several, SYMBOLS, D1, [PRICE], DAYS[0], DAYS[0]).rows.height
    predict_range(platform, several, SYMBOLS, D1, [PRICE], DAYS[1], DAYS[9])
    unfinished = pl.col("session") == DAYS[10]
    rows = platform.store.scan(DATASET).with_columns(ret_1=pl.when(~unfinished).then("ret_1"))
    platform.store.replace(DATASET, rows, sessions=RANGE, symbols=SYMBOLS)
    made = predict_range(platform, several, SYMBOLS, D1, [PRICE], DAYS[10], DAYS[10])
    assert {*made.rows["output"]} == {"up", "size"}
    assert made.empty == made.rows.height == 4
    checked = inspect_predictions(platform, DAYS[0], DAYS[10]).findings
    assert {*checked["code"]} == {"feature_nulls"}


def test_predictions_of_another_timeframe_stay(platform: Platform) -> None:
    """The bars of both begin at midnight."""
    hourly = group_of("price_1h_v1")
    put(platform, platform.store.scan(DATASET).select("symbol", "ts", "session"), hourly)
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    before = stored(platform)
    predict_range(platform, Momentum(), SYMBOLS, Timeframe.H1, [hourly], *RANGE)
    rows = stored(platform)
    assert rows.filter(timeframe="1d").equals(before)
    assert rows.filter(timeframe="1h").height == before.height == 80
    assert not rows.select(PREDICTIONS_DATASET.key).is_duplicated().any()
    assert not inspect_predictions(platform, DAYS[30], DAYS[-1]).findings.height


def test_a_leap_of_the_predictions_is_told(platform: Platform) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    rows = stored(platform)
    there = (pl.col("symbol") == "AAA") & (pl.col("session") == DAYS[35])
    odd = rows.with_columns(value=pl.when(there).then(50.0).otherwise("value"))
    platform.store.replace(PREDICTIONS_DATASET, odd, sessions=RANGE, symbols=SYMBOLS)
    found = inspect_predictions(platform, DAYS[30], DAYS[-1]).findings
    assert found.select("check", "code", "symbol", "session").rows() == [
        ("drift", "feature_shift", "AAA", DAYS[35])
    ]


def keep(platform: Platform, rows: pl.DataFrame) -> None:
    """Store these rows and no others."""
    platform.store.replace(PREDICTIONS_DATASET, rows, sessions=RANGE, symbols=SYMBOLS)


def told(platform: Platform, first: date = DAYS[30], last: date = DAYS[-1]) -> list[tuple]:
    """What coverage and staleness find."""
    found = inspect_predictions(platform, first, last).findings
    ours = found.filter(pl.col("check").is_in(["coverage", "staleness"]))
    return ours.select("check", "code", "symbol", "session").rows()


def of(symbol: str, day: date) -> pl.Expr:
    return (pl.col("symbol") == symbol) & (pl.col("session") == day)


def test_a_prediction_that_is_not_there_is_told(platform: Platform) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    rows, gone = stored(platform), DAYS[35]
    keep(platform, rows.filter(~of("AAA", gone)))
    assert told(platform) == [("coverage", "predictions_missing", "AAA", gone)]
    # A day that no symbol has lies between others, so that it shows by itself too.
    keep(platform, rows.filter(pl.col("session") != gone))
    assert [t[2:] for t in told(platform, gone, gone)] == [("AAA", gone), ("BBB", gone)]
    # Of the newest day the other symbol tells that the model was asked.
    keep(platform, rows.filter(~of("AAA", DAYS[-1])))
    assert told(platform) == [("coverage", "predictions_missing", "AAA", DAYS[-1])]
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], DAYS[-1], DAYS[-1])
    assert told(platform) == []


def test_nobody_misses_what_no_model_was_asked_about(platform: Platform) -> None:
    predict_range(platform, Momentum(), ["AAA"], D1, [PRICE], DAYS[5], DAYS[33])
    predict_range(platform, Momentum(), ["BBB"], D1, [PRICE], DAYS[20], DAYS[33])
    assert told(platform, *RANGE) == []
    found = inspect_predictions(platform, *RANGE).measured["coverage"]
    assert found["expected"].sum() == found["observed"].sum() == 29 + 14


def test_predictions_of_other_features_than_the_stored_are_told(platform: Platform) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    features = platform.store.scan(DATASET)
    other = pl.when(of("AAA", DAYS[35])).then(0.5).otherwise("ret_1")
    changed = features.filter(~of("BBB", DAYS[36])).with_columns(ret_1=other)
    platform.store.replace(DATASET, changed, sessions=RANGE, symbols=SYMBOLS)
    assert told(platform) == [
        ("staleness", "predictions_outdated", "AAA", DAYS[35]),
        ("staleness", "predictions_outdated", "BBB", DAYS[36]),
    ]
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    assert told(platform) == []


def test_an_output_that_never_has_a_value_is_told(platform: Platform) -> None:
    """Also from its first day on, when there is nothing to compare with."""
    predict_range(platform, Doubtful(), SYMBOLS, D1, [PRICE], *RANGE)
    found = inspect_predictions(platform, DAYS[30], DAYS[31])
    shown = [
        ("null_rate", "predictions_without_value", "warn", s, d)
        for d in DAYS[30:32]
        for s in SYMBOLS
    ]
    assert found.findings.select("check", "code", "severity", "symbol", "session").rows() == shown
    assert found.rows["null_rate"]["output"].unique().to_list() == ["up"]
    # A single value around shows that the model can say something.
    rows = stored(platform)
    known = of("BBB", DAYS[3]) & (pl.col("output") == "up")
    keep(platform, rows.with_columns(value=pl.when(known).then(1.0).otherwise("value")))
    assert inspect_predictions(platform, DAYS[30], DAYS[31]).findings.is_empty()


@pytest.mark.parametrize("features", ["price_1d_v1@older", "price_1d_v0@older"])
def test_predictions_of_another_definition_are_told(platform: Platform, features: str) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    old = pl.when(of("AAA", DAYS[35])).then(pl.lit(features)).otherwise("features")
    keep(platform, stored(platform).with_columns(features=old))
    assert told(platform) == [("staleness", "predictions_redefined", "AAA", DAYS[35])]


def test_predictions_of_a_version_that_speaks_no_more_are_told(platform: Platform) -> None:
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], *RANGE)
    own = stored(platform).filter(pl.col("session") <= DAYS[33])
    keep(platform, own)
    predict_range(platform, momentum_2, ["AAA"], D1, [PRICE], DAYS[32], DAYS[36])
    # Both versions have the days 32 and 33 of the one symbol.
    assert told(platform, DAYS[31], DAYS[34]) == [
        ("staleness", "predictions_superseded", "AAA", DAYS[31]),
        ("staleness", "predictions_superseded", "BBB", DAYS[31]),
        ("staleness", "predictions_superseded", "BBB", DAYS[32]),
        ("staleness", "predictions_superseded", "BBB", DAYS[33]),
    ]
    # Where both still speak, neither takes the other's place.
    predict_range(platform, Momentum(), SYMBOLS, D1, [PRICE], DAYS[33], DAYS[36])
    assert told(platform, DAYS[31], DAYS[34]) == []


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (Forgetful(), MarketDataError, "asked about 78 rows and answers with 77"),
        (Wordy(), MarketDataError, "answers with no numbers"),
        (Silent(), MarketDataError, "answers with no output"),
        (Boundless(), MarketDataError, "infinite numbers for 1 of 78 rows"),
        (Momentum(needs=("rsi_14",)), ConfigurationError, "needs rsi_14: no group has it"),
    ],
)
def test_answers_that_are_none_leave_nothing(
    platform: Platform, model: Momentum, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        predict_range(platform, model, SYMBOLS, D1, [PRICE], *RANGE)
    assert stored(platform).is_empty()


def test_models_come_by_their_import_path() -> None:
    path = "tests.support.toy_models"
    assert load_model(f"{path}:momentum_2").version == "2"
    assert load_model(f"{path}:Momentum").version == "1"
    for wrong, words in (
        ("", "takes package.module:name"),
        (f"{path}:gone", "cannot be loaded"),
        ("no.such.module:model", "cannot be loaded"),
        (f"{path}:nothing", "is no model"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            load_model(wrong)
    assert PredictionsConfig(timeframe="1h").chosen_groups()[1][0].key == "price_1h_v1"
    with pytest.raises(ConfigurationError, match="no features of '30m'"):
        PredictionsConfig(timeframe="30m").chosen_groups()
