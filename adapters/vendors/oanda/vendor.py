"""OANDA as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: pages of a request, the day of daily bars, outcomes per symbol. What does not:
reading an answer (candles.py), sending (adapters/vendors/http.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from adapters.vendors.archived import archived_answers
from adapters.vendors.cells import off_grid, read_cells, with_reason
from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.http import Answer, Patience, Secrets, VendorHttp
from adapters.vendors.oanda.candles import NAME, Asked, read_candles
from adapters.vendors.oanda.profile import PROFILE
from adapters.vendors.pages import page_by_page, refuse_elsewhere
from market_data.basis import Basis, Side
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
from market_data.schemas import UTC
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

URL = "https://api-fxpractice.oanda.com"
MOST_CANDLES = 4_999
"""Of one answer; 5,000 is the limit, and whether both ends count OANDA does not say."""
_GRANULARITIES = {
    Timeframe.M1: "M1",
    Timeframe.M5: "M5",
    Timeframe.M15: "M15",
    Timeframe.M30: "M30",
    Timeframe.H1: "H1",
    Timeframe.H4: "H4",
    Timeframe.D1: "D",
}
_NEW_YORK = ZoneInfo("America/New_York")
_ROLL = 17
"""Hour in New York at which the day of the currencies begins, on the evening before its date."""
_ALMOST_A_DAY = timedelta(days=1, microseconds=-1)
_INSTRUMENT = re.compile(r"[A-Z0-9]{2,10}_[A-Z]{3}")


class OandaVendor:
    """OANDA's bars: one dealer's mid, bid or ask prices, days of New York from 17:00 on.

    The volume is a count of price changes and lands in `trades`; a minute without any has no bar.
    """

    capabilities = Capabilities(
        timeframes=tuple(_GRANULARITIES),
        request_span={t: t.duration * MOST_CANDLES for t in _GRANULARITIES},
        delay=PROFILE.delay,
    )

    def __init__(
        self,
        api_token: str,
        *,
        name: str = "oanda",
        base_url: str = URL,
        side: Side = Side.MID,
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
        patience: Patience | None = None,
    ) -> None:
        """Take the options; nothing is sent yet.

        Args:
            api_token: of an account.
            name: under which it is configured.
            base_url: of practice accounts, of real ones, or of a test server.
            side: whose prices: mid, bid or ask.
            gate: grants each request; None for no limits.
            claims: what a request takes of the account's allowance.
            patience: how long and how often to wait.
        """
        self.name = name
        secrets = Secrets(headers={"Authorization": f"Bearer {api_token}"})
        self._http = VendorHttp(NAME, base_url, gate=gate, secrets=secrets, patience=patience)
        self._claims = tuple(claims)
        self._side = side

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:  # noqa: ARG002
        """Prices of one side in the second currency of the pair, on the instrument's own day."""
        pair = instrument.vendor_symbols.get(self.name, instrument.symbol)
        quote = pair.partition("_")[2] if _INSTRUMENT.fullmatch(pair) else ""
        return Basis(side=self._side, unit=quote or instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol and page, the oldest first; see `market_data.ports.Vendor`."""
        return each_symbol(request, self._fetch_symbol)

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived answers again, see `market_data.ports.ReadsArchived`."""
        for wanted, answer in archived_answers(contents, request, NAME):
            cells = self._read(answer, wanted.vendor_symbol, request.timeframe)
            bars, rejected = read_cells(cells, wanted, request.start, request.end)
            yield FetchResult(frame=bars, rejected=rejected)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        timeframe = request.timeframe
        if timeframe not in _GRANULARITIES:
            raise OutOfRangeError(f"{NAME} has no {timeframe} bars")
        if wanted.instrument.asset_class is not AssetClass.FX:
            raise OutOfRangeError(f"{NAME} is asked for currencies alone; {wanted.symbol} is none")
        if not _INSTRUMENT.fullmatch(wanted.vendor_symbol):
            raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no instrument at {NAME}")

        def ask(first: datetime, until: datetime) -> tuple[pl.DataFrame, Payload]:
            begin, end = first, until
            if not timeframe.is_intraday:
                # A range that ends within a day reaches into the session of that day.
                begin, end = _roll(first), _roll(until + _ALMOST_A_DAY)
            return self._page(wanted.vendor_symbol, timeframe, begin, min(end, request.now))

        yield from page_by_page(wanted, request, ask, most=MOST_CANDLES)

    def _page(
        self, instrument: str, timeframe: Timeframe, begin: datetime, end: datetime
    ) -> tuple[pl.DataFrame, Payload]:
        def read(answer: Answer) -> tuple[pl.DataFrame, Payload]:
            cells = self._read(answer, instrument, timeframe)
            # The candle that covers the start begins before it; a day is under its session's date.
            margin = 2 * timeframe.duration
            refuse_elsewhere(cells, begin - margin, end + margin, name=NAME)
            return cells, answer.payload

        params: dict[str, str | int] = {
            "granularity": _GRANULARITIES[timeframe],
            "price": self._side[0].upper(),
            "from": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "dailyAlignment": _ROLL,
            "alignmentTimezone": _NEW_YORK.key,
        }
        return self._http.get(f"/v3/instruments/{instrument}/candles", params, read, self._claims)

    def _read(self, answer: Answer, instrument: str, timeframe: Timeframe) -> pl.DataFrame:
        """The cells of an answer, daily ones under the date of their session."""
        asked = Asked(instrument, _GRANULARITIES[timeframe])
        cells = read_candles(answer, asked, prices=str(self._side))
        cells = with_reason(cells, "off_grid", _is_off_grid(timeframe))
        if timeframe.is_intraday:
            return cells
        return cells.with_columns(_session(pl.col("ts")).alias("ts"))


def _is_off_grid(timeframe: Timeframe) -> pl.Expr:
    """Whether a candle starts where none of its length does.

    Hours and less are counted from the full hour; four hours and days from 17:00 in New York, so
    that they move with its clock.
    """
    if timeframe.duration <= Timeframe.H1.duration:
        return off_grid(timeframe.duration)
    of_day = pl.col("ts").dt.convert_time_zone(_NEW_YORK.key).dt.replace_time_zone(None)
    since_roll = of_day.dt.epoch("us") - _ROLL * 3_600_000_000
    return since_roll % (timeframe.duration // timedelta(microseconds=1)) != 0


def _roll(midnight: datetime) -> datetime:
    """When the day of a date begins, given as its 00:00 UTC."""
    evening = datetime.combine(midnight.date() - timedelta(days=1), time(_ROLL), _NEW_YORK)
    return evening.astimezone(midnight.tzinfo)


def _session(start: pl.Expr) -> pl.Expr:
    """The date of the day that begins then in New York, at 00:00 UTC."""
    local = start.dt.convert_time_zone(_NEW_YORK.key) + pl.duration(hours=24 - _ROLL)
    return local.dt.date().cast(UTC)
