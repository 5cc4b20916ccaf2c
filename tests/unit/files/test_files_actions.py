"""Splits and dividends in the columns of a file: what becomes of them, and what they are worth."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.files.spec import FormatSpec, load_format
from adapters.vendors.files.vendor import FilesVendor
from market_data.basis import Adjustment, Basis
from market_data.corporate_actions.as_paid import as_paid
from market_data.errors import ConfigurationError, VendorError
from market_data.ports import FetchRequest, FetchResult, SymbolRequest
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
YAHOO = load_format("yahoo_csv")
NOW = datetime(2018, 2, 1, tzinfo=UTC)
EXPORTED = date(2018, 1, 20)


def row(day: str, dividend: str = "0.0", split: str = "0.0") -> str:
    return f"{day} 00:00:00-05:00,10,11,9,10,10,100,{dividend},{split}\n"


def ask(vendor: FilesVendor, currency: str = "USD", start: str = "2018-01-01") -> list[FetchResult]:
    return list(vendor.fetch(request(currency, start)))


def request(currency: str = "USD", start: str = "2018-01-01") -> FetchRequest:
    aapl = Instrument(
        symbol="AAPL", asset_class=AssetClass.EQUITY, calendar="XNYS", currency=currency
    )
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return FetchRequest((SymbolRequest(aapl, "AAPL"),), Timeframe.D1, begins, NOW, NOW)


def vendor_of(
    folder: Path, *texts: str, spec: FormatSpec = YAHOO, header: str = HEADER
) -> FilesVendor:
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_text(header + text)
    return FilesVendor("mine", spec, folder, prices_as_of=EXPORTED)


def told(results: list[FetchResult]) -> list[tuple[str, str, float]]:
    actions = pl.concat([CORPORATE_ACTIONS.empty(), *(r.actions for r in results)])
    return actions.select(pl.col("ex_date").cast(pl.String), "kind", "value").rows()


def told_until(vendor: FilesVendor) -> date | None:
    return vendor.basis(request().symbols[0].instrument, Timeframe.D1).told_until


def in_basis(**settings: object) -> FormatSpec:
    return YAHOO.but(basis={**YAHOO.basis.model_dump(), **settings})


ROWS = (
    row("2018-01-18", dividend="0.5"),
    row("2018-01-17", dividend="0.2", split="5"),
    row("2018-01-16", dividend="0.1"),
    row("2018-01-12", split="1"),
)


def test_dividends_are_told_on_the_shares_of_the_session_before(tmp_path: Path) -> None:
    """Whatever the order of the rows, and the split of the day itself included."""
    vendor = vendor_of(tmp_path, "".join(ROWS))
    results = ask(vendor)
    assert told(results) == [
        ("2018-01-16", "dividend", 0.5),
        ("2018-01-17", "dividend", 1.0),
        ("2018-01-17", "split", 5.0),
        ("2018-01-18", "dividend", 0.5),
    ]
    stated = pl.concat(r.actions for r in results)
    assert stated.select((pl.col("known_at").dt.date() == pl.col("ex_date")).all()).item()
    assert set(stated["source"]) == {"mine"}
    assert told_until(vendor) == date(2018, 1, 18)


def test_dividends_beside_prices_as_traded_are_as_paid(tmp_path: Path) -> None:
    vendor = vendor_of(tmp_path, "".join(ROWS), spec=in_basis(adjustment="raw"))
    assert ("2018-01-16", "dividend", 0.1) in told(ask(vendor))


def test_the_range_of_the_question_does_not_bound_what_is_told(tmp_path: Path) -> None:
    results = ask(vendor_of(tmp_path, "".join(ROWS)), start="2018-01-18")
    assert sum(r.frame.height for r in results) == 1
    assert len(told(results)) == 4


def test_a_dividend_is_in_the_currency_of_the_instrument(tmp_path: Path) -> None:
    spec = in_basis(unit="GBp")
    assert told(ask(vendor_of(tmp_path, row("2018-01-16", "25"), spec=spec), "GBP")) == [
        ("2018-01-16", "dividend", 0.25)
    ]


def test_files_of_one_symbol_are_read_together(tmp_path: Path) -> None:
    """Until when all of them tell splits is known of none."""
    vendor = vendor_of(tmp_path, row("2018-01-16", "0.1"), row("2018-01-17", split="5"))
    assert told(ask(vendor)) == [("2018-01-16", "dividend", 0.5), ("2018-01-17", "split", 5.0)]
    assert told_until(vendor) is None


def test_a_file_without_such_columns_tells_nothing(tmp_path: Path) -> None:
    header = HEADER.replace(",Dividends,Stock Splits", "")
    vendor = vendor_of(tmp_path, "2018-01-16,10,11,9,10,10,100\n", header=header)
    results = ask(vendor)
    assert sum(r.frame.height for r in results) == 1
    assert told(results) == []
    assert told_until(vendor) is None


@pytest.mark.parametrize(("dividend", "split"), [("much", "0"), ("0", "5:1"), ("0", "-2")])
def test_what_cannot_be_is_refused_and_the_bar_stays(
    tmp_path: Path, dividend: str, split: str
) -> None:
    results = ask(vendor_of(tmp_path, row("2018-01-16", dividend, split)))
    assert sum(r.frame.height for r in results) == 1
    assert told(results) == []
    refused = pl.concat(r.rejected for r in results)
    assert refused.select("symbol", "reasons").rows() == [("AAPL", "bad_value")]


def test_before_a_split_that_nobody_can_read_no_dividend_is_believed() -> None:
    cash = pl.DataFrame(
        {"symbol": ["A"] * 2, "ex_date": [EXPORTED, NOW.date()], "value": [1.0] * 2}
    )
    for values in ([None], [0.0], [2.0, 3.0]):
        splits = pl.DataFrame(
            {"symbol": ["A"] * len(values), "ex_date": [EXPORTED] * len(values), "value": values},
            schema_overrides={"value": pl.Float64},
        )
        assert as_paid(cash, splits)["value"].to_list() == [None, 1.0]


def test_a_line_that_is_no_bar_and_a_file_that_breaks_tell_nothing(tmp_path: Path) -> None:
    bad = row("2018-01-16", "0.1").replace(",11,", ",eleven,")
    assert told(ask(vendor_of(tmp_path, bad + row("2018-01-17")))) == []
    late = row("2018-01-16", "0.1") + row("2018-01-25")
    seen: list[FetchResult] = []
    with pytest.raises(VendorError, match="holds a bar of 2018-01-25"):
        seen.extend(vendor_of(tmp_path, late).fetch(request()))
    assert told(seen) == []


def test_an_archived_file_has_the_basis_that_it_had(tmp_path: Path) -> None:
    vendor = vendor_of(tmp_path, "".join(ROWS))
    content = (tmp_path / "0.csv").read_bytes()
    again = list(vendor.reread([content], request()))
    assert pl.concat([FETCHED_BARS.empty(), *(r.frame for r in again)]).height == 4
    assert told_until(vendor) == date(2018, 1, 18)
    assert told(again) == []


def test_only_days_have_ex_dates() -> None:
    with pytest.raises(ConfigurationError, match="daily bars"):
        YAHOO.but(timeframe="1h")


def test_a_basis_says_until_when_its_splits_were_told() -> None:
    basis = Basis(Adjustment.SPLITS, adjusted_on=EXPORTED, told_until=date(2018, 1, 19))
    assert str(basis) == "splits|trade||regular||2018-01-20|||2018-01-19"
    assert Basis.parse(str(basis)) == basis
    assert basis.as_asked == Basis(Adjustment.SPLITS, adjusted_on=EXPORTED)
