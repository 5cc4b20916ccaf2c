"""Proposals for files: the shipped specs are recognised, unknown ones are described."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.vendors.files.sniff import sniff
from adapters.vendors.files.spec import load_format
from market_data.errors import MalformedAnswerError, VendorUnavailableError
from market_data.schemas import FETCHED_BARS
from market_data.timeframes import Timeframe


@pytest.mark.parametrize(
    ("path", "name", "symbol"),
    [
        ("daily/lean_usa/aapl.zip", "lean_equity_daily", "AAPL"),
        ("intraday/lean_1h/aapl.zip", "lean_equity_hour", "AAPL"),
        ("intraday/lean_1m/aapl/20140605_trade.zip", "lean_equity_minute", "AAPL"),
        ("intraday/lean_1m/aapl/20140605_quote.zip", "lean_equity_minute_quote", "AAPL"),
        ("daily/fx_oanda/eurusd.zip", "lean_forex_daily_oanda", "EURUSD"),
        ("intraday/fx_1h_fxcm/eurusd.zip", "lean_forex_hour_fxcm", "EURUSD"),
        ("intraday/fx_1m_oanda/eurusd/20140501_quote.zip", "lean_forex_minute_oanda", "EURUSD"),
        ("daily/crypto_coinbase/btcusd_trade.zip", "lean_crypto_daily", "BTCUSD"),
        ("intraday/crypto_1m_coinbase/btcusd/20161007_trade.zip", "lean_crypto_minute", "BTCUSD"),
        ("intraday/fx_1m_histdata/DAT_ASCII_EURUSD_M1_201701.csv.gz", "histdata_m1", "EURUSD"),
        ("daily/alpha_vantage/AAPL_daily.csv", "alpha_vantage_daily_csv", "AAPL"),
        ("intraday/alpha_vantage_1min/SPY_1min.csv", "alpha_vantage_intraday_csv", "SPY"),
        ("intraday/alpha_vantage_15min/SPY_15min.csv", "alpha_vantage_15m_csv", "SPY"),
        ("daily/yahoo/nvda-1999-2014.txt", "yahoo_csv", "NVDA"),
        ("daily/index_and_fred/nasdaq.csv.gz", "yahoo_csv", None),
        ("daily/yahoo_csvdir/KO.csv.gz", "zipline_csvdir", "KO"),
        ("daily/quandl_wiki/QUANDL_ARCHIVE.zip", "quandl_wiki", None),
        ("intraday/fx_1h_backtesting/EURUSD.csv", "fx_csv", "EURUSD"),
        ("intraday/index_1m_sp500/SP500_NOV2019_IDayRVol.csv", "index_csv_1m", None),
        ("intraday/binance_klines/ADABTC-1m-2021-11-27.csv", "binance_klines", "ADABTC"),
        ("intraday/futures_1m_cme/6EH4.XCME_1min_bars_20240101_20240131.csv.gz", "cme_1m_csv",
         "6EH4"),
    ],
)  # fmt: skip
def test_known_shapes_are_recognised(
    test_data: Path, path: str, name: str, symbol: str | None
) -> None:
    sniffed = sniff(test_data / path)
    assert (sniffed.spec.name, sniffed.known, sniffed.symbol) == (name, True, symbol)
    assert len(sniffed.rows) == 10
    FETCHED_BARS.check(sniffed.rows)


def test_two_clocks_for_one_shape_are_pointed_out(test_data: Path) -> None:
    path = test_data / "intraday/fx_1m_histdata/DAT_ASCII_EURUSD_M1_201701.csv.gz"
    sniffed = sniff(path)
    assert sniffed.confidence < 1
    assert any("histdata_m1_est" in note for note in sniffed.notes)


def test_months_are_no_timeframe(test_data: Path) -> None:
    sniffed = sniff(test_data / "monthly/BTCUSD_backtesting.csv")
    assert not sniffed.known
    assert any("no timeframe" in note for note in sniffed.notes)


def test_a_table_without_prices_is_refused(test_data: Path) -> None:
    with pytest.raises(MalformedAnswerError):
        sniff(test_data / "daily/index_and_fred/vix.csv.gz")


def unknown(folder: Path, rows: list[str], name: str = "mystery.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n")
    return path


def test_an_unknown_file_without_header_is_described(tmp_path: Path) -> None:
    start = datetime(2024, 3, 4, 9, 35, tzinfo=UTC)
    times = [start + timedelta(days=d, minutes=5 * k) for d in range(4) for k in range(78)]
    rows = [
        f"{t:%d.%m.%Y %H:%M};{100 + i % 7};{108 + i % 7};{95 + i % 5};{101 + i % 6};{i + 1}"
        for i, t in enumerate(times)
    ]
    path = unknown(tmp_path, rows)
    sniffed = sniff(path)
    spec = sniffed.spec
    assert not sniffed.known
    assert (spec.delimiter, spec.header, spec.timeframe) == (";", False, Timeframe.M5)
    assert spec.time.formats == ("%d.%m.%Y %H:%M",)
    assert (spec.time.zone, spec.time.label) == ("America/New_York", "end")
    assert list(spec.columns) == ["time", "open", "high", "low", "close", "volume"]
    assert sniffed.rows["ts"][0] == datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "row", "timeframe"),
    [
        ("Gmt time|O|H|L|C|Vol", "{t:%Y.%m.%d %H:%M:%S}|1.1|1.3|1|1.2|5", "4h"),
        ("open_time\to\th\tl\tc\tvol", "{s}\t1.1\t1.3\t1\t1.2\t5", "4h"),
        ("vol,c,l,h,o,date_time", "5,1.2,1,1.3,1.1,{t:%d/%m/%Y %H:%M}", "4h"),
    ],
)
def test_headers_of_other_tools(tmp_path: Path, header: str, row: str, timeframe: str) -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    times = [start + timedelta(hours=4 * k) for k in range(200)]
    rows = [row.format(t=t, s=int(t.timestamp())) for t in times]
    sniffed = sniff(unknown(tmp_path, [header, *rows], "EURUSD tab.csv"))
    assert sniffed.spec.timeframe == timeframe
    assert sniffed.spec.asset_class == "fx"
    assert sniffed.rows.select("ts", "open", "high", "low", "close").row(1) == (
        times[1], 1.1, 1.3, 1.0, 1.2,
    )  # fmt: skip


def test_a_proposal_can_be_kept_as_a_file(tmp_path: Path, test_data: Path) -> None:
    for path in (
        unknown(
            tmp_path, [f"202403{d:02},10000500,10100600,10000100,10100200" for d in range(1, 28)]
        ),
        test_data / "intraday/index_1m_sp500/SP500_NOV2019_IDay.csv",
        test_data / "intraday/fx_1h_oanda/eurusd.zip",
    ):
        sniffed = sniff(path)
        kept = tmp_path / "kept.yaml"
        kept.write_text(sniffed.yaml())
        assert load_format(str(kept)) == sniffed.spec


def test_whole_large_prices_are_taken_as_scaled(tmp_path: Path) -> None:
    rows = [f"202403{d:02},1000500,1010600,1000100,1010200" for d in range(1, 28)]
    sniffed = sniff(unknown(tmp_path, [r.replace(",", ";") for r in rows]))
    assert sniffed.spec.price_scale == 10_000
    assert sniffed.rows["open"][0] == 100.05


def test_what_cannot_be_sniffed_is_a_typed_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(MalformedAnswerError, match="empty"):
        sniff(empty)
    with pytest.raises(MalformedAnswerError):
        sniff(unknown(tmp_path, ["once upon a time", "there was a text"]))
    with pytest.raises(VendorUnavailableError, match="nowhere"):
        sniff(tmp_path / "nowhere.csv")
