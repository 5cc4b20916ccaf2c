"""Yahoo as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: the order of a request's questions, outcomes per symbol.
What does not: which questions a request takes (spans.py), sending and retrying (client.py), reading
an answer (chart.py).
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
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
from adapters.vendors.yahoo.spans import (
    LOOKBACK,
    REQUEST_SPAN,
    TIMEFRAMES,
    Span,
    has_later_events,
    seconds_after,
    seconds_of,
    spans_of,
)
from market_data.basis import Adjustment, Basis, Side
from market_data.errors import MalformedAnswerError
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

_MONTHS = "1mo"
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
        timeframes=TIMEFRAMES,
        lookback=LOOKBACK,
        request_span=REQUEST_SPAN,
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
        """How many charts a question takes: one per span, one more for what came long after it.

        What yfinance asks once in a while for a cookie is counted when it is asked, not here.
        """
        return count_each(request, self._count)

    def _count(self, wanted: SymbolRequest, request: FetchRequest) -> int:
        return len(spans_of(wanted, request)) + has_later_events(wanted, request)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        """The events after the range, then its spans from the newest to the oldest.

        Each chart comes with its own events, and after all later ones: whatever fails then, the
        bars that were handed over can be turned back into prices as traded, and the dividends into
        cash as paid.
        """
        spans: list[Span | None] = [*reversed(spans_of(wanted, request))]
        tally = _Tally()
        told = CORPORATE_ACTIONS.empty()
        if has_later_events(wanted, request):
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

    def _ask(self, wanted: SymbolRequest, request: FetchRequest, span: Span | None) -> ChartAnswer:
        """A span's bars and events, or the events between the range asked for and now.

        Yahoo divides every price by all splits until today, but an answer names those of its own
        range only; bars without the later ones could not be turned back into prices as traded.
        """
        if span is not None:
            interval, period = str(request.timeframe), seconds_of(wanted, request, span)
        else:
            interval, period = _MONTHS, seconds_after(request)
        return self._client.chart(wanted.vendor_symbol, interval, *period)

    def _read(
        self,
        answer: ChartAnswer,
        tally: _Tally,
        wanted: SymbolRequest,
        request: FetchRequest,
        span: Span | None,
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
