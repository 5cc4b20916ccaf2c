"""Drift between vendors: the measurement, the odd vendor, the limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.errors import MarketDataError
from market_data.quality.checks import check_drift, evaluate_bars
from market_data.quality.drift import SESSION_DRIFT, bar_drift, drift_per_bar
from market_data.timeframes import Timeframe

DAY = date(2024, 1, 10)
START = datetime(2024, 1, 10, 15, tzinfo=UTC)


def closes(vendor: str, values: list[float], *, group: str = "g", symbol: str = "AAA"):
    times = [START + timedelta(minutes=i) for i in range(len(values))]
    return pl.DataFrame(
        {"vendor": vendor, "symbol": symbol, "session": DAY, "ts": times, "close": values},
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    ).with_columns(basis_group=pl.lit(group))


def one(frame: pl.DataFrame) -> dict:
    assert frame.height == 1
    return frame.row(0, named=True)


def test_golden_vector_of_two_vendors() -> None:
    bars = pl.concat([closes("a", [100.0, 100.0, 100.0]), closes("b", [100.0, 98.0, 99.0])])
    found = one(bar_drift(bars))
    assert found["drift"] == pytest.approx(0.02)
    assert found["worst_ts"] == START + timedelta(minutes=1)
    assert (found["bars"], found["vendors"], found["odd_vendor"]) == (3, 2, None)
    middle = one(bar_drift(bars, statistic="median"))
    assert middle["drift"] == pytest.approx(0.01)
    assert middle["drift_max"] == pytest.approx(0.02)


def test_the_statistic_is_chosen_per_symbol_or_by_the_column() -> None:
    pair = [closes("a", [1.0, 1.0, 1.0]), closes("b", [1.0, 1.0, 2.0])]
    both = pl.concat([*pair, *(p.with_columns(symbol=pl.lit("BBB")) for p in pair)])
    by_symbol = bar_drift(both, statistic={"BBB": "median"})
    assert by_symbol["symbol"].to_list() == ["AAA", "BBB"]
    assert by_symbol["drift"].to_list() == [0.5, 0.0]
    column = both.with_columns(
        statistic=pl.when(pl.col("symbol") == "AAA").then(pl.lit("median")).otherwise(pl.lit("max"))
    )
    assert bar_drift(column)["drift"].to_list() == [0.0, 0.5]


def test_the_odd_vendor_of_three() -> None:
    bars = pl.concat(
        [closes("a", [10.0, 10.0]), closes("b", [10.0, 10.01]), closes("c", [9.0, 10])]
    )
    assert one(bar_drift(bars))["odd_vendor"] == "c"
    assert drift_per_bar(bars)["odd_vendor"].to_list() == ["c", "b"]
    # by the median of two bars c is still farthest
    assert one(bar_drift(bars, statistic="median"))["odd_vendor"] == "c"


def test_no_odd_vendor_where_two_are_equally_far() -> None:
    bars = pl.concat([closes("a", [9.0]), closes("b", [10.0]), closes("c", [11.0])])
    assert one(bar_drift(bars))["odd_vendor"] is None
    four = pl.concat([closes(v, [p]) for v, p in zip("abcd", [9.0, 9.0, 11.0, 11.0], strict=True)])
    assert one(bar_drift(four))["odd_vendor"] is None


def test_only_equal_bases_are_compared() -> None:
    bars = pl.concat([closes("a", [10.0]), closes("b", [20.0], group="other")])
    assert bar_drift(bars).is_empty()
    assert bar_drift(bars).schema == SESSION_DRIFT


def test_a_vendor_does_not_drift_from_itself_and_broken_closes_do_not_count() -> None:
    twice = pl.concat([closes("a", [10.0]), closes("a", [20.0])])
    assert bar_drift(twice).is_empty()
    broken = [None, float("nan"), float("inf"), 0.0, -1.0]
    bars = pl.concat([closes("a", [10.0] * 5), closes("b", broken)], how="vertical_relaxed")
    assert bar_drift(bars).is_empty()


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.floats(1, 100)), max_size=25
    ),
    seed=st.integers(0, 5),
)
def test_drift_is_a_share_and_does_not_depend_on_order(data, seed: int) -> None:
    rows = [(v, "AAA", DAY, START + timedelta(minutes=m), c, "g") for v, m, c in data]
    schema = closes("a", [1.0]).schema
    bars = pl.DataFrame(rows, schema=schema, orient="row")
    found = bar_drift(bars)
    assert found.equals(bar_drift(bars.sample(fraction=1.0, shuffle=True, seed=seed)))
    meets = bars.group_by("ts").agg(pl.col("vendor").n_unique()).filter(pl.col("vendor") > 1)
    assert found.height == (meets.height > 0)
    assert found["drift"].is_between(0, 1, closed="left").all()


def with_peers(view, *others: tuple[str, float]):
    """Peers: the view's own bars, and other vendors' with closes off by a share."""
    own = view.bars.select("symbol", "session", "ts", "close", basis_group=pl.lit("g"))
    frames = [own.with_columns(vendor=pl.lit("acme"))]
    frames += [own.with_columns(pl.col("close") * (1 + off), vendor=pl.lit(n)) for n, off in others]
    return replace(view, peers=pl.concat(frames))


@pytest.mark.parametrize(
    ("calendar", "off", "expected"),
    [
        ("fx", 0.0004, []),
        ("fx", 0.0008, [("drift", "warn")]),
        ("fx", 0.0012, [("drift", "error")]),
        ("XNYS", 0.0012, []),
        ("XNYS", 0.006, [("drift", "warn")]),
        ("XNYS", 0.011, [("drift", "error")]),
    ],
)
def test_limits_by_asset_class(make_view, thresholds, calendar, off, expected) -> None:
    view = with_peers(make_view(calendar, Timeframe.M15, DAY, DAY), ("other", off))
    outcome = check_drift(view, view.limits(thresholds))
    assert outcome.findings.select("code", "severity").rows() == expected
    assert outcome.rows.height == 2 * len(expected)


def test_one_stray_bar_is_an_error_for_equities_and_none_for_currencies(
    make_view, thresholds
) -> None:
    for calendar, expected in (("fx", 0), ("XNYS", 1)):
        view = with_peers(make_view(calendar, Timeframe.M15, DAY, DAY), ("other", 0.0))
        stray = (pl.int_range(pl.len()) == 3).over("vendor") & (pl.col("vendor") == "other")
        peers = view.peers.with_columns(
            close=pl.when(stray).then(pl.col("close") * 1.05).otherwise("close")
        )
        outcome = check_drift(replace(view, peers=peers), view.limits(thresholds))
        assert outcome.findings.height == expected


def test_three_vendors_name_the_odd_one(make_view, thresholds) -> None:
    view = with_peers(make_view(start=DAY, end=DAY), ("good", 0.0), ("bad", 0.02))
    found = one(check_drift(view, view.limits(thresholds)).findings)
    assert (found["code"], found["severity"]) == ("drift_outlier", "error")
    assert "bad stands apart" in found["detail"]
    assert found["value"] == pytest.approx(1 - 1 / 1.02)
    assert found["threshold"] == 0.01


def test_a_raw_dataset_warns_where_another_vendor_stands_apart(make_view, thresholds) -> None:
    raw = make_view(start=DAY, end=DAY, kind="raw")
    view = with_peers(raw, ("good", 0.0), ("bad", 0.02))
    assert one(check_drift(view, view.limits(thresholds)).findings)["severity"] == "warn"
    own = view.peers.with_columns(
        close=pl.when(pl.col("vendor") == "acme").then(pl.col("close") * 0.9).otherwise("close")
    )
    view = replace(view, peers=own)
    assert one(check_drift(view, view.limits(thresholds)).findings)["severity"] == "error"


def test_a_raw_dataset_is_not_compared_without_its_own_bars(make_view, thresholds) -> None:
    view = with_peers(make_view(start=DAY, end=DAY, kind="raw"), ("a", 0.0), ("b", 0.02))
    others = view.peers.filter(pl.col("vendor") != "acme")
    with pytest.raises(MarketDataError, match="own bars"):
        evaluate_bars(replace(view, peers=others), thresholds)
    # two other vendors disagree about a bar that this dataset has not
    nothing = replace(view, bars=view.bars.clear(), peers=others)
    assert evaluate_bars(nothing, thresholds)["drift"].findings.is_empty()
