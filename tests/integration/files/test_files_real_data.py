"""Every shipped spec on the real files that it was made for: rows, first and last bar, prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.files.extent import extent
from adapters.vendors.files.spec import load_format, load_formats
from adapters.vendors.files.vendor import FilesVendor
from market_data.basis import Adjustment, Basis, Hours, Side
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.schemas import FETCHED_BARS, REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

TODAY = datetime(2100, 1, 1, tzinfo=UTC)
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
NEW_YORK = "America/New_York"


def instrument(symbol: str, spec_name: str) -> Instrument:
    spec = load_format(spec_name)
    return Instrument(symbol=symbol, asset_class=spec.asset_class, calendar=spec.calendar)


def read(
    spec_name: str,
    path: Path,
    *symbols: str,
    span: tuple[datetime, datetime] = EVER,
) -> pl.DataFrame:
    """Bars sorted by symbol and time; fails on a rejected row or another outcome than rows."""
    spec = load_format(spec_name)
    asked = tuple(SymbolRequest(instrument(s, spec_name), s) for s in symbols)
    results = list(
        FilesVendor(spec.vendor, spec, path, prices_as_of=span[1].date()).fetch(
            FetchRequest(asked, spec.timeframe, *span, TODAY)
        )
    )
    bars = pl.concat([r.frame for r in results])
    rejected = pl.concat([r.rejected for r in results])
    FETCHED_BARS.check(bars)
    REJECTED_ROWS.check(rejected)
    assert rejected.is_empty()
    assert {o.outcome for o in results[-1].outcomes.values()} == {Outcome.ROWS}
    return bars.sort("symbol", "ts")


@dataclass(frozen=True)
class Case:
    """A spec, a file, and what must come out: rows, and (ts, o, h, l, c, volume) at both ends."""

    spec: str
    path: str
    symbol: str
    rows: int
    first: tuple[str, float, float, float, float, float | None]
    last: tuple[str, float, float, float, float, float | None]


MID = 1e-9
"""A mean of two prices may differ in its last bit."""

CASES = [
    Case("lean_daily", "daily/lean_usa/aapl.zip", "AAPL", 5849,
         ("1998-01-02 00:00", 13.63, 16.25, 13.5, 16.25, 6315000.0),
         ("2021-03-31 00:00", 121.65, 123.54, 121.15, 122.15, 109019052.0)),
    Case("lean_equity_hour", "intraday/lean_1h/aapl.zip", "AAPL", 40831,
         ("1998-01-02 14:00", 13.63, 13.75, 13.5, 13.63, 540700.0),
         ("2021-03-31 19:00", 122.72, 123.1146, 122.0, 122.15, 34293947.0)),
    Case("lean_equity_minute", "intraday/lean_1m/aapl", "AAPL", 2303,
         ("2014-06-05 08:15", 644.8, 644.8, 644.8, 644.8, 90.0),
         ("2014-06-09 23:59", 93.76, 93.78, 93.76, 93.77, 2067.0)),
    Case("lean_equity_minute_quote", "intraday/lean_1m/aapl", "AAPL", 2512,
         ("2014-06-05 08:00", 644.9, 645.03, 644.9, 645.03, None),
         ("2014-06-10 00:00", 93.765, 94.13, 93.485, 93.85, None)),
    Case("lean_forex_daily_oanda", "daily/fx_oanda", "EURUSD", 3738,
         ("2007-01-01 00:00", 1.31977, 1.32175, 1.3192, 1.32145, None),
         ("2018-12-31 00:00", 1.14393, 1.14687, 1.14217, 1.14657, None)),
    Case("lean_forex_hour_oanda", "intraday/fx_1h_oanda", "EURUSD", 74439,
         ("2007-01-01 21:00", 1.31977, 1.32005, 1.3192, 1.31985, None),
         ("2018-12-31 21:00", 1.14567, 1.14687, 1.145605, 1.14657, None)),
    Case("lean_forex_minute_oanda", "intraday/fx_1m_oanda", "EURUSD", 18184,
         ("2014-05-01 00:00", 1.38681, 1.386915, 1.386745, 1.386915, None),
         ("2018-04-04 23:59", 1.22871, 1.228745, 1.22871, 1.228745, None)),
    Case("lean_forex_daily_fxcm", "daily/fx_fxcm", "EURUSD", 3487,
         ("2007-03-30 00:00", 1.33145, 1.34005, 1.3288, 1.3358, None),
         ("2018-07-04 00:00", 1.166285, 1.168185, 1.163065, 1.16571, None)),
    Case("lean_forex_hour_fxcm", "intraday/fx_1h_fxcm", "EURUSD", 69928,
         ("2007-03-30 05:00", 1.33145, 1.33235, 1.33135, 1.332, None),
         ("2018-07-05 04:00", 1.16582, 1.16592, 1.16549, 1.16571, None)),
    Case("lean_forex_minute_fxcm", "intraday/fx_1m_fxcm", "EURUSD", 21592,
         ("2011-03-07 05:00", 1.397475, 1.39759, 1.3974, 1.397555, None),
         ("2018-04-05 04:59", 1.227595, 1.227675, 1.227595, 1.227675, None)),
    Case("lean_crypto_daily", "daily/crypto_coinbase", "BTCUSD", 1318,
         ("2014-12-01 00:00", 300.0, 370.0, 300.0, 370.0, 0.05655554),
         ("2018-08-13 00:00", 6316.0, 6544.99, 6139.57, 6253.67, 10178.43146644)),
    Case("lean_crypto_minute", "intraday/crypto_1m_coinbase", "BTCUSD", 12423,
         ("2016-10-07 00:00", 611.78, 611.91, 611.78, 611.9, 1.13872),
         ("2018-04-06 23:59", 6621.01, 6621.2, 6619.01, 6619.01, 1.93391536)),
    Case("histdata_m1", "intraday/fx_1m_histdata", "EURUSD", 92939,
         ("2017-01-02 07:00", 1.05155, 1.05197, 1.05155, 1.0519, None),
         ("2017-03-31 20:58", 1.06575, 1.06575, 1.06503, 1.06528, None)),
    Case("histdata_m1_est", "intraday/fx_1m_histdata", "EURUSD", 92939,
         ("2017-01-02 07:00", 1.05155, 1.05197, 1.05155, 1.0519, None),
         ("2017-03-31 21:58", 1.06575, 1.06575, 1.06503, 1.06528, None)),
    Case("alpha_vantage_daily_csv", "daily/alpha_vantage", "AAPL", 283,
         ("2018-01-02 00:00", 170.16, 172.3, 169.26, 172.26, 25048048.0),
         ("2019-02-15 00:00", 171.25, 171.7, 169.75, 170.42, 24626814.0)),
    Case("alpha_vantage_intraday_csv", "intraday/alpha_vantage_1min", "AAPL", 1948,
         ("2019-02-11 14:30", 171.14, 171.2, 170.7, 170.97, 619925.0),
         ("2019-02-15 20:59", 170.23, 170.42, 170.21, 170.38, 427888.0)),
    Case("alpha_vantage_15m_csv", "intraday/alpha_vantage_15min", "AAPL", 780,
         ("2019-01-04 14:30", 144.43, 144.95, 143.8, 144.455, 6870702.0),
         ("2019-02-15 20:45", 170.39, 170.49, 169.87, 170.38, 2365821.0)),
    Case("yahoo_csv", "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv", "AAPL", 3379,
         ("2004-08-19 00:00", 2.250714, 2.275714, 2.168571, 2.193571, 97230000.0),
         ("2018-01-19 00:00", 178.610001, 179.580002, 177.410004, 178.460007, 31269600.0)),
    Case("yahoo_csv", "daily/yahoo/nvda-1999-2014.txt", "NVDA", 4012,
         ("1999-01-22 00:00", 1.75, 1.953125, 1.552083, 1.640625, 67867200.0),
         ("2014-12-31 00:00", 20.4, 20.51, 19.99, 20.049999, 4157500.0)),
    Case("yahoo_csv", "daily/index_and_fred/sp500.csv.gz", "SP500", 5031,
         ("1999-01-04 00:00", 1229.22998, 1248.810059, 1219.099976, 1228.099976, 877000000.0),
         ("2018-12-31 00:00", 2498.939941, 2509.23999, 2482.820068, 2506.850098, 3442870000.0)),
    Case("yahoo_csv", "defects_yahoo/4063-T-1d-bad-stock-split.csv", "4063.T", 22,
         ("2023-03-15 00:00", 20170.0, 20250.0, 20015.0, 20205.0, 1224400.0),
         ("2023-04-14 00:00", 4126.0, 4130.0, 4055.0, 4129.0, 7459400.0)),
    Case("zipline_csvdir", "daily/yahoo_csvdir", "AAPL", 754,
         ("2012-01-03 00:00", 58.485714, 58.92857, 58.42857, 58.747143, 75555200.0),
         ("2014-12-31 00:00", 112.82, 113.129997, 110.209999, 110.379997, 41403400.0)),
    Case("zipline_raw", "daily/yahoo_raw_2014", "BRK-A", 127,
         ("2014-03-03 00:00", 174100.0, 174997.0, 172759.0, 174500.0, 800.0),
         ("2014-08-29 00:00", 204050.0, 205880.0, 204050.0, 205880.0, 400.0)),
    Case("quandl_wiki", "daily/quandl_wiki/QUANDL_ARCHIVE.zip", "ZEN", 160,
         ("2014-05-15 00:00", 11.4, 13.92, 11.06, 13.43, 8421300.0),
         ("2014-12-31 00:00", 24.5, 24.6499, 24.2556, 24.37, 245891.0)),
    Case("fx_csv", "intraday/fx_1h_backtesting", "EURUSD", 5000,
         ("2017-04-19 09:00", 1.0716, 1.0722, 1.07083, 1.07219, 1413.0),
         ("2018-02-07 15:00", 1.23427, 1.23444, 1.22904, 1.22904, 6143.0)),
    Case("index_csv_1m", "intraday/index_1m_sp500/SP500_NOV2019_IDay.csv", "SPX", 1563,
         ("2019-11-05 14:30", 3080.8, 3081.47, 3080.3, 3080.49, None),
         ("2019-11-08 20:59", 3091.16, 3092.91, 3090.96, 3092.91, None)),
    Case("index_csv_1m", "intraday/index_1m_sp500/SP500_NOV2019_IDayRVol.csv", "SPX", 1563,
         ("2019-11-05 14:30", 3080.8, 3081.47, 3080.3, 3080.49, 2209795.0),
         ("2019-11-08 20:59", 3091.16, 3092.91, 3090.96, 3092.91, 1023516.0)),
    Case("binance_klines", "intraday/binance_klines", "ADABTC", 21,
         ("2021-11-27 00:00", 2.853e-05, 2.854e-05, 2.851e-05, 2.854e-05, 36304.2),
         ("2021-11-28 00:10", 2.814e-05, 2.816e-05, 2.814e-05, 2.814e-05, 12248.3)),
    Case("cme_1m_csv", "intraday/futures_1m_cme", "6EH4", 29996,
         ("2024-01-01 23:00", 1.1076, 1.10785, 1.1076, 1.1078, 205.0),
         ("2024-01-31 23:58", 1.08225, 1.0824, 1.08225, 1.0823, 36.0)),
    Case("fxcm_bid_csv", "intraday/fx_1m_fxcm_bidask/gbpusd-m1-bid-2012.csv.gz", "GBPUSD", 30117,
         ("2012-02-01 00:00", 1.57597, 1.57606, 1.57576, 1.57576, None),
         ("2012-03-01 00:00", 1.59206, 1.59211, 1.59194, 1.59208, None)),
    Case("fxcm_ask_csv", "intraday/fx_1m_fxcm_bidask/gbpusd-m1-ask-2012.csv.gz", "GBPUSD", 30117,
         ("2012-02-01 00:00", 1.57608, 1.5761, 1.57585, 1.57585, None),
         ("2012-03-01 00:00", 1.59217, 1.5922, 1.59201, 1.59216, None)),
    # The same text serves plain at two lengths of bar.
    Case("plain", "intraday/fx_1m_fxcm_bidask/gbpusd-m1-ask-2012.csv.gz", "GBPUSD", 30117,
         ("2012-02-01 00:00", 1.57608, 1.5761, 1.57585, 1.57585, None),
         ("2012-03-01 00:00", 1.59217, 1.5922, 1.59201, 1.59216, None)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.spec}-{Path(c.path).name}")
def test_a_shipped_spec_reads_its_real_file(test_data: Path, case: Case) -> None:
    bars = read(case.spec, test_data / case.path, case.symbol)
    assert len(bars) == case.rows
    assert bars.select("symbol", "ts").is_unique().all()
    for i, end in ((0, case.first), (-1, case.last)):
        row = bars.row(i, named=True)
        assert f"{row['ts']:%Y-%m-%d %H:%M}" == end[0]
        prices = [row[c] for c in ("open", "high", "low", "close")]
        assert prices == pytest.approx(list(end[1:5]), rel=MID)
        assert row["volume"] == end[5]


def test_no_shipped_spec_goes_without_a_case() -> None:
    tried = {load_format(c.spec).name for c in CASES} | {
        # Lengths of plain that differ from it by their name alone.
        "plain_5m", "plain_15m", "plain_30m", "plain_1h", "plain_4h", "plain_daily",
    }  # fmt: skip
    assert {s.name for s in load_formats().values()} == tried


def test_scaled_prices_are_the_nearest_float(test_data: Path) -> None:
    bars = read("lean_minute", test_data / "intraday/lean_1m/aapl", "AAPL")
    assert bars["open"][0] == 644.8
    assert (bars["close"].round(4) == bars["close"]).all()


def test_histdata_by_the_wrong_clock_is_an_hour_late_in_summer_time(test_data: Path) -> None:
    """Against Oanda's bid in UTC: New York's clock fits after the change of 2017-03-12."""
    path = test_data / "intraday/fx_1m_histdata/DAT_ASCII_EURUSD_M1_201703.csv.gz"
    oanda = FilesVendor(
        "oanda",
        load_format("lean_forex_hour_oanda").but(side="bid"),
        test_data / "intraday/fx_1h_oanda",
    )
    span = (datetime(2017, 3, 13, tzinfo=UTC), datetime(2017, 3, 31, tzinfo=UTC))
    asked = (SymbolRequest(instrument("EURUSD", "histdata_m1"), "EURUSD"),)
    request = FetchRequest(asked, Timeframe.H1, *span, TODAY)
    hours = pl.concat([r.frame for r in oanda.fetch(request)]).select("ts", bid="open")
    error = {}
    for name in ("histdata_m1", "histdata_m1_est"):
        minutes = read(name, path, "EURUSD", span=span).select("ts", "open")
        both = hours.join(minutes, on="ts")
        assert len(both) > 300
        error[name] = both.select((pl.col("open") - pl.col("bid")).abs().median()).item()
    assert error["histdata_m1"] < 0.0001
    assert error["histdata_m1_est"] > 0.0003


def test_fxcm_agrees_with_oanda_on_a_fixed_clock(test_data: Path) -> None:
    span = (datetime(2014, 5, 1, tzinfo=UTC), datetime(2014, 5, 16, tzinfo=UTC))
    fxcm = read("lean_forex_minute_fxcm", test_data / "intraday/fx_1m_fxcm", "EURUSD", span=span)
    oanda = read("lean_forex_minute_oanda", test_data / "intraday/fx_1m_oanda", "EURUSD", span=span)
    both = fxcm.select("ts", "close").join(oanda.select("ts", other="close"), on="ts")
    assert len(both) > 10_000
    assert both.select((pl.col("close") / pl.col("other") - 1).abs().median()).item() < 3e-5


def test_alpha_vantage_minutes_start_at_half_past_nine(test_data: Path) -> None:
    for spec, folder in (("alpha_vantage_1m_csv", "1min"), ("alpha_vantage_15m_csv", "15min")):
        bars = read(spec, test_data / f"intraday/alpha_vantage_{folder}", "AAPL", "SPY")
        clock = bars["ts"].dt.convert_time_zone(NEW_YORK).dt.time()
        assert clock.min() == time(9, 30)
        assert clock.max() < time(16)  # type: ignore[operator]


def test_the_header_decides_where_the_close_stands(test_data: Path) -> None:
    path = test_data / "intraday/index_1m_sp500/SP500_NOV2019_IDay.csv"
    bars = read("index_csv_1m", path, "SPX")
    assert (
        bars["high"] >= bars.select(pl.max_horizontal("open", "close", "low")).to_series()
    ).all()


def test_alpha_vantage_and_lean_tell_the_same_closes(test_data: Path) -> None:
    span = (datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 2, 16, tzinfo=UTC))
    lean = read("lean_daily", test_data / "daily/lean_usa", "AAPL", span=span)
    vantage = read("alpha_vantage_daily_csv", test_data / "daily/alpha_vantage", "AAPL")
    assert lean["ts"].to_list() == vantage["ts"].to_list()
    assert lean["close"].to_list() == vantage["close"].to_list()


def test_a_range_takes_the_start_and_leaves_the_end(test_data: Path) -> None:
    span = (datetime(2014, 6, 9, tzinfo=UTC), datetime(2014, 6, 11, tzinfo=UTC))
    bars = read("lean_daily", test_data / "daily/lean_usa", "AAPL", span=span)
    assert bars["ts"].dt.date().to_list() == [date(2014, 6, 9), date(2014, 6, 10)]


def test_side_chooses_the_columns(test_data: Path) -> None:
    spec = load_format("lean_forex_hour_oanda")
    span = (datetime(2018, 12, 31, 21, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC))
    opens = {}
    for side in ("bid", "ask", "mid"):
        vendor = FilesVendor("oanda", spec.but(side=side), test_data / "intraday/fx_1h_oanda")
        asked = (SymbolRequest(instrument("EURUSD", spec.name), "EURUSD"),)
        request = FetchRequest(asked, Timeframe.H1, *span, TODAY)
        opens[side] = pl.concat([r.frame for r in vendor.fetch(request)])["open"].to_list()
        assert vendor.basis(asked[0].instrument, Timeframe.H1).side == Side(side)
    assert opens == {"bid": [1.14558], "ask": [1.14576], "mid": [pytest.approx(1.14567)]}


def test_bases(test_data: Path) -> None:
    def basis(name: str, symbol: str) -> Basis:
        spec = load_format(name)
        return FilesVendor(spec.vendor, spec, test_data).basis(
            instrument(symbol, name), spec.timeframe
        )

    assert basis("lean_daily", "AAPL") == Basis(unit="USD")
    assert basis("lean_minute", "AAPL").hours is Hours.EXTENDED
    assert basis("yahoo_csv", "AAPL").adjustment is Adjustment.SPLITS
    assert str(basis("lean_forex_daily_fxcm", "EURUSD")) == "raw|mid|USD|regular|Etc/GMT+5 00:00"
    assert basis("lean_forex_hour_fxcm", "EURUSD").day == ""


def test_extent_covers_each_symbol_of_a_folder(test_data: Path) -> None:
    found = extent(test_data / "daily/lean_usa", load_format("lean_daily"))
    assert [(e.symbol, e.first_ts.date(), e.last_ts.date()) for e in found] == [
        (s, date(1998, 1, 2), date(2021, 3, 31)) for s in ("AAPL", "IBM", "SPY")
    ]
    (one,) = extent(test_data / "intraday/lean_1m", load_format("lean_minute"), ["spy"])
    assert one.first_ts.date() == date(2013, 10, 4)
    assert one.last_ts == datetime(2013, 10, 11, 23, 59, tzinfo=UTC)
    (fx,) = extent(test_data / "intraday/fx_1h_oanda", load_format("lean_forex_hour_oanda"))
    assert fx.first_ts.date() == date(2007, 1, 1)
    table = extent(test_data / "daily/quandl_wiki", load_format("quandl_wiki"))
    assert [e.symbol for e in table] == ["AAPL", "BRK_A", "MSFT", "ZEN"]
