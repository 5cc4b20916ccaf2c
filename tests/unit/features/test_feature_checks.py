"""Checks of features: what is missing, old, redefined, empty or far off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from market_data.datasets import FEATURES
from market_data.features.checks import CHECKS, evaluate_features
from market_data.quality.findings import CheckOutcome

PRICE = FEATURES["price_1h_v1"]
DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(30)]
LAST = (DAYS[20], DAYS[29])
JUDGED = {"ret_1": True, "vol_20": True, "ma_20": False}


def rows() -> pl.DataFrame:
    """Ten rows a session of two symbols."""
    random = np.random.default_rng(1)
    keys = [
        (symbol, datetime(day.year, day.month, day.day, hour, tzinfo=UTC), day)
        for symbol in ("A", "B")
        for day in DAYS
        for hour in range(10)
    ]
    frame = pl.DataFrame(
        keys, schema={n: PRICE.schema.dtypes[n] for n in ("symbol", "ts", "session")}, orient="row"
    )
    return PRICE.schema.conform(
        frame.with_columns(
            available_at="ts",
            ret_1=pl.Series(random.normal(0, 0.01, frame.height)),
            vol_20=pl.Series(random.uniform(0.01, 0.02, frame.height)),
            definition=pl.lit("d"),
        )
    )


def judge(
    stored: pl.DataFrame, now: pl.DataFrame, history: pl.DataFrame | None = None
) -> dict[str, CheckOutcome]:
    inside = pl.col("session").is_between(*LAST)
    return evaluate_features(
        stored.filter(inside),
        now.filter(inside),
        stored if history is None else history,
        dataset=PRICE.name,
        schema=PRICE.schema,
        key=PRICE.key,
        judged=JUDGED,
        sessions=LAST,
    )


def told(outcomes: dict[str, CheckOutcome]) -> list[tuple[str, str, str, str, date, int]]:
    columns = ["check", "code", "severity", "symbol", "session", "rows"]
    return [row for o in outcomes.values() for row in o.findings.select(columns).rows()]


def test_rows_that_are_as_they_should_be() -> None:
    outcomes = judge(rows(), rows())
    assert list(outcomes) == list(CHECKS)
    assert told(outcomes) == []
    assert outcomes["coverage"].measured["coverage"].to_list() == [1.0] * 20


def test_what_is_missing_old_gone_and_redefined() -> None:
    whole = rows()
    at = pl.col("session")
    of_a = pl.col("symbol") == "A"
    first = pl.col("ts").dt.hour() == 0
    stored = whole.filter(~(of_a & (at == DAYS[21]) & (pl.col("ts").dt.hour() < 3))).with_columns(
        ret_5=pl.when(of_a & first & (at == DAYS[22])).then(0.1).otherwise("ret_5"),
        definition=pl.when(~of_a & (at == DAYS[23])).then(pl.lit("x")).otherwise("definition"),
    )
    now = whole.filter(~(of_a & first & (at == DAYS[24])))
    assert told(judge(stored, now)) == [
        ("coverage", "features_missing", "error", "A", DAYS[21], 3),
        ("staleness", "features_outdated", "warn", "A", DAYS[22], 1),
        ("staleness", "features_redefined", "warn", "B", DAYS[23], 10),
        ("staleness", "features_outdated", "warn", "A", DAYS[24], 1),
    ]


def test_cells_that_become_empty_are_told_and_those_that_always_were_are_not() -> None:
    of_a, hour = pl.col("symbol") == "A", pl.col("ts").dt.hour()
    few, most = (of_a & (pl.col("session") == DAYS[n]) for n in (22, 25))
    stored = rows().with_columns(
        vol_20=pl.when((few & (hour < 3)) | (most & (hour < 9)) | ~of_a)
        .then(None)
        .otherwise("vol_20")
    )
    assert told(judge(stored, stored)) == [
        ("null_rate", "feature_nulls", "warn", "A", DAYS[22], 1),
        ("null_rate", "feature_nulls", "error", "A", DAYS[25], 1),
    ]


def test_prices_that_become_empty_are_told_and_where_they_go_is_not() -> None:
    here = pl.col("session") == DAYS[25]
    prices = rows().with_columns(ma_20=pl.when(here).then(1e6).otherwise(100.0))
    assert told(judge(prices, prices)) == []
    emptied = prices.with_columns(ma_20=pl.when(~here).then("ma_20"))
    assert told(judge(emptied, emptied)) == [
        ("null_rate", "feature_nulls", "error", symbol, DAYS[25], 1) for symbol in ("A", "B")
    ]


def test_a_mean_far_from_those_before_is_told() -> None:
    there = (pl.col("symbol") == "B") & (pl.col("session") == DAYS[26])
    stored = rows().with_columns(ret_1=pl.when(there).then(0.4).otherwise("ret_1"))
    assert told(judge(stored, stored)) == [
        ("drift", "feature_shift", "warn", "B", DAYS[26], 1),
    ]


def test_rows_of_another_shape_are_not_judged() -> None:
    outcomes = judge(rows().drop("ma_5"), rows())
    codes = {name: set(o.findings["code"]) for name, o in outcomes.items()}
    assert codes == {"schema": {"schema"}} | {n: {"not_judged"} for n in CHECKS if n != "schema"}
