"""Reports about invented symbols, and the page that shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from emp.quality_report import page
from market_data.quality.health import JUDGED, health
from market_data.quality.report import DatasetReport, dataset_report
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import limits_of
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

NOW = datetime(2024, 4, 1, tzinfo=UTC)
FIRST = date(2024, 1, 1)
DRIFT = {
    "drift": 0.02,
    "drift_max": 0.02,
    "bars": 1,
    "vendors": 2,
    "odd_vendor": None,
    "worst_ts": None,
}


def report(
    thresholds: Thresholds,
    symbols: list[str],
    days: int = 5,
    bad: dict[tuple[str, int], dict[str, Any]] | None = None,
    findings: pl.DataFrame | None = None,
    drift: pl.DataFrame | None = None,
) -> DatasetReport:
    rows = [
        {
            "symbol": symbol,
            "session": FIRST + timedelta(days=day),
            "status": "GREEN",
            "score": 1.0,
            "coverage": 1.0,
            "errors": 0,
            "warnings": 0,
            "codes": "",
        }
        | (bad or {}).get((symbol, day), {})
        for symbol in symbols
        for day in range(days)
    ]
    judged = pl.DataFrame(rows, schema=JUDGED)
    instruments = [
        Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in symbols
    ]
    limits = limits_of(instruments, Timeframe.D1, thresholds)
    window = (FIRST, FIRST + timedelta(days=days - 1))
    verdict = health("curated/bars_1d", judged, limits, as_of=NOW, sessions=window)
    found = FINDINGS.empty() if findings is None else findings
    return dataset_report(
        verdict, judged, found, pl.DataFrame() if drift is None else drift, limits
    )


def written(*reports: DatasetReport, runbooks: str = "docs/runbooks") -> str:
    return page(
        reports,
        made_at=NOW,
        rule_version="r1",
        period=(FIRST, FIRST) if reports else None,
        runbooks=runbooks,
    )
