"""Yahoo as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: look-back windows, slices of a request, outcomes per symbol.
What does not: sending and retrying (client.py), reading an answer (chart.py).
"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from adapters.vendors.each_symbol import count_each, each_symbol
from adapters.vendors.outcome import outcome_of, spoiled
from adapters.vendors.yahoo.answers import Chart, read_answer
from adapters.vendors.yahoo.chart import currency_unit, first_trade, read_bars
from adapters.vendors.yahoo.events import read_actions
from adapters.vendors.yahoo.identity import asked_for, check_about, interval_of
from adapters.vendors.yahoo.profile import PROFILE
from market_data.basis import Adjustment, Basis, Side
from market_data.errors import (
    MalformedAnswerError,
    OutOfRangeError,
    UnknownSymbolError,
)
from market_data.ports import (
    Capabilities,
    Claim,
    FetchRequest,
    FetchResult,
    RequestGate,
    SymbolRequest,
)
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

if TYPE_CHECKING:
    from adapters.vendors.yahoo.client import ChartAnswer, YahooClient

_SYMBOL = re.compile(r"^[A-Za-z0-9_.=^\-]{1,32}$")
_DAY = timedelta(days=1)
_MONTHS = "1mo"
_Span = tuple[datetime, datetime]
_EDGE = timedelta(minutes=5)
"""Yahoo measures its windows when it answers, a little after `now`."""
_LOOKBACK = {
    Timeframe.M1: timedelta(days=30),
    Timeframe.M5: timedelta(days=60),
    Timeframe.M15: timedelta(days=60),
    Timeframe.H1: timedelta(days=730),
}
_MINOR_BY_SUFFIX = {(".L", "GBP"): "GBp", (".JO", "ZAR"): "ZAc", (".TA", "ILS"): "ILA"}
"""Exchanges that usually quote in hundredths, for an instrument that was not yet fetched."""


@dataclass
class _Tally:
    """What has come for one symbol: charts, bars, and rows that meant to be bars and are none."""

    charts: list[Chart] = field(default_factory=list)
    rows: int = 0
    refused: int = 0


class YahooVendor:
    """Yahoo's bars: free, unofficial, split-adjusted, for personal use.

    Daily bars reach back to the listing, 1h bars two years, 5m and 15m bars 60 days, 1m bars 30
    days. FX days are London's.
    """

    capabilities = Capabilities(
        timeframes=(Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1),
        lookback=_LOOKBACK,
        request_span={Timeframe.M1: timedelta(days=7)},
        delay=PROFILE.delay,
    )

    def __init__(
        self,
        *,
        name: str = "yahoo",
        base_url: str = "",
        attempts: int = 3,
        timeout: float = 15.0,
        min_interval: float = 0.5,
        sleep: Callable[[float], None] = clock.sleep,
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
    ) -> None:
        """Take the options; yfinance is loaded at the first request.

        Args:
            name: under which it is configured.
            base_url: replaces Yahoo's own address, for a proxy or a test server.
            attempts: how often one question is put before its trouble counts.
            timeout: seconds until a request is given up.
            min_interval: seconds between two requests.
            sleep: waits that many seconds.
            gate: grants each request; None for no limits.
            claims: what a request takes of Yahoo's allowances, those for a cookie included.
        """
        self.name = name
        self._options = {
            "attempts": attempts,
            "timeout": timeout,
            "min_interval": min_interval,
            "sleep": sleep,
            "gate": gate,
            "claims": claims,
        } | ({"base_url": base_url} if base_url else {})
        self._units: dict[str, str] = {}

    @cached_property
    def _client(self) -> YahooClient:
        from adapters.vendors.yahoo.client import YahooClient

        return YahooClient(**self._options)  # type: ignore[arg-type]

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        """Split-adjusted, regular hours; FX as mid prices on London's day.

        The unit is the one that Yahoo's answer named; before the first answer about an instrument
        it is told from the suffix of its Yahoo symbol.
        """
        is_fx = instrument.asset_class is AssetClass.FX
        return Basis(
            adjustment=Adjustment.SPLITS,
            side=Side.MID if is_fx else Side.TRADE,
            unit=self._units.get(instrument.symbol) or self._usual_unit(instrument),
            day="Europe/London 00:00" if is_fx and not timeframe.is_intraday else "",
        )

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol and request span, the newest span first; see `market_data.ports.Vendor`.

        What would meet every other symbol too (too many requests, no access, no connection) ends
        the answer; anything else becomes the outcome of its symbol.
        """
        return each_symbol(request, self._fetch_symbol)

    def requests_for(self, request: FetchRequest) -> int:
        """How many charts a question takes: one per span, one more for what came after it.

        What yfinance asks once in a while for a cookie is counted when it is asked, not here.
        """
        return count_each(request, self._count)

    def _count(self, wanted: SymbolRequest, request: FetchRequest) -> int:
        spans = len(self._spans(request, self._first_instant(wanted, request)))
        return spans + _has_later_events(wanted, request)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        """The events after the range, then its spans from the newest to the oldest.

        Each chart comes with its own events, and after all later ones: whatever fails then, the
        bars that were handed over can be turned back into prices as traded, and the dividends into
        cash as paid.
        """
        first = self._first_instant(wanted, request)
        tally = _Tally()
        told = CORPORATE_ACTIONS.empty()
        spans: list[_Span | None] = [*reversed(self._spans(request, first))]
        if _has_later_events(wanted, request):
            spans.insert(0, None)
        for span in spans:
            answer = self._ask(wanted, request, span)
            try:
                result = self._read(answer, tally, wanted, request, span)
            except MalformedAnswerError:
                # What came is kept, whatever it turns out to be.
                yield FetchResult(payloads=[answer.payload])
                raise
            new = result.actions.join(told, on=told.columns, how="anti", maintain_order="left")
            told = pl.concat([told, new])
            yield replace(result, actions=new)
        yield FetchResult(outcomes={wanted.symbol: outcome_of(tally.rows, tally.refused)})

    def _ask(self, wanted: SymbolRequest, request: FetchRequest, span: _Span | None) -> ChartAnswer:
        """A span's bars and events, or the events between the range asked for and now.

        Yahoo divides every price by all splits until today, but an answer names those of its own
        range only; bars without the later ones could not be turned back into prices as traded.
        """
        if span is not None:
            interval, period = str(request.timeframe), _seconds(request, *span)
        else:
            start, end = request.end - _DAY, request.now + _DAY
            interval, period = _MONTHS, (int(start.timestamp()), int(end.timestamp()))
        return self._client.chart(wanted.vendor_symbol, interval, *period)

    def _read(
        self,
        answer: ChartAnswer,
        tally: _Tally,
        wanted: SymbolRequest,
        request: FetchRequest,
        span: _Span | None,
    ) -> FetchResult:
        """The bars of a span, and the actions of all charts so far; counted in the tally.

        Raises:
            MalformedAnswerError: the chart is about something else, or cannot be read.
        """
        if answer.chart is None:
            return FetchResult(payloads=[answer.payload])
        # Of months only the events are read, which have no length.
        check_about(
            answer.chart, wanted.vendor_symbol, None if span is None else str(request.timeframe)
        )
        tally.charts.append(answer.chart)
        actions, refused = read_actions(tally.charts, wanted.symbol, request.now)
        if span is None:
            return FetchResult(actions=actions, rejected=refused, payloads=[answer.payload])
        self._learn_unit(wanted, answer.chart)
        bars, rejected = read_bars(answer.chart, wanted, request.timeframe, *span)
        tally.rows += bars.height
        tally.refused += spoiled(rejected)
        return FetchResult(
            frame=bars,
            rejected=pl.concat([rejected, refused]),
            actions=actions,
            payloads=[answer.payload],
            begins=first_trade(answer.chart, wanted.symbol),
        )

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived charts again, see `market_data.ports.ReadsArchived`.

        A chart names its symbol and the length of its bars; those of others are passed over.

        Raises:
            MalformedAnswerError: a payload is no chart.
        """
        for content in contents:
            chart = read_answer(200, content)
            if chart is None or interval_of(chart) not in ("", str(request.timeframe)):
                continue
            asked = asked_for(chart, request.symbols)
            if asked is None:
                continue
            self._learn_unit(asked, chart)
            bars, rejected = read_bars(chart, asked, request.timeframe, request.start, request.end)
            yield FetchResult(frame=bars, rejected=rejected)

    def _spans(self, request: FetchRequest, first: datetime) -> list[_Span]:
        """The range from `first` on in questions that Yahoo takes, oldest first."""
        span = self.capabilities.request_span.get(request.timeframe, request.end - first)
        spans = []
        while first < request.end:
            end = min(first + span, request.end)
            spans.append((first, end))
            first = end
        return spans

    def _first_instant(self, wanted: SymbolRequest, request: FetchRequest) -> datetime:
        """Where to begin: the start asked for, or that of Yahoo's window.

        Raises:
            UnknownSymbolError: no Yahoo symbol can look like this.
            OutOfRangeError: Yahoo can never serve any of it.
        """
        if not _SYMBOL.match(wanted.vendor_symbol):
            raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no Yahoo symbol")
        if request.timeframe not in self.capabilities.timeframes:
            raise OutOfRangeError(f"Yahoo has no {request.timeframe} bars")
        window = self.capabilities.lookback.get(request.timeframe)
        if window is None:
            return request.start
        earliest = request.now - window + _EDGE
        if request.end <= earliest:
            raise OutOfRangeError(
                f"Yahoo serves {request.timeframe} bars of the last {window.days} days only, "
                f"from {earliest:%Y-%m-%d}"
            )
        return max(request.start, earliest)

    def _learn_unit(self, wanted: SymbolRequest, chart: Chart) -> None:
        if unit := currency_unit(chart):
            self._units[wanted.symbol] = unit

    def _usual_unit(self, instrument: Instrument) -> str:
        symbol = instrument.vendor_symbols.get(self.name, instrument.symbol)
        return next(
            (
                minor
                for (suffix, currency), minor in _MINOR_BY_SUFFIX.items()
                if symbol.endswith(suffix) and instrument.currency == currency
            ),
            instrument.currency,
        )


def _has_later_events(wanted: SymbolRequest, request: FetchRequest) -> bool:
    """Whether splits and dividends may have come after the range."""
    return wanted.instrument.asset_class.is_adjustable and request.end < request.now - _DAY


def _seconds(request: FetchRequest, start: datetime, end: datetime) -> tuple[int, int]:
    """Start and end of a question in seconds; a day more on both sides for daily bars.

    A daily bar is stamped with its exchange's opening or midnight, hours away from 00:00 UTC of
    its date.
    """
    if request.timeframe.is_intraday:
        return int(start.timestamp()), int(end.timestamp())
    first: date = start.date() - _DAY
    last: date = (end + _DAY - timedelta(microseconds=1)).date() + _DAY
    return tuple(int(datetime.combine(d, time(), UTC).timestamp()) for d in (first, last))  # type: ignore[return-value]
