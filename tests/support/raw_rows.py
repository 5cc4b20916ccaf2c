"""Small frames of raw bars on a calendar's grid, and limits to judge them by."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from market_data.calendars import bar_starts
from market_data.curation import CurationInput, CurationResult, curate
from market_data.curation.split_evidence import SplitsTold
from market_data.quality.thresholds import Thresholds
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

NOW = datetime(2024, 6, 1, tzinfo=UTC)
FETCHED = datetime(2024, 5, 1, tzinfo=UTC)
RAW = "raw|trade||regular|"
_SHIPPED = Path(__file__).parents[2] / "config/quality.yaml"
LIMITS = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))["rules"]["default"] | {
    "price_min": 0.0001,
    "price_max": 1_000_000.0,
    "coverage_warn": 0.9,
    "coverage_error": 0.75,
    "drift_error": 0.01,
    "drift_statistic": "max",
    "stale_warn": "1d",
    "reject_warn_share": 0.01,
    "reject_error_share": 0.05,
    "block_share": 0.5,
    "flat_run_bars": 5,
    "jump": 0.3,
    "score_warn": 0.85,
    "score_error": 0.6,
    "score_shift": 0.1,
}
THRESHOLDS = Thresholds.parse({"rules": {"default": LIMITS}})
INSTRUMENTS = (
    Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS"),
    Instrument(symbol="BBB", asset_class=AssetClass.EQUITY, calendar="XNYS"),
    Instrument(symbol="EURUSD", asset_class=AssetClass.FX, calendar="fx"),
    Instrument(symbol="TYO", asset_class=AssetClass.EQUITY, calendar="XTKS", currency="JPY"),
    Instrument(symbol="LON", asset_class=AssetClass.EQUITY, calendar="XLON", currency="GBP"),
)
ORDER = dict.fromkeys(AssetClass, ("alpha", "beta", "gamma"))


def raw_rows(
    symbol: str = "AAA",
    vendor: str = "alpha",
    timeframe: Timeframe = Timeframe.D1,
    first: date = date(2024, 1, 2),
    last: date = date(2024, 1, 5),
    **columns: Any,
) -> pl.DataFrame:
    """One raw bar per place in the grid: 100, 101, 99, 100.5, volume 10, or what `columns` say."""
    calendar = next(i.calendar for i in INSTRUMENTS if i.symbol == symbol)
    values: dict[str, Any] = {
        "vendor": vendor,
        "symbol": symbol,
        "vendor_symbol": symbol,
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.5,
        "volume": 10.0,
        "basis": RAW,
        "fetch_id": f"{vendor}-1",
        "fetched_at": FETCHED,
    } | columns
    grid = bar_starts(calendar, timeframe, first, last)
    return RAW_BARS.conform(
        grid.with_columns(known_at="bar_end").with_columns(
            **{n: v if isinstance(v, pl.Expr | pl.Series) else pl.lit(v) for n, v in values.items()}
        )
    )


def curation_input(
    *native: pl.DataFrame,
    timeframe: Timeframe = Timeframe.D1,
    minutes: tuple[pl.DataFrame, ...] = (),
    now: datetime = NOW,
    actions: pl.DataFrame | None = None,
    since: pl.DataFrame | None = None,
    told: SplitsTold | None = None,
    preferred: pl.DataFrame | None = None,
) -> CurationInput:
    """Frames of the vendors alpha, beta, gamma, in this order, as curation takes them."""
    return CurationInput(
        timeframe=timeframe,
        native=native,
        minutes=minutes,
        instruments=INSTRUMENTS,
        order=ORDER,
        thresholds=THRESHOLDS,
        now=now,
        rule_versions=dict.fromkeys(AssetClass, "rules-1"),
        actions=actions,
        actions_since=since,
        told=told,
        preferred=preferred,
    )


def curated(*native: pl.DataFrame, **how: Any) -> CurationResult:
    """Curate frames; `how` is for `curation_input`."""
    return curate(curation_input(*native, **how))
