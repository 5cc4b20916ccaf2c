"""Curation of five million one-minute bars against the same rules in vectorised pandas."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import polars as pl

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from benchmarks.ratio import Ratio
from market_data.calendars import bar_starts, expected_bars, trading_sessions
from market_data.curation import CurationInput, curate
from market_data.ordering import is_sorted, sort_if_needed
from market_data.schemas import PRICES, RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from market_data.validation import PriceRange, validate_rows

SYMBOLS = 50
ROUNDS = 4
NOW = datetime(2025, 6, 1, tzinfo=UTC)
FIRST, LAST = date(2023, 12, 27), date(2025, 1, 3)
INSTRUMENTS = tuple(
    Instrument(symbol=f"S{i:03d}", asset_class=AssetClass.EQUITY, calendar="XNYS")
    for i in range(SYMBOLS)
)
THRESHOLDS = load_thresholds(Settings())


def raw_bars(vendor: str = "a") -> pl.DataFrame:
    """About five million sorted rows of RAW_BARS: 0.5 % of the bars missing, 25 000 repeats."""
    grid = bar_starts("XNYS", Timeframe.M1, FIRST, LAST)
    symbols = pl.DataFrame({"symbol": [i.symbol for i in INSTRUMENTS]})
    rows = symbols.join(grid, how="cross", maintain_order="left_right").with_row_index("n")
    rows = rows.filter(pl.col("n").hash(1) % 1000 >= 5)
    repeated = rows.filter(pl.col("n").hash(2) % 200 == 0).with_columns(again=pl.lit(value=1))
    rows = pl.concat([rows.with_columns(again=pl.lit(value=0)), repeated]).sort("n", "again")
    wave = (pl.col("n").hash(3) % 1000) / 1000
    price = 100 + (pl.col("n") % 5000) / 100
    # Four repeats of five are exact, the fifth contradicts the bar that it repeats.
    differs = (pl.col("again") == 1) & (pl.col("n").hash(4) % 5 == 0)
    return RAW_BARS.conform(
        rows.with_columns(
            vendor=pl.lit(vendor),
            vendor_symbol="symbol",
            open=price,
            high=price + 1,
            low=price - 1,
            close=price + wave - 0.5 + differs.cast(pl.Float64) * 0.01,
            volume=pl.col("n") % 1000 + 1.0,
            basis=pl.lit("raw|trade|USD|regular|"),
            known_at="bar_end",
            fetched_at=pl.lit(NOW),
            fetch_id=pl.lit("fetch-1"),
        )
    )


def in_polars(raw: pl.DataFrame) -> pl.DataFrame:
    """The bars as curation makes them."""
    return curate(
        CurationInput(
            timeframe=Timeframe.M1,
            native=[raw],
            instruments=INSTRUMENTS,
            order={AssetClass.EQUITY: ("a", "b")},
            thresholds=THRESHOLDS,
            now=NOW,
            rule_versions={AssetClass.EQUITY: "bench"},
        )
    ).bars


def in_pandas(raw: Any, sessions: Any, expected: Any) -> Any:
    """The same rules as a careful pandas user writes them: whole columns, no loop over rows."""
    import pandas as pd

    values = [*PRICES, "adj_close", "volume", "vwap", "trades", "basis"]
    rows = raw.sort_values(["symbol", "ts"], kind="stable")
    again = rows[rows.duplicated(["symbol", "ts"], keep=False)]
    distinct = again.drop_duplicates(["symbol", "ts", *values])
    contested = distinct[distinct.duplicated(["symbol", "ts"], keep=False)].index
    rows = rows.drop(again.index.difference(distinct.index))
    rows = rows.merge(sessions, on="session", how="left")
    prices = rows[list(PRICES)]
    finite = ~prices.isin([float("inf"), float("-inf")]).any(axis=1) & prices.notna().all(axis=1)
    broken = (
        ~finite
        | (prices <= 0).any(axis=1)
        | (prices < 0.0001).any(axis=1)
        | (prices > 1_000_000.0).any(axis=1)
        | (rows["high"] < rows[["open", "low", "close"]].max(axis=1))
        | (rows["low"] > rows[["open", "high", "close"]].min(axis=1))
        | (rows["volume"] < 0)
        | (rows["ts"] > NOW)
        | rows["open_at"].isna()
        | (rows["ts"] < rows["open_at"])
        | (rows["ts"] >= rows["close_at"])
    )
    keys = again.loc[contested, ["symbol", "ts"]].drop_duplicates()
    marked = rows[["symbol", "ts"]].merge(keys, how="left", indicator=True)["_merge"] == "both"
    good = rows[~(broken | marked.to_numpy())].copy()
    good["final"] = good["ts"] + pd.Timedelta(minutes=1) <= NOW
    counted = good.groupby(["symbol", "session"]).size().rename("observed").reset_index()
    counted = counted.merge(expected, on=["symbol", "session"])
    share = counted["observed"] / counted["expected"]
    counted["dq_status"] = "ok"
    counted.loc[share < 0.9, "dq_status"] = "warn"
    counted.loc[share < 0.75, "dq_status"] = "error"
    counted["flags"] = (share < 0.9).map({True: "coverage", False: ""})
    good = good.merge(
        counted[["symbol", "session", "dq_status", "flags"]], on=["symbol", "session"], how="left"
    )
    good["source"], good["filled"], good["rule_version"] = good["vendor"], "", "bench"
    return good


def validated(raw: pl.DataFrame) -> int:
    """Validation alone, on rows that curation hands to it."""
    return validate_rows(raw, prices=PriceRange(0.0001, 1_000_000.0), now=NOW).bad.height


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run() -> list[Ratio]:
    """Measure; about a minute."""
    raw = raw_bars()
    shuffled = raw.sample(fraction=1.0, shuffle=True, seed=7)
    sessions = (
        trading_sessions("XNYS", FIRST, LAST)
        .select("session", open_at="open", close_at="close")
        .to_pandas()
    )
    expected = (
        expected_bars(INSTRUMENTS, Timeframe.M1, FIRST, LAST)
        .select("symbol", "session", "expected")
        .to_pandas()
    )
    frame = raw.to_pandas()
    bars = in_polars(raw)
    works: dict[str, Callable[[], object]] = {
        "polars": partial(in_polars, raw),
        "pandas": partial(in_pandas, frame, sessions, expected),
        "validation": partial(validated, bars),
        "sorted": partial(sort_if_needed, raw),
        "sort": partial(shuffled.sort, "symbol", "ts"),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(seconds(work))
    # The shortest of the rounds: the one that a busy machine disturbed least.
    took = {name: min(values) for name, values in times.items()}
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in took.items())
    detail += f"; {raw.height / took['polars'] / 1e6:.1f} million rows a second"
    agreed = bars.height / len(in_pandas(frame, sessions, expected))
    return [
        Ratio("curate against pandas", took["pandas"] / took["polars"], 3.0, detail=detail),
        Ratio("validation's share of curate", took["validation"] / took["polars"], 0.05, False),
        Ratio("sorted input against a sort", took["sorted"] / took["sort"], 0.1, False),
        Ratio("sorted input recognised", float(is_sorted(raw)), 1.0),
        Ratio("rows as pandas has them", 1.0 - abs(1.0 - agreed), 1.0, detail=f"{bars.height}"),
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
