"""On which day a split-adjusted file was exported: where it is found, and when it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.settings import Settings
from adapters.vendors.files.spec import FormatSpec, load_format
from adapters.vendors.files.vendor import FilesVendor
from adapters.vendors.profile import Means
from adapters.vendors.registry import build_vendor
from market_data.errors import ConfigurationError, VendorError
from market_data.ports import FetchRequest, FetchResult, OpenGate, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, VendorConfig

HEADER = "Date,Open,High,Low,Close,Adj Close,Volume\n"
TEXT = HEADER + "2018-01-18,10,11,9,10,10,100\n2018-01-19,10,11,9,10,10,100\n"
YAHOO = load_format("yahoo_csv")
MEANS = Means(Settings(), OpenGate())


def instrument(symbol: str, asset_class: AssetClass = AssetClass.EQUITY) -> Instrument:
    return Instrument(symbol=symbol, asset_class=asset_class, calendar="XNYS")


def request(*instruments: Instrument) -> FetchRequest:
    return FetchRequest(
        tuple(SymbolRequest(i, i.symbol) for i in instruments),
        Timeframe.D1,
        datetime(2018, 1, 1, tzinfo=UTC),
        datetime(2018, 2, 1, tzinfo=UTC),
        datetime(2021, 4, 1, tzinfo=UTC),
    )


def ask(vendor: FilesVendor, *instruments: Instrument) -> list[FetchResult]:
    return list(vendor.fetch(request(*instruments)))


def in_basis(**settings: object) -> FormatSpec:
    return YAHOO.but(basis={**YAHOO.basis.model_dump(), **settings})


def exported(vendor: FilesVendor, symbol: str = "AAPL") -> date | None:
    """The day that the basis of the bars tells, after they came."""
    assert pl.concat(r.frame for r in ask(vendor, instrument(symbol))).height == 2
    return vendor.basis(instrument(symbol), Timeframe.D1).adjusted_on


def test_the_run_goes_before_the_format_and_the_format_before_the_name(tmp_path: Path) -> None:
    named = tmp_path / "yahoofinance-AAPL-20040819-20180120.csv"
    named.write_text(TEXT)
    fixed = in_basis(adjusted_on=date(2019, 2, 3))
    run = date(2020, 3, 4)
    assert exported(FilesVendor("mine", YAHOO, named)) == date(2018, 1, 20)
    assert exported(FilesVendor("mine", fixed, named)) == date(2019, 2, 3)
    assert exported(FilesVendor("mine", fixed, named, prices_as_of=run)) == run


def test_a_name_is_read_as_its_format_says(tmp_path: Path) -> None:
    (tmp_path / "AAPL from 2018-01-22.csv").write_text(TEXT)
    spec = in_basis(adjusted_on_pattern=r" from (?P<date>.+)$", adjusted_on_format="%Y-%m-%d").but(
        symbol_pattern=r"^(?P<symbol>\w+) from"
    )
    assert exported(FilesVendor("mine", spec, tmp_path)) == date(2018, 1, 22)


def test_without_a_day_no_row_is_read_and_the_error_names_setting_and_cure(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(TEXT)
    seen: list[FetchResult] = []
    with pytest.raises(VendorError, match=r"AAPL\.csv.*adjusted_on.*--prices-as-of") as caught:
        seen.extend(FilesVendor("mine", YAHOO, tmp_path).fetch(request(instrument("AAPL"))))
    assert all(r.frame.is_empty() and not r.payloads for r in seen)
    assert "prices_as_of" in str(caught.value)


def test_one_symbol_without_a_day_stops_no_other(tmp_path: Path) -> None:
    spec = YAHOO.but(symbol_from="regex", symbol_pattern=r"^(?P<symbol>[A-Z]+)")
    (tmp_path / "AAPL-20180101-20180120.csv").write_text(TEXT)
    (tmp_path / "MSFT.csv").write_text(TEXT)
    results = ask(FilesVendor("mine", spec, tmp_path), instrument("AAPL"), instrument("MSFT"))
    assert set(pl.concat(r.frame for r in results)["symbol"]) == {"AAPL"}
    outcome = results[-1].outcomes["MSFT"]
    assert outcome.outcome == "failed"
    assert "--prices-as-of" in outcome.detail


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2018, 1, 10), "holds a bar of 2018-01-19"),
        (date(2021, 4, 9), "lies ahead"),
    ],
    ids=["before-its-bars", "ahead"],
)
def test_a_day_that_cannot_be_is_refused(tmp_path: Path, day: date, words: str) -> None:
    (tmp_path / "AAPL.csv").write_text(TEXT)
    with pytest.raises(VendorError, match=words):
        ask(FilesVendor("mine", YAHOO, tmp_path, prices_as_of=day), instrument("AAPL"))


def test_files_of_one_symbol_and_several_days_are_refused(tmp_path: Path) -> None:
    for day in ("20180120", "20180122"):
        (tmp_path / f"AAPL-20180101-{day}.csv").write_text(TEXT)
    with pytest.raises(VendorError, match=r"2018-01-20.*2018-01-22.*one of them at a time"):
        ask(FilesVendor("mine", YAHOO, tmp_path), instrument("AAPL"))


def test_what_has_no_splits_needs_no_day(tmp_path: Path) -> None:
    (tmp_path / "any.csv").write_text(TEXT)
    pair = instrument("EURUSD", AssetClass.FX)
    raw = in_basis(adjustment="raw")
    for spec, wanted in ((YAHOO, pair), (raw, instrument("AAPL"))):
        vendor = FilesVendor("mine", spec, tmp_path)
        assert pl.concat(r.frame for r in ask(vendor, wanted)).height == 2
        assert vendor.basis(wanted, Timeframe.D1).adjusted_on is None


def test_a_pattern_needs_its_group() -> None:
    with pytest.raises(ConfigurationError, match="adjusted_on_pattern"):
        in_basis(adjusted_on_pattern=r"\d{8}$")


def test_a_run_and_a_configuration_hand_the_day_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(TEXT)
    options = {"path": str(tmp_path), "spec": "yahoo_csv"}

    def config(**more: object) -> VendorConfig:
        return VendorConfig(
            name="mine", reader="files", timeframes=("1d",), options={**options, **more}
        )

    day, other = date(2018, 1, 20), date(2019, 1, 20)
    assert exported(build_vendor(config(), MEANS, prices_as_of=day)) == day
    assert exported(build_vendor(config(), MEANS, path=str(tmp_path), prices_as_of=day)) == day
    assert exported(build_vendor(config(prices_as_of="2018-01-20"), MEANS)) == day
    assert exported(build_vendor(config(prices_as_of=day), MEANS, prices_as_of=other)) == other
    with pytest.raises(ConfigurationError, match="takes a day"):
        build_vendor(config(prices_as_of="20 January"), MEANS)
    with pytest.raises(ConfigurationError, match="no option prices_as_of"):
        build_vendor(
            VendorConfig(name="y", reader="yahoo", timeframes=("1d",)), MEANS, prices_as_of=day
        )
