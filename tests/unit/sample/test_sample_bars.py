"""The sample vendors' bars: repeatable, on the grid, adding up, never from the future."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vendors.sample.instruments import INSTRUMENTS, LISTED
from adapters.vendors.sample.noise import normal, uniform
from adapters.vendors.sample.truth import daily_bars, minute_bars
from adapters.vendors.sample.vendor import SampleVendor
from market_data.calendars import bar_starts, trading_sessions
from market_data.errors import ConfigurationError
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SYMBOLS = sorted(INSTRUMENTS)


def wanted(symbol: str) -> SymbolRequest:
    demo = INSTRUMENTS[symbol]
    return SymbolRequest(
        Instrument(symbol=symbol, asset_class=demo.asset_class, calendar=demo.calendar), symbol
    )


def fetch(
    vendor: SampleVendor,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    *,
    symbols: list[str] = SYMBOLS,
    now: datetime = NOW,
) -> pl.DataFrame:
    request = FetchRequest(tuple(wanted(s) for s in symbols), timeframe, start, end, now)
    return pl.concat([r.frame for r in vendor.fetch(request)])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_minutes_of_a_session_add_up_to_its_day(symbol: str) -> None:
    demo = INSTRUMENTS[symbol]
    first, last = date(2024, 2, 26), date(2024, 3, 12)
    minutes = minute_bars(demo, 7, first, last)
    summed = minutes.group_by("session", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    days = daily_bars(demo, 7, first, last)
    assert summed.height == trading_sessions(demo.calendar, first, last).height
    assert summed.equals(days.select(summed.columns))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_bars_are_sound_and_on_the_grid(symbol: str) -> None:
    demo = INSTRUMENTS[symbol]
    days = (date(2024, 3, 7), date(2024, 3, 12))
    for bars in (minute_bars(demo, 7, *days), daily_bars(demo, 7, LISTED, date(2025, 1, 2))):
        low, high = pl.col("low"), pl.col("high")
        inside = (low <= pl.min_horizontal("open", "close")) & (
            high >= pl.max_horizontal("open", "close")
        )
        assert bars.select((inside & (low > 0) & (pl.col("volume") > 0)).all()).item()
    grid = bar_starts(demo.calendar, Timeframe.M1, *days)
    assert minute_bars(demo, 7, *days)["ts"].equals(grid["ts"])


@given(
    start=st.integers(0, 120),
    cuts=st.lists(st.integers(1, 60 * 24 * 6), min_size=1, max_size=4),
    name=st.sampled_from(["sample_a", "sample_b"]),
    symbol=st.sampled_from(SYMBOLS),
)
@settings(max_examples=25, deadline=None)
def test_any_slices_give_the_bars_of_the_whole(
    start: int, cuts: list[int], name: str, symbol: str
) -> None:
    vendor = SampleVendor(name)
    begin = utc(2024, 1, 2) + timedelta(days=start)
    edges = [begin, *(begin + timedelta(minutes=m) for m in sorted(set(cuts)))]
    for timeframe in (Timeframe.M1, Timeframe.D1):
        whole = fetch(vendor, timeframe, edges[0], edges[-1], symbols=[symbol])
        parts = [
            fetch(SampleVendor(name), timeframe, a, b, symbols=[symbol]) for a, b in pairwise(edges)
        ]
        assert pl.concat(parts).equals(whole)


def test_long_ranges_of_minutes_come_in_slices() -> None:
    request = FetchRequest(
        (wanted("DEMO-BTC"),), Timeframe.M1, utc(2024, 3, 1), utc(2024, 5, 1), NOW
    )
    sizes = [r.frame.height for r in SampleVendor("sample_a", faults=False).fetch(request)]
    assert sizes == [31 * 1440, 30 * 1440, 0]


def test_nothing_that_has_not_begun_is_served() -> None:
    vendor = SampleVendor("sample_a", faults=False)
    noon = utc(2024, 3, 12, 12)
    minutes = fetch(vendor, Timeframe.M1, utc(2024, 3, 12), utc(2024, 3, 14), now=noon)
    assert minutes["ts"].max() == noon - timedelta(minutes=1)
    assert "DEMO-ACME" not in set(minutes["symbol"])
    days = fetch(vendor, Timeframe.D1, utc(2024, 3, 11), utc(2030, 1, 1), now=noon)
    newest = dict(days.group_by("symbol").agg(pl.col("ts").max().dt.date()).iter_rows())
    assert newest == {
        "DEMO-ACME": date(2024, 3, 11),
        "DEMO-GLOBEX": date(2024, 3, 11),
        "DEMO-EURUSD": date(2024, 3, 12),
        "DEMO-BTC": date(2024, 3, 12),
    }


def test_an_fx_day_is_served_from_the_evening_before() -> None:
    evening = utc(2024, 3, 11, 22)
    days = fetch(
        SampleVendor("sample_a"),
        Timeframe.D1,
        utc(2024, 3, 11),
        utc(2024, 3, 13),
        symbols=["DEMO-EURUSD"],
        now=evening,
    )
    assert days["ts"].dt.date().to_list() == [date(2024, 3, 11), date(2024, 3, 12)]


def test_before_the_listing_there_is_nothing_to_have() -> None:
    request = FetchRequest(
        (wanted("DEMO-ACME"),), Timeframe.D1, utc(2023, 1, 1), utc(2023, 6, 1), NOW
    )
    (result,) = SampleVendor("sample_a").fetch(request)
    assert result.outcomes["DEMO-ACME"].outcome is Outcome.UNAVAILABLE
    days = fetch(SampleVendor("sample_a"), Timeframe.D1, utc(2023, 12, 1), utc(2024, 1, 5))
    assert days["ts"].min() == utc(2024, 1, 2)


def test_the_second_vendor_stays_close_to_the_first() -> None:
    span = (utc(2024, 3, 5), utc(2024, 3, 8))
    limits = {"DEMO-EURUSD": 1e-4}
    for timeframe in (Timeframe.M1, Timeframe.D1):
        a, b = (fetch(SampleVendor(n), timeframe, *span) for n in ("sample_a", "sample_b"))
        both = a.join(b, on=["symbol", "ts"], suffix="_b")
        apart = both.with_columns(d=(pl.col("close") / pl.col("close_b") - 1).abs())
        for symbol, drift, differs in (
            apart.group_by("symbol")
            .agg(pl.col("d").max(), (pl.col("d") > 0).any().alias("x"))
            .iter_rows()
        ):
            assert differs
            assert drift < limits.get(symbol, 1e-3)
        assert b.filter(pl.col("symbol") == "DEMO-EURUSD")["volume"].is_null().all()
        assert a["volume"].null_count() == 0


def test_the_second_vendor_loses_a_few_minutes() -> None:
    span = (utc(2024, 3, 5), utc(2024, 3, 8))
    a, b = (fetch(SampleVendor(n), Timeframe.M1, *span) for n in ("sample_a", "sample_b"))
    assert 0.001 < 1 - b.height / a.height < 0.006


def test_another_seed_is_another_market() -> None:
    span = (utc(2024, 3, 5), utc(2024, 3, 8))
    one, other = (fetch(SampleVendor("sample_a", seed=s), Timeframe.D1, *span) for s in (7, 8))
    assert not one.select("symbol", *PRICES).equals(other.select("symbol", *PRICES))


def test_noise_has_the_shape_it_claims() -> None:
    counters = list(range(200_000))
    u, z = pl.Series(uniform("k", counters)), pl.Series(normal("k", counters))
    assert u.is_between(0, 1, closed="none").all()
    assert abs(u.mean() - 0.5) < 0.005
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    assert abs(pl.DataFrame({"a": z, "b": z.shift(1)}).select(pl.corr("a", "b")).item()) < 0.01
    assert uniform("k", [5]).tolist() == uniform("k", [3, 4, 5])[2:].tolist()


def test_a_year_of_days_and_a_session_of_minutes_are_quick() -> None:
    """By processor time of this thread: whatever else the machine does is not theirs."""
    vendor = SampleVendor("sample_a")
    fetch(vendor, Timeframe.D1, utc(2024, 1, 2), utc(2024, 1, 9))
    begun = time.thread_time()
    assert fetch(vendor, Timeframe.D1, utc(2024, 1, 2), utc(2025, 1, 2)).height > 1000
    assert fetch(vendor, Timeframe.M1, utc(2024, 3, 7), utc(2024, 3, 8)).height > 3000
    assert time.thread_time() - begun < 1.0


def test_an_unknown_sample_vendor_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sample_a, sample_b"):
        SampleVendor("sample_z")
