"""Vendors are asked under the name that is valid on the session asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from market_data.calendars import trading_sessions
from market_data.datasets import raw_bars
from market_data.pipeline.holdings import should_hold
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, Ticker, Universe
from tests.support.fake_vendor import FakeVendor
from tests.support.worlds import FileVendor, World

SPAN = (date(2022, 6, 1), date(2022, 6, 15))
CHANGE = date(2022, 6, 9)
ON = {"asset_class": AssetClass.EQUITY, "calendar": "XNYS"}


def ticker(symbol: str, first: str | None, last: str | None, vendor: str = "yahoo") -> Ticker:
    return Ticker.model_validate({"vendor": vendor, "symbol": symbol, "from": first, "to": last})


SOCIAL = Instrument(
    symbol="SOCIAL",
    tickers=(ticker("FB", None, "2022-06-08"), ticker("META", "2022-06-09", None)),
    **ON,
)
FUND = Instrument(
    symbol="FUND",
    tickers=(ticker("META", "2021-06-30", "2022-01-28"), ticker("METV", "2022-01-31", None)),
    **ON,
)
STEADY = Instrument(symbol="STEADY", vendor_symbols={"yahoo": "STDY"}, **ON)


def days(first: date, last: date) -> list[datetime]:
    return [
        datetime(d.year, d.month, d.day, tzinfo=UTC)
        for d in pl.select(pl.date_range(first, last)).to_series()
        if d.weekday() < 5
    ]


def world(tmp_path: Path, *instruments: Instrument) -> World:
    made = World.at(tmp_path, datetime(2022, 7, 1, tzinfo=UTC))
    return made.register(instruments=instruments)


def request(symbols: tuple[str, ...], first: date = SPAN[0], last: date = SPAN[1]) -> IngestRequest:
    return IngestRequest("yahoo", Timeframe.D1, symbols, first, last)


def names(vendor: FakeVendor) -> list[tuple[str, date, date]]:
    """Name, first and last day (included) of each symbol asked for."""
    return [
        (s.vendor_symbol, q.start.date(), (q.end - timedelta(days=1)).date())
        for q in vendor.asked
        for s in q.symbols
    ]


def test_one_question_per_name_and_one_instrument(tmp_path: Path) -> None:
    made = world(tmp_path, SOCIAL, STEADY)
    vendor = FakeVendor(bars={"SOCIAL": days(*SPAN), "STEADY": days(*SPAN)})
    ingest(made.platform, request(("SOCIAL", "STEADY")), vendor)
    assert sorted(names(vendor)) == [
        ("FB", date(2022, 6, 1), date(2022, 6, 8)),
        ("META", date(2022, 6, 9), date(2022, 6, 15)),
        ("STDY", *SPAN),
    ]
    rows = made.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1)).filter(symbol="SOCIAL")
    assert rows["session"].n_unique() == 11
    assert plan_ingest(made.platform, request(("SOCIAL", "STEADY"))).fetches == ()


def test_a_name_that_meant_two_companies_is_asked_for_by_its_date(tmp_path: Path) -> None:
    made = world(tmp_path, SOCIAL, FUND)
    vendor = FakeVendor()
    ingest(made.platform, request(("SOCIAL", "FUND"), date(2022, 1, 24), date(2022, 2, 4)), vendor)
    assert sorted(names(vendor)) == [
        ("FB", date(2022, 1, 24), date(2022, 2, 4)),
        ("META", date(2022, 1, 24), date(2022, 1, 28)),
        ("METV", date(2022, 1, 31), date(2022, 2, 4)),
    ]


def test_one_name_cannot_be_two_instruments_at_once() -> None:
    other = Instrument(symbol="OTHER", tickers=(ticker("META", "2022-06-15", None),), **ON)
    with pytest.raises(ValidationError, match=r"META.*OTHER.*SOCIAL's at the same time"):
        Universe(instruments=(SOCIAL, other), vendors=())
    Universe(instruments=(SOCIAL, FUND), vendors=())


def test_names_of_one_instrument_may_not_overlap() -> None:
    with pytest.raises(ValidationError, match="overlap"):
        Instrument(
            symbol="X",
            tickers=(ticker("A", None, "2022-06-09"), ticker("B", "2022-06-09", None)),
            **ON,
        )


def test_sessions_without_a_name_are_not_asked_for(tmp_path: Path) -> None:
    made = world(tmp_path, FUND)
    vendor = FakeVendor()
    ingest(made.platform, request(("FUND",), date(2021, 6, 21), date(2021, 7, 2)), vendor)
    assert names(vendor) == [("META", date(2021, 6, 30), date(2021, 7, 2))]


def test_a_file_is_never_asked_for_two_names_at_once(tmp_path: Path) -> None:
    held = Instrument(
        symbol="SOCIAL",
        tickers=(
            ticker("FB", None, "2022-06-08", "mine"),
            ticker("META", "2022-06-09", None, "mine"),
        ),
        **ON,
    )
    files = FileVendor("mine", {"1d": ("plain_daily", tmp_path / "none")}, ("SOCIAL",))
    made = world(tmp_path, held).register(files)
    every_other = [d for d in days(date(2022, 4, 1), date(2022, 8, 1)) if d.day % 2]
    vendor = FakeVendor("mine", bars={"SOCIAL": every_other})
    asked = IngestRequest("mine", Timeframe.D1, ("SOCIAL",), date(2022, 4, 4), date(2022, 6, 30))
    ingest(made.platform, asked, vendor)
    vendor.asked.clear()
    ingest(made.platform, asked, vendor)
    assert [name for name, *_ in names(vendor)] == ["FB", "META"] or len(vendor.asked) > 2
    for name, first, last in names(vendor):
        assert last < CHANGE if name == "FB" else first >= CHANGE


def test_listing_and_delisting_bound_questions_and_expectations(tmp_path: Path) -> None:
    gone = Instrument(
        symbol="GONE",
        listed=date(2022, 6, 3),
        delisted=date(2022, 6, 8),
        vendor_symbols={"yahoo": "GONE"},
        history=date(2022, 5, 2),
        **ON,
    )
    made = world(tmp_path, gone)
    vendor = FakeVendor(bars={"GONE": days(date(2022, 6, 3), date(2022, 6, 8))})
    ingest(made.platform, request(("GONE",)), vendor)
    rows = made.platform.ledger.read(timeframe=Timeframe.D1, vendors=["yahoo"], symbols=["GONE"])
    assert sorted(rows["session"]) == [date(2022, 6, d) for d in (3, 6, 7, 8)]
    held = should_hold(made.platform, ["yahoo"], [Timeframe.D1], *SPAN)
    assert held["session"].to_list() == [date(2022, 6, d) for d in (3, 6, 7, 8)]
    assert plan_ingest(made.platform, request(("GONE",), SPAN[1], date(2022, 6, 30))).fetches == ()
    assert names(vendor) == [("GONE", date(2022, 6, 3), date(2022, 6, 8))]


def test_a_file_name_of_the_past_finds_its_instrument(tmp_path: Path) -> None:
    made = world(tmp_path, SOCIAL)
    universe = made.platform.universe
    assert universe.vendor_symbol("yahoo", "SOCIAL") == "META"
    assert universe.vendor_symbol("yahoo", "SOCIAL", date(2020, 1, 2)) == "FB"
    assert "SOCIAL" in universe.symbols_of("yahoo")


def test_an_expected_nothing_is_final_only_when_it_is_settled(tmp_path: Path) -> None:
    quiet = Instrument(
        symbol="QUIET",
        asset_class=AssetClass.FX,
        calendar="fx",
        vendor_symbols={"yahoo": "QUIET"},
    )
    made = world(tmp_path, quiet).later(datetime(2017, 1, 2, 23, tzinfo=UTC))
    day = date(2017, 1, 2)
    wish = request(("QUIET",), day, day)
    ingest(made.platform, wish, FakeVendor())
    assert [f.symbols for f in plan_ingest(made.platform, wish).fetches] == [("QUIET",)]
    much_later = made.later(datetime(2017, 3, 1, tzinfo=UTC))
    ingest(much_later.platform, wish, FakeVendor())
    assert plan_ingest(much_later.platform, wish).fetches == ()


def test_what_no_vendor_has_a_name_for_is_not_looked_for(tmp_path: Path) -> None:
    files = FileVendor("mine", {"1d": ("plain_daily", tmp_path / "none")}, ("FUND",))
    made = world(tmp_path, FUND).register(files)
    ingest(made.platform, request(("FUND",), date(2021, 6, 21), date(2021, 7, 2)), FakeVendor())
    span = date(2021, 6, 21), date(2021, 7, 2)
    wish = IngestRequest("yahoo", Timeframe.D1, ("FUND",), *span)
    assert plan_ingest(made.platform, wish).fetches == ()
    held = should_hold(made.platform, ["yahoo"], [Timeframe.D1], *span)
    assert held["session"].min() == date(2021, 6, 30)
    gapped = FUND.model_copy(update={"history": span[0]})
    told = world(tmp_path / "more", gapped)
    held = should_hold(told.platform, ["yahoo"], [Timeframe.D1], *span)
    assert held["session"].min() == date(2021, 6, 30)
    both = world(tmp_path / "both", gapped).register(files)
    held = should_hold(both.platform, ["yahoo", "mine"], [Timeframe.D1], *span)
    assert held["session"].min() == date(2021, 6, 21)


def test_one_file_of_a_name_that_two_companies_had(tmp_path: Path) -> None:
    """What lies under META in 2022-01 is the fund's, from 2022-06-09 on the other company's."""
    parts = [
        ("FB", 300, date(2022, 1, 24), date(2022, 6, 8)),
        ("META", 15, date(2022, 1, 24), date(2022, 1, 28)),
        ("META", 301, CHANGE, date(2022, 6, 15)),
        ("METV", 16, date(2022, 1, 31), date(2022, 6, 15)),
    ]
    rows = [
        f"{name},{day},{price},{price + 1},{price - 1},{price},100"
        for name, price, first, last in parts
        for day in trading_sessions("XNYS", first, last)["session"]
    ]
    file = tmp_path / "all.csv"
    file.write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]), encoding="utf-8")
    at_files = tuple(
        i.model_copy(
            update={"tickers": tuple(t.model_copy(update={"vendor": "mine"}) for t in i.tickers)}
        )
        for i in (SOCIAL, FUND)
    )
    made = world(tmp_path, *at_files).register(
        FileVendor("mine", {"1d": ("plain_daily", file)}, ("SOCIAL", "FUND"))
    )
    span = date(2022, 1, 24), date(2022, 6, 15)
    made.load_and_curate("mine", "1d", ("SOCIAL", "FUND"), *span)
    closes = made.read("1d", ("SOCIAL", "FUND")).group_by("symbol").agg(pl.col("close").unique())
    found = {symbol: sorted(values) for symbol, values in closes.iter_rows()}
    assert found == {"SOCIAL": [300.0, 301.0], "FUND": [15.0, 16.0]}
    raw = made.platform.raw_log.read(raw_bars("mine", Timeframe.D1))
    assert raw.select("symbol", "vendor_symbol").unique().sort(pl.all()).rows() == [
        ("FUND", "META"),
        ("FUND", "METV"),
        ("SOCIAL", "FB"),
        ("SOCIAL", "META"),
    ]
    assert made.inspect("1d", *span).findings.filter(check="coverage").is_empty()
