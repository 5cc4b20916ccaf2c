"""The table of consequences, line by line."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from market_data.errors import MarketDataError
from market_data.quality.actions import (
    ACTIONS,
    action_of,
    bar_marks,
    block_reasons,
    check_severity,
)
from market_data.quality.effects import DataEffect, ReadersEffect, RunEffect
from market_data.quality.view import limits_of
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

FIRST = date(2024, 1, 1)


@pytest.fixture(scope="module")
def limits(thresholds) -> pl.DataFrame:
    instruments = [
        Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS"),
        Instrument(symbol="EURUSD", asset_class=AssetClass.FX, calendar="fx"),
    ]
    return limits_of(instruments, Timeframe.D1, thresholds)


def found(code: str, severity: str, sessions: int, *, symbol: str = "AAA") -> pl.DataFrame:
    rows = [
        ("x", code, severity, "d", symbol, FIRST + timedelta(days=i), 1.0, 0.5, 1, "so it is")
        for i in range(sessions)
    ]
    return pl.DataFrame(rows, schema=FINDINGS.dtypes, orient="row")


def run_of(
    sessions: int, *, refused: int = 0, rows: int = 100, symbol: str = "AAA"
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [symbol] * sessions,
            "session": [FIRST + timedelta(days=i) for i in range(sessions)],
            "refused": refused,
            "rows": rows,
        },
        schema_overrides={"symbol": pl.String, "session": pl.Date},
    )


def test_schema(limits) -> None:
    action = action_of("schema")
    assert action.data is DataEffect.REFUSE_FETCH
    assert action.run is RunEffect.FAIL_STEP
    assert action.readers is ReadersEffect.NOTHING_NEW
    assert block_reasons(found("schema", "error", 1), run_of(10), limits) == ["schema: so it is"]
    assert check_severity(found("schema", "warn", 1)) == "error"
    assert action_of("not_judged") is action


def test_invalid_row(limits) -> None:
    action = action_of("ohlc")
    assert action.data is DataEffect.QUARANTINE_ROW
    assert action.readers is ReadersEffect.NEVER_SERVED
    assert action.run is RunEffect.BLOCK_ABOVE_REJECT_SHARE
    error = found("ohlc", "error", 10)
    assert not block_reasons(error, run_of(10, refused=5), limits)
    assert block_reasons(error, run_of(10, refused=6), limits) == [
        "equity: 60 of 1000 rows are invalid, more than 5%"
    ]
    assert check_severity(found("price_range", "warn", 2)) == "warn"
    assert check_severity(found("not_finite", "error", 2)) == "error"


def test_duplicate(limits) -> None:
    action = action_of("contradiction")
    assert action is action_of("duplicate_rows")
    assert action.data is DataEffect.NEWEST_WINS
    assert not block_reasons(found("contradiction", "warn", 10), run_of(10), limits)
    assert check_severity(found("contradiction", "error", 2)) == "warn"


@pytest.mark.parametrize("code", ["coverage_error", "no_data", "drift"])
def test_coverage_and_drift_of_two_vendors(limits, code) -> None:
    action = action_of(code)
    assert action.data is DataEffect.MARK_SESSION
    assert action.readers is ReadersEffect.LEFT_OUT
    assert action.run is RunEffect.BLOCK_ABOVE_BLOCK_SHARE
    assert not block_reasons(found(code, "error", 5), run_of(10), limits)
    assert block_reasons(found(code, "error", 6), run_of(10), limits) == [
        "equity: 6 of 10 symbol-sessions are in error, more than 50%"
    ]
    assert not block_reasons(found(code, "warn", 10), run_of(10), limits)
    assert [check_severity(found(code, s, 2)) for s in ("warn", "error")] == ["warn", "error"]


def test_coverage_and_drift_of_one_session_count_once(limits) -> None:
    both = pl.concat([found("coverage_error", "error", 5), found("drift", "error", 5)])
    assert not block_reasons(both, run_of(10), limits)


def test_drift_of_three_vendors(limits) -> None:
    action = action_of("drift_outlier")
    assert action.data is DataEffect.QUARANTINE_ODD_VENDOR
    assert not block_reasons(found("drift_outlier", "error", 10), run_of(10), limits)
    assert check_severity(found("drift_outlier", "error", 2)) == "error"


def test_staleness(limits) -> None:
    action = action_of("stale")
    assert action.data is DataEffect.NONE
    assert action.run is RunEffect.EXIT_IF_ASKED
    assert action.readers is ReadersEffect.TOLD
    assert not block_reasons(found("stale", "error", 10), run_of(10), limits)
    assert [check_severity(found("stale", s, 2)) for s in ("warn", "error")] == ["warn", "error"]


@pytest.mark.parametrize(
    ("code", "data", "readers", "alert"),
    [
        ("jump", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("false_tick", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("wick", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("unit_error", DataEffect.MARK_ROW, ReadersEffect.LEFT_OUT, "error"),
        ("flat_run", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("volume", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("zero_volume", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("volume_missing", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("repeated_bar", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("consistency", DataEffect.FLAG_ROW, ReadersEffect.FLAGGED, "warn"),
        ("score_shift", DataEffect.NONE, ReadersEffect.UNCHANGED, "warn"),
    ],
)
def test_oddities_of_prices_and_volumes(limits, code, data, readers, alert) -> None:
    action = action_of(code)
    assert (action.data, action.readers) == (data, readers)
    assert not block_reasons(found(code, "error", 10), run_of(10), limits)
    assert check_severity(found(code, "error", 2)) == alert


def test_a_check_is_as_severe_as_its_worst_finding() -> None:
    both = pl.concat([found("contradiction", "error", 3), found("price_range", "warn", 2)])
    assert check_severity(both) == "warn"
    assert check_severity(pl.concat([both, found("ohlc", "error", 1)])) == "error"


def test_findings_about_single_bars_mark_them_as_their_lines_say() -> None:
    codes = ["jump", "unit_error", "score_shift", "flat_run"]
    told = pl.concat([found(code, "warn", 1) for code in codes])
    marked = bar_marks(told.with_columns(ts=pl.lit(None, pl.Datetime("us", "UTC"))))
    assert marked.columns == ["symbol", "session", "ts", "flag", "severity"]
    assert marked.select("flag", "severity").rows() == [
        ("jump", "warn"),
        ("unit_error", "error"),
        ("flat_run", "warn"),
    ]
    assert bar_marks(told.clear().with_columns(ts=pl.lit(None))).is_empty()


def test_each_asset_class_is_judged_by_itself(limits) -> None:
    sessions = pl.concat([run_of(100), run_of(2, symbol="EURUSD")])
    few = found("no_data", "error", 2, symbol="EURUSD")
    assert block_reasons(few, sessions, limits) == [
        "fx: 2 of 2 symbol-sessions are in error, more than 50%"
    ]


def test_without_row_counts_only_sessions_are_judged(limits) -> None:
    plain = run_of(10, refused=100).select("symbol", "session")
    assert not block_reasons(found("ohlc", "error", 10), plain, limits)
    assert block_reasons(found("no_data", "error", 10), plain, limits)


def test_nothing_found_blocks_nothing(limits) -> None:
    assert block_reasons(FINDINGS.empty(), run_of(10), limits) == []
    assert block_reasons(FINDINGS.empty(), run_of(0), limits) == []


def test_no_code_is_in_two_lines_and_an_unknown_one_is_refused() -> None:
    codes = [code for action in ACTIONS for code in action.codes]
    assert len(codes) == len(set(codes))
    with pytest.raises(MarketDataError, match="no action for the finding 'colour'"):
        action_of("colour")
