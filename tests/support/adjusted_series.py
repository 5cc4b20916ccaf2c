"""A vendor whose daily bars have an adjusted close that carries an action, or does not.

What belongs here: its answers. What does not: asking it (fake_vendor.py), assertions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time

import polars as pl

from market_data.basis import Adjustment, Basis
from market_data.calendars import trading_sessions
from market_data.ports import FetchRequest, FetchResult
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from tests.support.fake_vendor import FakeVendor

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 15)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
EX = DAYS[4]


@dataclass
class Series(FakeVendor):
    """Bars of one price and adjusted closes beside them.

    Attributes:
        carries: what the adjusted closes before the ex-date are multiplied by; None: none is sent.
        told: kind to value, of the ex-date.
        adjustment: of the prices.
        unit: of the prices.
        close: of every bar.
    """

    carries: float | None = 1.0
    told: Mapping[str, float] = field(default_factory=dict)
    adjustment: Adjustment = Adjustment.RAW
    unit: str = "USD"
    close: float = 100.0

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(adjustment=self.adjustment, unit=self.unit)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        factor = pl.when(pl.col("ts").dt.date() < EX).then(self.carries).otherwise(1.0)
        adjusted = pl.lit(None, dtype=pl.Float64) if self.carries is None else self.close * factor
        price = pl.lit(self.close)
        for result in super().fetch(request):
            frame = result.frame.with_columns(
                open=price, high=price, low=price, close=price, adj_close=adjusted
            )
            yield replace(result, frame=frame, actions=statements(self.told, self.name))


def statements(
    told: Mapping[str, float], source: str, *, symbol: str = "AAA", ex_date: date = EX
) -> pl.DataFrame:
    """Rows of CORPORATE_ACTIONS, known since the ex-date."""
    known = datetime.combine(ex_date, time(), UTC)
    rows = [(symbol, ex_date, kind, value, source, known) for kind, value in told.items()]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def series(name: str, *, symbol: str = "AAA", **how: object) -> Series:
    """A vendor with one bar a day."""
    bars = {symbol: [datetime.combine(day, time(), UTC) for day in DAYS]}
    return Series(name=name, bars=bars, **how)  # type: ignore[arg-type]
