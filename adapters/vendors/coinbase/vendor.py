"""Coinbase as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: pages of a request, outcomes per symbol. What does not: reading an answer
(candles.py), sending (adapters/vendors/http.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from adapters.vendors.archived import archived_answers
from adapters.vendors.cells import off_grid, read_cells, with_reason
from adapters.vendors.coinbase.candles import NAME, read_candles
from adapters.vendors.coinbase.profile import PROFILE
from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.http import Answer, Patience, VendorHttp
from adapters.vendors.pages import page_by_page, refuse_elsewhere
from market_data.basis import Basis
from market_data.errors import OutOfRangeError, UnknownSymbolError
from market_data.ports import (
    Capabilities,
    Claim,
    FetchRequest,
    FetchResult,
    Payload,
    RequestGate,
    SymbolRequest,
)
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

URL = "https://api.exchange.coinbase.com"
MOST_CANDLES = 300
"""Of one answer; a longer range is refused."""
_SERVED = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)
_PRODUCT = re.compile(r"[A-Z0-9]{1,16}-[A-Z0-9]{2,10}")


class CoinbaseVendor:
    """Coinbase's bars: trades of one exchange, days of UTC, no key.

    A minute without a trade has no bar. An answer names neither its product nor the length of its
    candles, so that only their starts can be held against the question.
    """

    capabilities = Capabilities(
        timeframes=_SERVED,
        request_span={t: t.duration * MOST_CANDLES for t in _SERVED},
        delay=PROFILE.delay,
    )

    def __init__(
        self,
        *,
        name: str = "coinbase",
        base_url: str = URL,
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
        patience: Patience | None = None,
    ) -> None:
        """Take the options; nothing is sent yet.

        Args:
            name: under which it is configured.
            base_url: replaces Coinbase's own address, for a proxy or a test server.
            gate: grants each request; None for no limits.
            claims: what a request takes of the public allowance.
            patience: how long and how often to wait.
        """
        self.name = name
        self._http = VendorHttp(NAME, base_url, gate=gate, patience=patience)
        self._claims = tuple(claims)

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:  # noqa: ARG002
        """Trades, in the currency that the product is quoted in."""
        product = instrument.vendor_symbols.get(self.name, instrument.symbol)
        quote = product.partition("-")[2] if _PRODUCT.fullmatch(product) else ""
        return Basis(unit=quote or instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol and page, the oldest first; see `market_data.ports.Vendor`."""
        return each_symbol(request, self._fetch_symbol)

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived answers again, see `market_data.ports.ReadsArchived`."""
        end, step = min(request.end, request.now), request.timeframe.duration
        for wanted, answer in archived_answers(contents, request, NAME):
            cells = _on_grid(read_candles(answer), step)
            bars, rejected = read_cells(cells, wanted, request.start, end)
            yield FetchResult(frame=bars, rejected=rejected)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        timeframe = request.timeframe
        if timeframe not in self.capabilities.timeframes:
            raise OutOfRangeError(f"{NAME} has no {timeframe} bars")
        if wanted.instrument.asset_class is not AssetClass.CRYPTO:
            raise OutOfRangeError(f"{NAME} has coins alone; {wanted.symbol} is none")
        if not _PRODUCT.fullmatch(wanted.vendor_symbol):
            raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no product at {NAME}")
        product, step = wanted.vendor_symbol, timeframe.duration
        if timeframe.is_intraday:
            # A candle that runs would be another one the next minute; the day so far is of use.
            running = _last_start(request.now + timedelta(microseconds=1), step)
            request = replace(request, end=min(request.end, running))

        def ask(first: datetime, until: datetime) -> tuple[pl.DataFrame, Payload]:
            return self._page(product, step, first, until)

        yield from page_by_page(wanted, request, ask, most=MOST_CANDLES)

    def _page(
        self, product: str, step: timedelta, first: datetime, until: datetime
    ) -> tuple[pl.DataFrame, Payload]:
        def read(answer: Answer) -> tuple[pl.DataFrame, Payload]:
            cells = read_candles(answer)
            # Its documentation allows itself candles that precede the start.
            refuse_elsewhere(cells, first - MOST_CANDLES * step, until, name=NAME)
            return _on_grid(cells, step), answer.payload

        # Both ends are included, and the last candle may begin less than a step before the end.
        last = max(first, _last_start(until, step))
        params: dict[str, str | int] = {
            "granularity": int(step.total_seconds()),
            "start": f"{first:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{last:%Y-%m-%dT%H:%M:%SZ}",
        }
        return self._http.get(f"/products/{product}/candles", params, read, self._claims)


def _on_grid(cells: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """The cells, those of candles of another length refused: nothing else says what they are."""
    return with_reason(cells, "off_grid", off_grid(step))


def _last_start(until: datetime, step: timedelta) -> datetime:
    """The start of the last candle before an instant; candles are counted from 1970 in UTC."""
    before = until - timedelta(microseconds=1)
    return before - (before - datetime.fromtimestamp(0, UTC)) % step
