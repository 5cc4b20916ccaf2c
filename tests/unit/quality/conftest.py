"""Flawless slices of real calendars, and the limits that the repository ships."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from market_data.calendars import bar_starts, expected_bars
from market_data.quality.checks import BarsView
from market_data.quality.thresholds import Thresholds
from market_data.schemas import CURATED_BARS, RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

ROOT = Path(__file__).resolve().parents[3]
LATER = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = {"XNYS": AssetClass.EQUITY, "XTKS": AssetClass.EQUITY, "fx": AssetClass.FX}

MakeView = Callable[..., BarsView]


@pytest.fixture(scope="session")
def quality_mapping() -> dict[str, Any]:
    mapping: dict[str, Any] = yaml.safe_load((ROOT / "config/quality.yaml").read_text())
    return mapping


@pytest.fixture(scope="session")
def thresholds(quality_mapping: dict[str, Any]) -> Thresholds:
    return Thresholds.parse(quality_mapping)


def _bars(view_kind: str, grid: pl.DataFrame, symbol: str) -> pl.DataFrame:
    price = 100 + pl.int_range(pl.len()) % 7 * 0.1
    bars = grid.select(
        "session",
        "ts",
        symbol=pl.lit(symbol),
        open=price,
        high=price + 0.5,
        low=price - 0.5,
        close=price,
        volume=pl.lit(1000.0),
    )
    if view_kind == "raw":
        bars = bars.with_columns(
            vendor=pl.lit("acme"),
            vendor_symbol=pl.lit(symbol),
            basis=pl.lit("raw|trade|USD|regular|"),
            known_at=pl.lit(LATER),
            fetched_at=pl.lit(LATER),
            fetch_id=pl.lit("f1"),
        )
        return RAW_BARS.conform(bars)
    curated = bars.with_columns(
        source=pl.lit("acme"),
        filled=pl.lit(""),
        final=pl.lit(value=True),
        dq_status=pl.lit("ok"),
        flags=pl.lit(""),
        rule_version=pl.lit("r1"),
    )
    return CURATED_BARS.conform(curated)


@pytest.fixture(scope="session")
def make_view() -> MakeView:
    """Build a flawless view: calendar, timeframe, first and last session, symbols, kind."""

    def make(
        calendar: str = "XNYS",
        timeframe: Timeframe = Timeframe.D1,
        start: date = date(2024, 1, 1),
        end: date = date(2024, 1, 31),
        *,
        symbols: tuple[str, ...] = ("AAA",),
        kind: str = "curated",
        now: datetime = LATER,
        delay: timedelta = timedelta(0),
    ) -> BarsView:
        asset_class = CLASSES.get(calendar, AssetClass.CRYPTO)
        instruments = [
            Instrument(symbol=s, asset_class=asset_class, calendar=calendar) for s in symbols
        ]
        grid = bar_starts(calendar, timeframe, start, end)
        return BarsView(
            dataset=f"{kind}/bars_{timeframe}",
            kind=kind,  # type: ignore[arg-type]
            timeframe=timeframe,
            instruments=instruments,
            bars=pl.concat(_bars(kind, grid, s) for s in symbols),
            expected=expected_bars(instruments, timeframe, start, end),
            sessions=(start, end),
            now=now,
            delay=delay,
        )

    return make
