"""Specs: inheritance, validation, discovery of files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from adapters.vendors.files.discovery import discover
from adapters.vendors.files.spec import FORMATS_FOLDER, load_format, load_formats
from market_data.basis import Adjustment, Side
from market_data.errors import ConfigurationError, VendorUnavailableError
from market_data.timeframes import Timeframe


def test_every_shipped_spec_loads_and_its_file_bears_its_name() -> None:
    specs = load_formats()
    stems = {p.stem for p in FORMATS_FOLDER.glob("*.yaml")}
    assert {s.name for s in specs.values()} == stems
    assert len(stems) >= 25


def test_lean_daily_is_an_alias() -> None:
    assert load_format("lean_daily") is not None
    assert load_format("lean_daily").name == "lean_equity_daily"


def test_a_child_keeps_what_it_does_not_change() -> None:
    spec = load_format("lean_forex_hour_fxcm")
    assert (spec.vendor, spec.timeframe, spec.side) == ("fxcm", Timeframe.H1, Side.MID)
    assert spec.time.formats == ("%Y%m%d %H:%M",)
    assert spec.time.zone == "-05:00"
    assert load_format("yahoo_csv").basis.adjustment is Adjustment.SPLITS


def test_a_file_of_the_user_may_extend_a_shipped_spec(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: histdata_m1\ndescription: mine\nside: ask\n")
    spec = load_format(str(path))
    assert (spec.name, spec.side, spec.delimiter) == ("mine", Side.ASK, ";")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: nowhere\n", "nowhere"),
        ("extends: mine\n", "itself"),
        ("extends: plain\ntime: {zone: Mars/Base}\n", "Mars/Base"),
        ("extends: plain\ncolumns: {time: t, open: o}\n", "no column for high"),
        ("extends: plain\nheader: false\n", "list"),
        ("extends: plain\nsymbol_from: regex\n", "symbol_pattern"),
        ("extends: plain\ncolour: red\n", "colour"),
        ("extends: plain\ntime: {formats: [ms_since_midnight]}\n", "needs a date"),
        ("extends: lean_forex_daily_oanda\nside: trade\n", "side: bid, ask or mid"),
        ("- a\n", "mapping"),
        ("a: [\n", "cannot read"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_format(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="lean_daily"):
        load_format("nothing")


def test_discovery_reads_symbol_and_day_from_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "aapl"
    folder.mkdir()
    for name in ("20140605_trade.zip", "20140605_quote.zip", "20140606_TRADE.ZIP", ".x_trade.zip"):
        (folder / name).touch()
    found = discover(tmp_path, load_format("lean_minute"))
    assert [(f.symbol, f.day) for f in found] == [
        ("AAPL", date(2014, 6, 5)),
        ("AAPL", date(2014, 6, 6)),
    ]
    assert len(discover(str(folder / "*quote*"), load_format("lean_minute"))) == 1
    assert len(discover([folder, folder / "20140605_trade.zip"], load_format("lean_minute"))) == 2
    with pytest.raises(VendorUnavailableError, match="_ticks_trade"):
        discover(folder, load_format("lean_minute").but(files="*_ticks_trade.zip"))


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("yahoofinance-AAPL-20040819-20180120.csv", "AAPL"),
        ("nvda-1999-2014.txt", "NVDA"),
        ("my download.csv", None),
    ],
)
def test_yahoo_names(tmp_path: Path, name: str, symbol: str | None) -> None:
    (tmp_path / name).touch()
    (found,) = discover(tmp_path / name, load_format("yahoo_csv"))
    assert found.symbol == symbol
