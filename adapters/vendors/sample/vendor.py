"""The client of the invented vendors.

What belongs here: the answer to a request: which sessions, each vendor's own small noise and
losses, the planted errors, corporate actions, outcomes.
What does not: the bars themselves (truth.py), the list of errors (faults.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from adapters.vendors.sample.faults import apply_faults
from adapters.vendors.sample.instruments import INSTRUMENTS, LISTED, DemoInstrument
from adapters.vendors.sample.noise import normal, uniform
from adapters.vendors.sample.truth import daily_bars, minute_bars
from market_data.basis import Basis, Side
from market_data.errors import ConfigurationError
from market_data.ports import (
    Capabilities,
    FetchRequest,
    FetchResult,
    Outcome,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS, PRICES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

_DAY = timedelta(days=1)
_SLICE = timedelta(days=31)
"""Longest range of 1m bars in one slice of an answer: at most 45,000 rows."""
_UNIX_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class _Profile:
    """How a vendor departs from the truth.

    Attributes:
        noise: standard deviation of its prices, relative, by asset class.
        lost: share of the 1m bars that it loses.
        volume_share: how much of the volume it sees.
        without_volume: asset classes for which it gives no volume.
    """

    noise: dict[AssetClass, float]
    lost: float
    volume_share: float
    without_volume: tuple[AssetClass, ...]


_PROFILES = {
    "sample_a": _Profile({}, 0.0, 1.0, ()),
    "sample_b": _Profile(
        {AssetClass.EQUITY: 1e-4, AssetClass.FX: 1e-5, AssetClass.CRYPTO: 1e-4},
        0.003,
        0.97,
        (AssetClass.FX,),
    ),
}


class SampleVendor:
    """An invented vendor of the DEMO instruments, at 1m and 1d, raw prices, regular hours.

    The same request at the same `now` always gives the same rows, and a range gives the same
    rows whether it is asked for at once or in slices.
    """

    def __init__(self, name: str, *, seed: int = 7, faults: bool = True) -> None:
        """Make one of the two vendors.

        Args:
            name: sample_a, which holds the truth, or sample_b, which departs from it a little:
                noise far below any drift limit, 0.3 % of the 1m bars lost, no FX volume.
            seed: decides every price of both vendors.
            faults: whether to plant the errors of faults.py.

        Raises:
            ConfigurationError: there is no invented vendor of that name.
        """
        if name not in _PROFILES:
            known = ", ".join(_PROFILES)
            raise ConfigurationError(f"the sample reader has no vendor {name!r}; it has: {known}")
        self.name = name
        self.capabilities = Capabilities(timeframes=(Timeframe.M1, Timeframe.D1))
        self._profile = _PROFILES[name]
        self._seed = seed
        self._faults = faults

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:  # noqa: ARG002
        """Raw prices in the instrument's currency: mid for FX, trades for the others."""
        side = Side.MID if instrument.asset_class is AssetClass.FX else Side.TRADE
        return Basis(side=side, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol, 1m bars by month; see `market_data.ports.Vendor`."""
        for wanted in request.symbols:
            yield from self._fetch_symbol(wanted, request)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        demo = INSTRUMENTS.get(wanted.vendor_symbol)
        reason = self._why_not(demo, wanted, request)
        if demo is None or reason:
            outcome = SymbolOutcome(Outcome.FAILED if demo is None else Outcome.UNAVAILABLE, reason)
            yield FetchResult(outcomes={wanted.symbol: outcome})
            return
        rows = 0
        # The range may be open-ended, but nothing begins after now; an FX day begins on the
        # evening before its date.
        end = min(request.end, request.now + _DAY)
        start = min(max(request.start, datetime.combine(LISTED, time(), UTC) - _DAY), end)
        step = _SLICE if request.timeframe.is_intraday else end - start
        while start < end:
            bars = self._bars(demo, request.timeframe, start, min(start + step, end), request.now)
            rows += bars.height
            yield FetchResult(frame=_fetched(bars, wanted))
            start += step
        settled = SymbolOutcome(Outcome.ROWS if rows else Outcome.NOTHING)
        yield FetchResult(
            outcomes={wanted.symbol: settled}, actions=self._actions(demo, wanted, request.now)
        )

    def _why_not(
        self, demo: DemoInstrument | None, wanted: SymbolRequest, request: FetchRequest
    ) -> str:
        """Why the vendor can never serve this, empty where it can."""
        if demo is None:
            return f"{self.name} does not know {wanted.vendor_symbol}"
        if request.timeframe not in self.capabilities.timeframes:
            return f"{self.name} has no {request.timeframe} bars"
        if request.end <= datetime.combine(LISTED, time(), UTC) - _DAY:
            return f"{wanted.vendor_symbol} is listed since {LISTED}"
        return ""

    def _bars(
        self,
        demo: DemoInstrument,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        now: datetime,
    ) -> pl.DataFrame:
        """Rows whose ts lies in [start, end), sorted by ts."""
        # A session may begin on the evening before its date.
        first, last = max(start.date(), LISTED), end.date() + _DAY
        draw = minute_bars if timeframe.is_intraday else daily_bars
        bars = self._own_view(draw(demo, self._seed, first, last), demo, timeframe)
        if self._faults:
            bars = apply_faults(bars, self.name, demo.symbol, timeframe, now)
        within = (pl.col("ts") >= start) & (pl.col("ts") < end) & (pl.col("begins") < now)
        return bars.filter(within).sort("ts", maintain_order=True)

    def _own_view(
        self, bars: pl.DataFrame, demo: DemoInstrument, timeframe: Timeframe
    ) -> pl.DataFrame:
        """The truth as this vendor saw it."""
        key = f"{self._seed}/{self.name}/{demo.symbol}/{timeframe}"
        days = (bars["session"] - _UNIX_DAY).dt.total_days().to_numpy()
        counters = days.astype(np.int64) * 4096 + bars["position"].to_numpy()
        if noise := self._profile.noise.get(demo.asset_class, 0.0):
            # One factor per bar keeps the order of its prices.
            factor = pl.Series(np.exp(noise * normal(key + "/price", counters)))
            bars = bars.with_columns((pl.col(PRICES) * factor).round(demo.decimals))
        if demo.asset_class in self._profile.without_volume:
            bars = bars.with_columns(volume=pl.lit(None, dtype=pl.Float64))
        else:
            bars = bars.with_columns(volume=(pl.col("volume") * self._profile.volume_share).round())
        if timeframe.is_intraday and self._profile.lost:
            kept = uniform(key + "/lost", counters) >= self._profile.lost
            bars = bars.filter(pl.Series(kept))
        return bars

    def _actions(self, demo: DemoInstrument, wanted: SymbolRequest, now: datetime) -> pl.DataFrame:
        """Rows of CORPORATE_ACTIONS announced by now."""
        rows = [
            (wanted.symbol, a.ex_date, a.kind, a.value, self.name, known)
            for a in demo.actions
            if (known := datetime.combine(a.announced, time(), UTC)) <= now
        ]
        return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def _fetched(bars: pl.DataFrame, wanted: SymbolRequest) -> pl.DataFrame:
    return FETCHED_BARS.conform(
        bars.with_columns(symbol=pl.lit(wanted.symbol), vendor_symbol=pl.lit(wanted.vendor_symbol))
    )
