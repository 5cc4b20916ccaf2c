"""Schema, duplicates and invalid rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from market_data.errors import MarketDataError
from market_data.quality.checks import CHECKS, evaluate_bars
from market_data.timeframes import Timeframe

DAY = date(2024, 1, 10)
AT = pl.int_range(pl.len())


def minute_view(make_view, **options):
    return make_view("XNYS", Timeframe.M1, DAY, DAY, **options)


def found(outcomes, check):
    return outcomes[check].findings.select("code", "severity", "rows").rows()


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (pl.col("volume").cast(pl.Int64), "volume is Int64"),
        (pl.col("ts").dt.cast_time_unit("ms"), "ts is Datetime"),
        (pl.col("close").cast(pl.String), "close is String"),
    ],
)
def test_a_wrong_type_is_an_error_and_nothing_else_passes(
    make_view, thresholds, expression, said
) -> None:
    view = make_view(start=DAY, end=date(2024, 1, 11))
    outcomes = evaluate_bars(replace(view, bars=view.bars.with_columns(expression)), thresholds)
    assert said in outcomes["schema"].findings["detail"][0]
    assert outcomes["schema"].findings["severity"].to_list() == ["error"] * 2
    for check in CHECKS[1:]:
        assert outcomes[check].findings["code"].to_list() == ["not_judged"] * 2
        assert outcomes[check].findings["check"].unique().to_list() == [check]


def test_a_missing_column_is_an_error(make_view, thresholds) -> None:
    view = make_view(start=DAY, end=DAY)
    outcomes = evaluate_bars(replace(view, bars=view.bars.drop("vwap")), thresholds)
    assert "vwap" not in outcomes["schema"].rows.columns
    assert outcomes["schema"].findings["session"].to_list() == [DAY]


def test_empty_cells_are_told_where_they_are(make_view, thresholds) -> None:
    view = make_view(start=DAY, end=date(2024, 1, 12))
    hole = pl.when(pl.col("session") == DAY).then(None).otherwise("source").alias("source")
    outcomes = evaluate_bars(replace(view, bars=view.bars.with_columns(hole)), thresholds)
    assert outcomes["schema"].findings.select("symbol", "session", "detail").rows() == [
        ("AAA", DAY, "empty cells in source")
    ]
    assert outcomes["schema"].rows["session"].to_list() == [DAY]
    assert outcomes["coverage"].findings.is_empty()


def test_a_symbol_without_an_instrument_stops_the_evaluation(make_view, thresholds) -> None:
    view = make_view()
    stranger = view.bars.with_columns(symbol=pl.lit("ZZZ"))
    with pytest.raises(MarketDataError, match="no instrument is given for ZZZ"):
        evaluate_bars(replace(view, bars=stranger), thresholds)


def test_repeats_and_contradictions(make_view, thresholds) -> None:
    view = minute_view(make_view, kind="raw")
    repeat = view.bars.head(3)
    contrary = view.bars[10:12].with_columns(close=pl.col("close") + 0.01)
    both = replace(view, bars=pl.concat([view.bars, repeat, contrary]))
    outcome = evaluate_bars(both, thresholds)["duplicates"]
    assert outcome.findings.select("code", "severity", "rows").rows() == [
        ("contradiction", "warn", 2),
        ("duplicate_rows", "warn", 3),
    ]
    assert outcome.rows.height == 10
    assert outcome.measured.select("duplicates", "contradictions").rows() == [(3, 2)]


def test_repeats_of_a_fetch_are_counted_where_they_are_given(make_view, thresholds) -> None:
    view = make_view(start=DAY, end=date(2024, 1, 11))
    given = pl.DataFrame({"symbol": ["AAA"], "session": [DAY], "rows": [4]})
    outcomes = evaluate_bars(replace(view, duplicates=given), thresholds)
    assert found(outcomes, "duplicates") == [("duplicate_rows", "warn", 4)]
    more = given.with_columns(rows=pl.lit(0), contradictions=pl.lit(2))
    outcomes = evaluate_bars(replace(view, duplicates=more), thresholds)
    assert found(outcomes, "duplicates") == [("contradiction", "warn", 2)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (3, []),
        (4, [("ohlc", "warn", 4)]),
        (19, [("ohlc", "warn", 19)]),
        (20, [("ohlc", "error", 20)]),
    ],
)
def test_the_share_of_invalid_rows_decides(make_view, thresholds, rows, expected) -> None:
    view = minute_view(make_view, kind="raw")
    high = pl.when(rows > AT).then(pl.col("low") - 0.1).otherwise("high").alias("high")
    outcome = evaluate_bars(replace(view, bars=view.bars.with_columns(high)), thresholds)["ohlc"]
    assert outcome.findings.select("code", "severity", "rows").rows() == expected
    assert outcome.measured.select("refused", "rows").rows() == [(rows, 390)]
    assert outcome.rows.height == min(rows, 20)


def test_every_reason_is_its_own_finding(make_view, thresholds) -> None:
    view = minute_view(make_view, kind="raw")
    bars = view.bars.with_columns(
        close=pl.when(AT < 30).then(float("nan")).when(AT < 60).then(-1.0).otherwise("close"),
        volume=pl.when(AT < 5).then(-1.0).otherwise("volume"),
    )
    outcome = evaluate_bars(replace(view, bars=bars), thresholds)["ohlc"]
    codes = dict(outcome.findings.select("code", "rows").rows())
    assert codes["not_finite"] == 30
    assert codes["not_positive"] == 30
    assert codes["negative_volume"] == 5
    assert outcome.findings["value"].unique().to_list() == [60 / 390]
    assert outcome.measured["refused"].item() == 60


def test_prices_outside_the_range_of_the_class(make_view, thresholds) -> None:
    view = make_view("fx", Timeframe.D1, DAY, DAY, kind="raw")
    dear = view.bars.with_columns(pl.col("open", "high", "low", "close") * 1e6)
    outcomes = evaluate_bars(replace(view, bars=dear), thresholds)
    assert found(outcomes, "ohlc") == [("price_range", "error", 1)]


def quarantine(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [("AAA", DAY, *row) for row in rows],
        schema={
            "symbol": pl.String,
            "session": pl.Date,
            "stage": pl.String,
            "reasons": pl.String,
            "rows": pl.Int64,
        },
        orient="row",
    )


def test_quarantined_rows_count_among_all_rows(make_view, thresholds) -> None:
    view = replace(
        minute_view(make_view),
        quarantine=quarantine(("curate", "ohlc,price_range", 6), ("fetch", "not_finite", 4)),
    )
    outcome = evaluate_bars(view, thresholds)["ohlc"]
    assert sorted(outcome.findings.select("code", "rows").rows()) == [
        ("not_finite", 4),
        ("ohlc", 6),
        ("price_range", 6),
    ]
    assert outcome.measured.select("refused", "rows").rows() == [(10, 400)]


def test_a_raw_dataset_counts_rows_refused_at_the_fetch_alone(make_view, thresholds) -> None:
    view = replace(
        minute_view(make_view, kind="raw"),
        quarantine=quarantine(("curate", "ohlc", 100), ("fetch", "not_finite", 10)),
    )
    assert found(evaluate_bars(view, thresholds), "ohlc") == [("not_finite", "warn", 10)]


def test_rows_that_gave_way_to_others_are_not_invalid(make_view, thresholds) -> None:
    view = replace(
        minute_view(make_view),
        quarantine=quarantine(("curate", "drift", 390), ("curate", "contradiction,drift", 5)),
    )
    assert evaluate_bars(view, thresholds)["ohlc"].findings.is_empty()


def test_samples_are_limited_and_findings_are_not(make_view, thresholds) -> None:
    view = make_view(start=date(2024, 1, 1), end=date(2024, 3, 28), kind="raw")
    bars = view.bars.with_columns(high=pl.col("low") - 1)
    outcome = evaluate_bars(replace(view, bars=bars), thresholds)["ohlc"]
    assert outcome.findings.height == view.expected.height > 40
    assert outcome.rows.height == 20


def test_a_bar_of_the_future_is_invalid(make_view, thresholds) -> None:
    view = minute_view(make_view, kind="raw")
    before = view.bars["ts"].min() + timedelta(minutes=10)
    outcome = evaluate_bars(replace(view, now=before), thresholds)["ohlc"]
    assert outcome.findings.select("code", "rows").rows() == [("future", 379)]
