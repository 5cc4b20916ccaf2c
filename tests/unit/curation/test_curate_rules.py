"""What each finding does to the data: the action table of curation, line by line."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.curation.contracts import check_curated
from market_data.errors import MarketDataError, SchemaError
from market_data.schemas import CORPORATE_ACTIONS, CURATED_BARS, QUARANTINE, RAW_BARS
from market_data.timeframes import Timeframe
from tests.support.raw_rows import FETCHED, NOW, curated, raw_rows

MINUTES = {"timeframe": Timeframe.M1, "first": date(2024, 1, 4), "last": date(2024, 1, 5)}


def on(day: int, column: str, value: float) -> pl.Expr:
    """A column that has a value on one January day, else its usual one."""
    usual = {"close": 100.5, "open": 100.0, "high": 101.0, "low": 99.0}[column]
    return pl.when(pl.col("session") == date(2024, 1, day)).then(value).otherwise(usual)


def test_clean_bars_pass_as_they_are() -> None:
    found = curated(raw_rows())
    CURATED_BARS.check(found.bars)
    check_curated(found.bars)
    assert (
        found.bars.select("symbol", "open", "high", "low", "close", "volume").rows()
        == [("AAA", 100.0, 101.0, 99.0, 100.5, 10.0)] * 4
    )
    told = found.bars.select("source", "filled", "final", "dq_status", "flags", "rule_version")
    assert told.unique().rows() == [("alpha", "", True, "ok", "", "rules-1")]
    assert found.quarantined.is_empty()
    assert found.counts["rows"].sum() == 4


def test_nothing_in_nothing_out() -> None:
    for found in (curated(), curated(raw_rows().clear())):
        CURATED_BARS.check(found.bars)
        QUARANTINE.check(found.quarantined)


def test_invalid_rows_go_to_quarantine_with_the_values_that_came() -> None:
    raw = raw_rows(close=on(3, "close", 105.0), high=on(4, "high", float("nan")))
    found = curated(raw)
    assert found.bars["session"].dt.day().to_list() == [2, 5]
    QUARANTINE.check(found.quarantined)
    assert found.quarantined["reasons"].to_list() == ["ohlc", "not_finite"]
    ohlc, nan = (json.loads(row) for row in found.quarantined["row"])
    assert ohlc["close"] == 105.0
    assert nan["high"] == "NaN"
    assert found.quarantined["fetch_id"].unique().to_list() == ["alpha-1"]
    assert found.quarantined["seen_at"].unique().to_list() == [NOW]
    assert found.counts.sort("session")["quarantined"].to_list() == [0, 1, 1, 0]


def test_the_next_vendor_fills_what_was_refused() -> None:
    found = curated(raw_rows(close=on(3, "close", 105.0)), raw_rows(vendor="beta", close=100.6))
    assert found.bars["source"].to_list() == ["alpha", "beta", "alpha", "alpha"]
    assert found.bars["close"].to_list() == [100.5, 100.6, 100.5, 100.5]


def test_rows_that_contradict_each_other_are_all_refused() -> None:
    raw = raw_rows()
    other = raw[1].with_columns(close=pl.lit(100.9))
    found = curated(pl.concat([raw, other, raw[2]]), raw_rows(vendor="beta"))
    assert found.quarantined["reasons"].to_list() == ["contradiction"] * 2
    assert found.bars["source"].to_list() == ["alpha", "beta", "alpha", "alpha"]
    counts = found.counts.filter(vendor="alpha").sort("session")
    assert counts["repeats"].to_list() == [0, 0, 1, 0]
    assert counts["quarantined"].to_list() == [0, 2, 0, 0]


def test_a_row_id_is_the_same_whenever_the_row_is_refused() -> None:
    raw = raw_rows(close=on(3, "close", 105.0))
    again = raw.with_columns(fetch_id=pl.lit("later"))
    first, second = (curated(r).quarantined["row_id"].to_list() for r in (raw, again))
    assert first == second == ["b15dde0f5918494ee80984ead62f7173"]
    assert curated(pl.concat([raw, raw])).quarantined.height == 1


def test_a_bar_of_the_future_is_refused_and_a_running_one_is_not_final() -> None:
    now = datetime(2024, 1, 4, 16, tzinfo=UTC)
    found = curated(raw_rows(fetched_at=now), now=now)
    assert found.quarantined["reasons"].to_list() == ["future"]
    assert found.bars["final"].to_list() == [True, True, False]


def test_a_bar_fetched_while_it_ran_stays_not_final() -> None:
    midday = datetime(2024, 1, 5, 17, tzinfo=UTC)
    assert curated(raw_rows(fetched_at=midday)).bars["final"].to_list() == [True] * 3 + [False]


def test_bars_where_the_calendar_has_none_are_refused() -> None:
    raw = raw_rows(**MINUTES)
    shifted = {
        "before": timedelta(minutes=-1),
        "between": timedelta(seconds=30),
        "after": timedelta(minutes=390),
    }
    strays = [raw[0].with_columns(pl.col("ts") + by) for by in shifted.values()]
    sunday = raw[0].with_columns(
        ts=pl.lit(datetime(2024, 1, 7, 15, tzinfo=UTC)), session=pl.lit(date(2024, 1, 7))
    )
    found = curated(pl.concat([raw, *strays, sunday]), timeframe=Timeframe.M1)
    assert found.bars.height == 780
    assert found.quarantined["reasons"].to_list() == [
        "outside_session",
        "off_grid",
        "outside_session",
        "not_a_session",
    ]


def test_bars_in_the_lunch_break_are_refused() -> None:
    raw = raw_rows("TYO", timeframe=Timeframe.M1, first=date(2024, 1, 4), last=date(2024, 1, 4))
    lunch = raw[149].with_columns(pl.col("ts") + timedelta(minutes=5))
    found = curated(pl.concat([raw, lunch]), timeframe=Timeframe.M1)
    assert (found.bars.height, found.quarantined["reasons"].to_list()) == (300, ["outside_session"])


def test_extended_hours_are_left_out_not_refused() -> None:
    raw = raw_rows(**MINUTES, basis="raw|trade||extended|")
    early = raw[0].with_columns(pl.col("ts") - timedelta(minutes=5), close=pl.lit(-1.0))
    found = curated(pl.concat([raw, early]), timeframe=Timeframe.M1)
    assert found.bars.height == 780
    assert found.bars["dq_status"].unique().to_list() == ["ok"]
    assert found.quarantined.is_empty()
    assert found.counts["left_out"].sum() == 1


def test_two_vendors_that_drift_mark_the_session() -> None:
    other = raw_rows(vendor="beta", close=on(3, "close", 99.0))
    found = curated(raw_rows(), other)
    assert found.bars["dq_status"].to_list() == ["ok", "error", "ok", "ok"]
    assert found.bars["flags"].to_list() == ["", "drift", "", ""]
    assert found.bars["source"].unique().to_list() == ["alpha"]
    assert found.quarantined.is_empty()
    assert found.drift["severity"].to_list() == [None, "error", None, None]
    mild = curated(raw_rows(), raw_rows(vendor="beta", close=on(3, "close", 99.8)))
    assert mild.bars["dq_status"].to_list() == ["ok", "warn", "ok", "ok"]


def test_of_three_vendors_the_odd_one_gives_way() -> None:
    odd = raw_rows(close=on(3, "close", 99.0))
    found = curated(odd, raw_rows(vendor="beta", close=100.6), raw_rows(vendor="gamma"))
    assert found.bars["source"].to_list() == ["alpha", "beta", "alpha", "alpha"]
    assert found.bars["dq_status"].unique().to_list() == ["ok"]
    assert found.quarantined.select("vendor", "session", "reasons").rows() == [
        ("alpha", date(2024, 1, 3), "drift")
    ]
    assert json.loads(found.quarantined["row"][0])["close"] == 99.0
    assert found.drift.row(1, named=True)["quarantined"] == "alpha"


def test_three_vendors_that_all_differ_end_in_a_mark() -> None:
    wide = {"high": 110.0, "low": 90.0}
    found = curated(
        raw_rows(close=100.0, **wide),
        raw_rows(vendor="beta", close=103.0, **wide),
        raw_rows(vendor="gamma", close=95.0, **wide),
    )
    assert set(found.quarantined["vendor"]) == {"gamma"}
    assert found.bars["source"].unique().to_list() == ["alpha"]
    assert found.bars.select("dq_status", "flags").unique().rows() == [("error", "drift")]


def test_of_four_vendors_two_may_be_odd() -> None:
    four = curated(
        raw_rows(close=100.0),
        raw_rows(vendor="beta", close=100.1),
        raw_rows(vendor="gamma", close=104.0, high=105.0),
        raw_rows(vendor="delta", close=90.0, low=80.0),
    )
    assert set(four.quarantined["vendor"]) == {"gamma", "delta"}
    assert four.bars["dq_status"].unique().to_list() == ["ok"]
    assert four.drift["quarantined"].unique().to_list() == ["delta,gamma"]


def test_only_equal_bases_are_compared() -> None:
    bid = raw_rows("EURUSD", basis="raw|bid||regular|", close=99.1)
    mid = raw_rows("EURUSD", "beta", basis="raw|mid||regular|")
    found = curated(bid, mid)
    assert found.drift.is_empty()
    assert found.bars["source"].unique().to_list() == ["beta"]
    assert found.bars["dq_status"].unique().to_list() == ["ok"]
    alone = curated(bid)
    assert alone.bars.select("dq_status", "flags").unique().rows() == [("warn", "side_bid")]
    foreign = curated(raw_rows(basis="raw|trade||regular|Europe/London 00:00"))
    assert foreign.bars["flags"].unique().to_list() == ["foreign_day"]


@pytest.mark.parametrize(
    ("kept", "status", "flags"),
    [(390, "ok", ""), (350, "warn", "coverage"), (292, "error", "coverage")],
)
def test_coverage_marks_the_session(kept: int, status: str, flags: str) -> None:
    raw = raw_rows(**MINUTES)
    thinned = pl.concat([raw.head(kept), raw.tail(390)])
    bars = curated(thinned, timeframe=Timeframe.M1).bars
    by_session = bars.select("session", "dq_status", "flags").unique().sort("session").rows()
    assert by_session == [
        (date(2024, 1, 4), status, flags),
        (date(2024, 1, 5), "ok", ""),
    ]


def test_a_running_session_is_not_judged_for_coverage() -> None:
    now = datetime(2024, 1, 5, 15, tzinfo=UTC)
    raw = raw_rows(**MINUTES, fetched_at=now).filter(pl.col("ts") < now)
    assert curated(raw, timeframe=Timeframe.M1, now=now).bars["flags"].unique().to_list() == [""]


def test_split_adjusted_prices_come_back_as_traded() -> None:
    split = pl.DataFrame(
        [("AAA", date(2024, 1, 4), "split", 2.0, "alpha", FETCHED)],
        schema=CORPORATE_ACTIONS.dtypes,
        orient="row",
    )
    found = curated(
        raw_rows(basis="splits|trade||regular|"),
        raw_rows(vendor="beta"),
        actions=split,
    )
    assert found.bars["open"].to_list() == [200.0, 200.0, 100.0, 100.0]
    assert found.bars["volume"].to_list() == [5.0, 5.0, 10.0, 10.0]
    # beta's raw prices stand at half of them before the split: a drift, not a coincidence
    assert found.bars["flags"].to_list() == ["deadjusted,drift"] * 2 + ["deadjusted"] * 2
    assert found.bars["dq_status"].to_list() == ["error", "error", "ok", "ok"]


def test_refused_rows_keep_the_adjusted_values_that_came() -> None:
    split = pl.DataFrame(
        [("AAA", date(2024, 1, 4), "split", 2.0, "alpha", FETCHED)],
        schema=CORPORATE_ACTIONS.dtypes,
        orient="row",
    )
    raw = raw_rows(basis="splits|trade||regular|", close=on(3, "close", 105.0))
    row = json.loads(curated(raw, actions=split).quarantined["row"][0])
    assert (row["close"], row["basis"]) == (105.0, "splits|trade||regular|")


def test_prices_with_dividends_worked_in_are_left_out_of_equities() -> None:
    found = curated(raw_rows(basis="total|trade||regular|"))
    assert found.bars.is_empty()
    assert found.quarantined.is_empty()
    assert found.counts["left_out"].sum() == 4


def test_pence_become_pounds() -> None:
    pence = raw_rows("LON", basis="raw|trade|GBp|regular|")
    found = curated(pence, raw_rows("LON", "beta", close=1.005, open=1.0, high=1.01, low=0.99))
    assert found.bars["close"].to_list() == [1.005] * 4
    assert found.bars["dq_status"].unique().to_list() == ["ok"]
    assert found.drift["drift"].max() < 1e-9
    dollars = curated(raw_rows("LON", basis="raw|trade|USD|regular|"))
    assert dollars.bars["flags"].unique().to_list() == ["unit_usd"]


def test_minutes_stand_in_where_no_native_bar_is() -> None:
    minutes = raw_rows("AAA", "beta", close=100.6, **MINUTES)
    found = curated(raw_rows()[:3], timeframe=Timeframe.D1, minutes=(minutes,))
    assert found.bars["source"].to_list() == ["alpha"] * 3 + ["beta@1m"]
    assert found.bars["volume"].to_list() == [10.0] * 3 + [3900.0]
    assert found.bars["flags"].to_list() == [""] * 4


def test_a_bar_of_too_few_minutes_says_so() -> None:
    minutes = raw_rows(**MINUTES)
    few = pl.concat([minutes[:100], minutes[390:740]])
    found = curated(timeframe=Timeframe.D1, minutes=(few,))
    assert found.bars.select("flags", "dq_status").rows() == [
        ("partial", "error"),
        ("partial", "warn"),
    ]
    # and is not held against another vendor's whole bar
    other = raw_rows(vendor="beta", close=90.0, low=80.0)[2:]
    assert curated(other, minutes=(few,)).drift.is_empty()


def test_minutes_that_drift_give_way_too() -> None:
    far = raw_rows("AAA", "gamma", close=104.0, high=105.0, **MINUTES)
    found = curated(raw_rows(), raw_rows(vendor="beta"), minutes=(far,))
    assert found.quarantined.select("vendor", "reasons", "fetch_id").unique().rows() == [
        ("gamma", "drift", "")
    ]
    assert found.bars["dq_status"].unique().to_list() == ["ok"]


def test_asset_classes_and_calendars_come_out_in_one_order() -> None:
    found = curated(
        pl.concat([raw_rows("TYO"), raw_rows("BBB"), raw_rows("EURUSD"), raw_rows("AAA")])
    )
    assert found.bars["symbol"].unique(maintain_order=True).to_list() == [
        "AAA",
        "BBB",
        "EURUSD",
        "TYO",
    ]
    assert found.bars.equals(found.bars.sort("symbol", "ts"))


def test_unknown_symbols_and_minutes_of_minutes_are_errors() -> None:
    with pytest.raises(MarketDataError, match="ZZZ"):
        curated(raw_rows().with_columns(symbol=pl.lit("ZZZ")))
    with pytest.raises(MarketDataError, match="not resampled"):
        curated(timeframe=Timeframe.M1, minutes=(raw_rows(**MINUTES),))


def test_the_contract_names_what_is_wrong() -> None:
    bars = curated(raw_rows()).bars
    for wrong, named in (
        (bars.drop("open"), "open"),
        (bars.with_columns(extra=1), "extra"),
        (bars.with_columns(close=pl.lit(None, dtype=pl.Float64)), "close"),
        (bars.with_columns(pl.col("final").cast(pl.Int8)), "final"),
        (bars.select(reversed(bars.columns)), "ordered"),
    ):
        with pytest.raises(SchemaError, match=named):
            check_curated(wrong)


def test_curating_what_was_curated_changes_nothing() -> None:
    raw = raw_rows(close=on(3, "close", 105.0))
    first = curated(raw).bars
    rest = raw.select("symbol", "ts", *(c for c in raw.columns if c not in first.columns))
    as_raw = RAW_BARS.conform(first.join(rest, on=["symbol", "ts"]))
    assert curated(as_raw).bars.equals(first)


def test_a_bar_that_is_left_out_contradicts_nothing() -> None:
    raw = raw_rows()
    adjusted = raw_rows(basis="total|trade||regular|", close=100.9)
    found = curated(pl.concat([raw, adjusted]))
    assert found.bars["close"].to_list() == [100.5] * 4
    assert found.quarantined.is_empty()


def test_a_grid_fixed_in_utc_is_off_after_the_clock_change() -> None:
    columns = {"timeframe": Timeframe.H4, "first": date(2024, 3, 8), "last": date(2024, 3, 11)}
    raw = raw_rows("EURUSD", basis="raw|mid||regular|", **columns)
    assert curated(raw, timeframe=Timeframe.H4).quarantined.is_empty()
    # the bars that start at 1, 5, 9 ... UTC on both sides of the change; right only after it
    early = pl.when(pl.col("session") == date(2024, 3, 8)).then(timedelta(hours=3))
    fixed = raw.with_columns(ts=pl.col("ts") + early.otherwise(timedelta(0)))
    found = curated(pl.concat([fixed[:5], fixed[6:]]), timeframe=Timeframe.H4)
    assert found.quarantined.select("session", "reasons").unique().rows() == [
        (date(2024, 3, 8), "off_grid")
    ]
    assert found.bars.height == 6


def test_flags_of_rows_and_sessions_are_sorted_together() -> None:
    thin = raw_rows(**MINUTES, basis="raw|bid||regular|").head(500)
    bars = curated(thin, timeframe=Timeframe.M1).bars
    assert bars["flags"].unique(maintain_order=True).to_list() == ["side_bid", "coverage,side_bid"]
