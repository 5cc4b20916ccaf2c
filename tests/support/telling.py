"""A vendor that tells splits, and divides its prices by them or by others.

What belongs here: the vendor, twelve days of trading of one share, asking about them. What does
not: assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from math import prod

import polars as pl

from market_data.basis import Adjustment, Basis
from market_data.calendars import trading_sessions
from market_data.ports import FetchRequest, FetchResult
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from tests.support.fake_vendor import FakeVendor, ask
from tests.support.worlds import World

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 15)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
Splits = dict[date, float]


@dataclass
class Telling(FakeVendor):
    """Prices that fall by the splits that trade, divided by some, with others told."""

    traded: Splits = field(default_factory=dict)
    divided: Splits = field(default_factory=dict)
    told: Splits = field(default_factory=dict)

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(adjustment=Adjustment.SPLITS, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        for result in super().fetch(request):
            days = result.frame["ts"].dt.date().to_list()
            price = pl.Series([self.price(day) for day in days], dtype=pl.Float64)
            shares = pl.Series([self.divisor(day) for day in days], dtype=pl.Float64)
            frame = result.frame.with_columns(open=price, high=price, low=price, close=price)
            frame = frame.with_columns(pl.col("volume") * shares)
            known = pl.min_horizontal("known_at", pl.lit(request.now))
            yield replace(result, frame=frame, actions=statements(self.told).with_columns(known))

    def price(self, day: date) -> float:
        return as_traded(self.traded)[day] / self.divisor(day)

    def divisor(self, day: date) -> float:
        return prod(v for ex, v in self.divided.items() if ex > day)


def as_traded(traded: Splits) -> dict[date, float]:
    gone = {day: prod(v for ex, v in traded.items() if ex <= day) for day in DAYS}
    return {day: (400.0 + n) / gone[day] for n, day in enumerate(DAYS)}


def statements(splits: Splits, source: str = "yahoo") -> pl.DataFrame:
    rows = [
        ("AAA", ex, "split", value, source, datetime.combine(ex, time(), UTC))
        for ex, value in splits.items()
    ]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def asked(
    world: World,
    now: datetime,
    *,
    traded: Splits,
    divided: Splits,
    told: Splits,
    first: date = FIRST,
    last: date = LAST,
) -> World:
    """The world after the vendor was asked for everything that there was, or for a part."""
    later, last = world.later(now), min(last, max(d for d in DAYS if d < now.date()))
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    yahoo = Telling(name="yahoo", bars=bars, traded=traded, divided=divided, told=told)
    ask(later, yahoo, first, last, refetch=True)
    later.curate("1d", "AAA", first, last)
    return later


def served(world: World, **how: object) -> dict[date, float]:
    bars = world.read("1d", "AAA", sessions=(FIRST, LAST), **how)
    return dict(bars.select("session", "close").iter_rows())


def until(now: datetime, prices: dict[date, float]) -> dict[date, float]:
    return {day: price for day, price in prices.items() if day < now.date()}
