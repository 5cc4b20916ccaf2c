"""Interactive Brokers as a vendor: what it serves, what its prices mean, how it answers.

What belongs here: pages of a request, outcomes per symbol, the meaning of prices.
What does not: sending and retrying (client.py), reading an answer (answers.py).
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.outcome import outcome_of, spoiled
from adapters.vendors.tws.answers import read_bars
from adapters.vendors.tws.contracts import Found, parse
from adapters.vendors.tws.inquiry import Address
from adapters.vendors.tws.profile import PROFILE, TwsSettings
from adapters.vendors.tws.questions import BAR_SIZES, SPANS, pages
from market_data.basis import Adjustment, Basis, Side
from market_data.calendars import calendar_name, exchange_zone, trading_sessions
from market_data.errors import (
    OutOfRangeError,
    StoreConflictError,
    UnauthorisedError,
    UnreachableError,
)
from market_data.ports import (
    Capabilities,
    FetchRequest,
    FetchResult,
    Locks,
    RequestGate,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

if TYPE_CHECKING:
    from adapters.vendors.tws.client import TwsClient

_LOT = 100
"""Shares. TWS can be set to send volumes of US shares in lots; no other volume comes in them."""


class TwsVendor:
    """Bars of Interactive Brokers: for accounts with the market data permissions that they need.

    Stocks and indices: trades of the regular session, divided by all splits until today; currency
    pairs: mid prices, no volume; coins and futures: trades of the whole day. A daily bar carries
    the date on which its session closes. Volumes are shares, also where TWS sends lots of 100 and
    the settings say so.
    """

    capabilities = Capabilities(
        timeframes=tuple(BAR_SIZES), request_span=SPANS, delay=PROFILE.delay
    )

    def __init__(
        self,
        settings: TwsSettings,
        *,
        name: str = "tws",
        gate: RequestGate | None = None,
        locks: Locks | None = None,
        attempts: int = 3,
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        """Take the options; ib_async is loaded and TWS is called at the first request.

        Args:
            settings: where TWS or IB Gateway listens, and as whom to connect.
            name: the vendor's.
            gate: grants each question; None for no limits.
            locks: taken while connected, since one number connects once; None where no other
                process connects.
            attempts: how often one question is put before its trouble counts.
            sleep: waits that many seconds.
        """
        self.name = name
        self._settings = settings
        self._gate = gate
        self._locks = locks
        self._attempts = attempts
        self._sleep = sleep
        self._units: dict[str, str] = {}

    @cached_property
    def _client(self) -> TwsClient:
        from adapters.vendors.tws.client import TwsClient

        found = self._settings
        return TwsClient(
            Address(found.host, found.port, found.client_id),
            timeout=found.timeout,
            gate=self._gate,
            attempts=self._attempts,
            sleep=self._sleep,
        )

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:  # noqa: ARG002
        """Stocks split-adjusted, pairs at mid prices, of the instrument's own sessions.

        The unit is that of the contract; before it is known, the instrument's currency.
        """
        return Basis(
            adjustment=Adjustment.SPLITS
            if instrument.asset_class is AssetClass.EQUITY
            else Adjustment.RAW,
            side=Side.MID if instrument.asset_class is AssetClass.FX else Side.TRADE,
            unit=self._units.get(instrument.symbol, instrument.currency),
        )

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol and page, the newest page first; see `market_data.ports.Vendor`.

        What would meet every other symbol too (no connection, too many requests) ends the answer.
        A permission that is lacking is one of an exchange, and so its symbols' outcome.
        """
        return each_symbol(request, self._fetch_symbol)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        described = parse(wanted.vendor_symbol, wanted.instrument)
        self._refuse_unserved(wanted.instrument, request)
        if not self._settings.host:
            raise UnreachableError("TWS_HOST is not set: nobody knows where TWS listens")
        number = f"client {self._settings.client_id}"
        try:
            with self._locks.hold([number]) if self._locks else nullcontext():
                try:
                    found = self._client.contract(described, wanted.instrument)
                    self._units[wanted.symbol] = found.unit
                    yield from self._pages(found, wanted, request)
                finally:
                    self._client.close()
        except StoreConflictError:
            raise UnreachableError(
                f"another process has been connected to TWS as {number} for long; give one of them "
                "another TWS_CLIENT_ID"
            ) from None
        except UnauthorisedError as trouble:
            yield FetchResult(outcomes={wanted.symbol: SymbolOutcome.of(trouble)})

    def _pages(
        self, found: Found, wanted: SymbolRequest, request: FetchRequest
    ) -> Iterator[FetchResult]:
        rows = refused = 0
        lots = self._settings.volume_unit == "lots" and _is_us_share(found, wanted.instrument)
        for page in pages(found.kind, request.timeframe, request.start, request.end, request.now):
            answer = self._client.bars(found, page.question)
            if answer.fields is None or answer.payload is None:
                continue
            bars, rejected = read_bars(answer.fields, wanted, request, page.start, page.end)
            if lots:
                bars = bars.with_columns(volume=pl.col("volume") * _LOT)
            rows += bars.height
            refused += spoiled(rejected)
            yield FetchResult(frame=bars, rejected=rejected, payloads=[answer.payload])
        yield FetchResult(outcomes={wanted.symbol: outcome_of(rows, refused)})

    def _refuse_unserved(self, instrument: Instrument, request: FetchRequest) -> None:
        """Refuse bars that IB has not, or that would mean another stretch of the day.

        Between which hours a coin's day lies, IB says nowhere.

        IB's hours and half hours are those of the clock: of a session that opens at 9:30 the first
        hour is half an hour long, and would pass for a whole one.

        Raises:
            OutOfRangeError: IB can never serve them.
        """
        if request.timeframe not in self.capabilities.timeframes:
            raise OutOfRangeError(f"Interactive Brokers has no {request.timeframe} bars")
        if instrument.asset_class is AssetClass.CRYPTO and not request.timeframe.is_intraday:
            raise OutOfRangeError(
                f"where Interactive Brokers' {request.timeframe} bars of coins begin is documented "
                "nowhere; days are made of its 1m bars"
            )
        if request.timeframe not in (Timeframe.M30, Timeframe.H1):
            return
        margin = timedelta(days=10)
        sessions = trading_sessions(
            instrument.calendar, (request.start - margin).date(), (request.end + margin).date()
        )
        starts = [s for c in ("open", "break_end") for s in sessions[c].drop_nulls()]
        if any(s.minute % request.timeframe.minutes for s in starts):
            raise OutOfRangeError(
                f"Interactive Brokers' {request.timeframe} bars are those of the clock, sessions "
                f"of {calendar_name(instrument.calendar)} begin at another minute; they are made "
                "of its 1m bars"
            )


def _is_us_share(found: Found, instrument: Instrument) -> bool:
    """Whether TWS may be set to send the volumes in lots."""
    zone = exchange_zone(instrument.calendar)
    return found.kind == "STK" and found.currency == "USD" and zone == "America/New_York"
