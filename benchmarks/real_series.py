"""Real series: what the detectors are measured on beside invented ones.

What belongs here: which files of the shared data make which group, and reading them. What does not:
invented series (planted.py), faults (price_faults.py).

Shares are in two halves by symbol, so that no symbol is in both: limits may be tried on the files
of TUNING alone, and the table is of the others.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from functools import cache
from pathlib import Path

import polars as pl

from market_data.schemas import PRICES

TUNING = (
    "daily/yahoo/nvda-1999-2014.txt",
    "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv",
    "daily/yahoo/yahoofinance-INTC-19950101-20040412.csv",
    "daily/yahoo_csvdir/AAPL.csv.gz",
    "daily/yahoo_csvdir/KO.csv.gz",
    "daily/yahoo_csvdir/MSFT.csv.gz",
    "daily/lean_usa/aapl.zip",
    "daily/alpha_vantage/AAPL_daily.csv",
    "daily/alpha_vantage/MSFT_daily.csv",
)
"""Shares that limits were tried on."""
GROUPS = {
    "shares": (
        "daily/yahoo/yhoo-1996-2015.txt",
        "daily/yahoo/yahoofinance-SPY-20080101-20180101.csv",
        "daily/yahoo_csvdir/IBM.csv.gz",
        "daily/lean_usa/ibm.zip",
        "daily/lean_usa/spy.zip",
        "daily/alpha_vantage/SPY_daily.csv",
        "daily/alpha_vantage/TSLA_daily.csv",
    ),
    "indices": ("daily/index_and_fred/sp500.csv.gz", "daily/index_and_fred/nasdaq.csv.gz"),
    "EURUSD": ("daily/fx_oanda/eurusd.zip", "daily/fx_fxcm/eurusd.zip"),
    "BTCUSD": ("daily/crypto_coinbase/btcusd_trade.zip",),
    "6E of January 2024": ("intraday/futures_1m_cme/6EH4.XCME_1min_bars_20240101_20240131.csv.gz",),
    "tuning": TUNING,
}


def folder() -> Path:
    """Where the shared data are."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("EMP_TEST_DATA") or beside)


def real_bars(group: str, number: int) -> pl.DataFrame:
    """Bars of a file of a group, in turn: session, ts, open, high, low, close, volume, by time."""
    files = GROUPS[group]
    return _read(folder() / files[number % len(files)])


@cache
def _read(path: Path) -> pl.DataFrame:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(archive.namelist()[0])
        rows = pl.read_csv(content, has_header=False, infer_schema_length=None)
        columns = dict(zip(rows.columns, ("time", *PRICES, "volume"), strict=False))
        bars = rows.rename(columns).select("time", *PRICES, "volume")
        return _bars(bars, "%Y%m%d %H:%M")
    rows = pl.read_csv(io.BytesIO(_content(path)), infer_schema_length=None)
    rows = rows.rename({name: name.lower() for name in rows.columns})
    time = next(n for n in ("date", "datetime", "timestamp_utc") if n in rows.columns)
    bars = rows.select(pl.col(time).alias("time"), *PRICES, "volume")
    sample = bars["time"][0]
    if ":" in sample:
        return _bars(bars, "%Y-%m-%d %H:%M:%S")
    return _bars(bars, "%m/%d/%Y" if "/" in sample else "%Y-%m-%d")


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _bars(bars: pl.DataFrame, form: str) -> pl.DataFrame:
    shape = form if "%H" in form else f"{form} %H:%M"
    text = pl.col("time") if "%H" in form else pl.col("time") + " 00:00"
    sound = pl.all_horizontal(pl.col(p) > 0 for p in PRICES)
    return (
        bars.with_columns(pl.col(*PRICES, "volume").cast(pl.Float64))
        .with_columns(ts=text.str.to_datetime(shape, time_unit="us").dt.replace_time_zone("UTC"))
        .filter(sound)
        .with_columns(session=pl.col("ts").dt.date())
        .select("session", "ts", *PRICES, "volume")
        .sort("ts")
    )
