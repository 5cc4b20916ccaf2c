"""Alpha Vantage as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: outcomes per symbol and month, what a key is not given. What does not: which
questions are put (questions.py), what an answer means (answers.py) and is about (about.py), its
times (stamps.py), splits and dividends (actions.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from adapters.vendors.alpha_vantage import stamps
from adapters.vendors.alpha_vantage.about import refuse_other
from adapters.vendors.alpha_vantage.actions import told_actions
from adapters.vendors.alpha_vantage.answers import NAME, WholeHistoryRefusedError, read_answer
from adapters.vendors.alpha_vantage.profile import PROFILE
from adapters.vendors.alpha_vantage.questions import (
    INTERVALS,
    Adjusted,
    Question,
    questions,
    quote_of,
)
from adapters.vendors.alpha_vantage.series import Series
from adapters.vendors.archived import archived_answers
from adapters.vendors.cells import TIME, off_grid, read_cells, with_reason
from adapters.vendors.each_symbol import count_each, each_symbol
from adapters.vendors.http import Answer, Patience, Secrets, VendorHttp
from adapters.vendors.outcome import outcome_of
from market_data.basis import Adjustment, Basis, Side
from market_data.calendars import trading_sessions
from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    UnreachableError,
    VendorError,
)
from market_data.ports import (
    Capabilities,
    Claim,
    FetchRequest,
    FetchResult,
    Outcome,
    Payload,
    RequestGate,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

URL = "https://www.alphavantage.co"
_FX_DAY = "Asia/Singapore"
"""Whose day a daily bar of a currency covers, before an answer has told."""


_LISTED_LATELY = timedelta(days=7)
"""A first bar so soon after the day of listing is the first that there is."""


@dataclass
class _Tally:
    """What the answers about one symbol have come to so far."""

    rows: int = 0
    refused: int = 0
    lacks: str = ""
    troubles: list[tuple[Question, VendorError]] = field(default_factory=list)


class AlphaVantageVendor:
    """Alpha Vantage's bars: as traded unless asked otherwise, for a key with few requests a day.

    Daily bars of shares reach back twenty years and of currencies ten, intraday bars of shares to
    2000-01, month by month; intraday bars of currencies are the newest weeks. A free key gets the
    newest 100 daily bars and no intraday bars.
    """

    capabilities = Capabilities(
        timeframes=(*INTERVALS, Timeframe.D1),
        request_span=dict.fromkeys(INTERVALS, timedelta(days=31)),
        delay=PROFILE.delay,
    )

    def __init__(
        self,
        api_key: str,
        *,
        name: str = "alpha_vantage",
        base_url: str = URL,
        adjusted: Adjusted = False,
        label: Literal["", "start", "end"] = "",
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
        patience: Patience | None = None,
    ) -> None:
        """Take the options; nothing is sent yet.

        Args:
            api_key: of the account.
            name: under which it is configured.
            base_url: replaces Alpha Vantage's own address, for a proxy or a test server.
            adjusted: which bars of shares are asked for with splits and dividends, as a paid key
                may.
            label: which end of an intraday bar is stamped; empty to tell from each answer.
            gate: grants each request; None for no limits.
            claims: what a request takes of the account's allowances.
            patience: how long and how often to wait.
        """
        self.name = name
        secrets = Secrets(params={"apikey": api_key})
        self._http = VendorHttp(NAME, base_url, gate=gate, secrets=secrets, patience=patience)
        self._claims = tuple(claims)
        self._adjusted: Adjusted = adjusted
        self._label = label
        self._newest_only: set[str] = set()
        self._days: dict[str, str] = {}

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        """As traded, regular hours; currencies as mid prices, which of the sides nobody says.

        A daily bar of a currency covers a day of the zone that Alpha Vantage's answer named, and
        until then one of GMT+8; one of a coin a day of the zone that was named, and until then of
        UTC. London's shares are quoted in pence. Intraday bars of shares may have been asked for
        with all splits and dividends until the answer worked in.
        """
        is_share = instrument.asset_class is AssetClass.EQUITY
        total = is_share and timeframe.is_intraday and self._adjusted == "intraday"
        is_fx = instrument.asset_class is AssetClass.FX
        symbol = instrument.vendor_symbols.get(self.name, instrument.symbol)
        is_pair = is_fx or instrument.asset_class is AssetClass.CRYPTO
        quote = quote_of(symbol) if is_pair else ""
        pence = instrument.currency == "GBP" and symbol.endswith(".LON")
        zone = self._days.get(instrument.symbol, _FX_DAY if is_fx else "UTC")
        # The day of UTC is a coin's own session, and an answer about shares names no zone.
        is_foreign = is_fx or (instrument.asset_class is AssetClass.CRYPTO and zone != "UTC")
        return Basis(
            adjustment=Adjustment.TOTAL if total else Adjustment.RAW,
            side=Side.MID if is_fx else Side.TRADE,
            unit="GBp" if pence else quote or instrument.currency,
            day=f"{zone} 00:00" if is_foreign and not timeframe.is_intraday else "",
        )

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol, intraday ones by month from the newest; see `market_data.ports.Vendor`.

        What would meet every other symbol too (too many requests, no access, no connection) ends
        the answer; anything else becomes the outcome of its symbol.
        """
        return each_symbol(request, self._fetch_symbol)

    def requests_for(self, request: FetchRequest) -> int:
        """How many requests a question takes: one per month of intraday bars, one otherwise."""
        return count_each(
            request, lambda wanted, asked: len(questions(wanted, asked, adjusted=self._adjusted))
        )

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived answers again, see `market_data.ports.ReadsArchived`."""
        for wanted, answer in archived_answers(contents, request, NAME):
            series = read_answer(answer)
            refuse_other(_lasting(wanted, request), series)
            cells = self._dated(series, wanted, request.timeframe)
            bars, rejected = read_cells(cells, wanted, request.start, request.end)
            yield FetchResult(frame=bars, rejected=rejected)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        """Question by question: trouble with one month keeps nobody from asking for the others."""
        tally = _Tally()
        for question in questions(wanted, request, adjusted=self._adjusted):
            try:
                result = self._result(question, wanted, request, tally)
            except (RateLimitedError, UnauthorisedError, UnreachableError):
                raise
            except VendorError as trouble:
                if question.month is None:
                    raise
                tally.troubles.append((question, trouble))
            else:
                yield result
        yield FetchResult(outcomes={wanted.symbol: _outcome(tally, wanted)})

    def _result(
        self, question: Question, wanted: SymbolRequest, request: FetchRequest, tally: _Tally
    ) -> FetchResult:
        """What one question brings; counted in the tally."""
        series, payload, asked = self._ask(question)
        cells = self._dated(series, wanted, request.timeframe)
        bars, rejected = read_cells(cells, wanted, request.start, request.end)
        tally.rows += bars.height
        tally.refused += rejected.height
        actions, unbelieved = told_actions(cells, wanted.symbol, self.name, request.now)
        begins: dict[str, datetime] = {}
        oldest: datetime | None = cells["ts"].min()  # type: ignore[assignment]
        if oldest is not None and question.month is None:
            # A short answer proves nothing but by its own word: it may have been cut or limited. A
            # row whose time cannot be read may be the oldest.
            is_dated = cells["ts"].null_count() == 0
            if asked.is_whole and series.is_full and is_dated:
                begins = {wanted.symbol: oldest}
            elif asked.is_compact and _begins_late(oldest, wanted, request):
                who = "the key is given" if question.is_whole else "the answer holds"
                tally.lacks = f"{who} the newest bars only, from {oldest:%Y-%m-%d} on"
        return FetchResult(
            frame=bars,
            rejected=pl.concat([rejected, unbelieved]),
            actions=actions,
            payloads=[payload],
            begins=begins,
        )

    def _ask(self, question: Question) -> tuple[Series, Payload, Question]:
        """Table and payload, and the question that brought them: a free key may ask for less."""
        function = question.params["function"]
        if not question.is_whole or function not in self._newest_only:
            try:
                return *self._get(question), question
            except WholeHistoryRefusedError:
                if not question.is_whole:
                    raise
                self._newest_only.add(function)
        return *self._get(question.compact()), question.compact()

    def _get(self, question: Question) -> tuple[Series, Payload]:
        def read(answer: Answer) -> tuple[Series, Payload]:
            series = read_answer(answer)
            refuse_other(question.params, series)
            return series, answer.payload

        return self._http.get("/query", question.params, read, self._claims)

    def _dated(self, series: Series, wanted: SymbolRequest, timeframe: Timeframe) -> pl.DataFrame:
        """The cells with `ts`; currencies have no volume."""
        cells, time = series.cells, series.cells[TIME]
        kind = wanted.instrument.asset_class
        zone = stamps.zone_of(series.zone)
        if timeframe.is_intraday:
            ts = stamps.starts(time, timeframe, zone, week=kind is AssetClass.FX, label=self._label)
        else:
            ts = stamps.dates(time)
            self._days[wanted.symbol] = zone
        if kind is AssetClass.FX:
            cells = cells.drop("volume", strict=False)
        cells = cells.with_columns(ts)
        # Hours are those of a session, which begins at any half hour.
        step = min(timeframe.duration, timedelta(minutes=30))
        return with_reason(cells, "off_grid", off_grid(step)) if timeframe.is_intraday else cells


def _lasting(wanted: SymbolRequest, request: FetchRequest) -> dict[str, str]:
    """What every answer to a request is about, whatever part of it was asked for."""
    (asked, *_) = questions(wanted, request) or [Question({})]
    return {
        name: value for name, value in asked.params.items() if name not in ("outputsize", "month")
    }


def _begins_late(oldest: datetime, wanted: SymbolRequest, request: FetchRequest) -> bool:
    """Whether sessions before a symbol's oldest bar were asked for, and it was listed then."""
    listed = wanted.instrument.listed
    if oldest <= request.start or (listed is not None and oldest.date() <= listed + _LISTED_LATELY):
        return False
    before = oldest.date() - timedelta(days=1)
    missing = trading_sessions(wanted.instrument.calendar, request.start.date(), before)
    return not missing.is_empty()


def _outcome(tally: _Tally, wanted: SymbolRequest) -> SymbolOutcome:
    """One outcome of all questions; a month in trouble leaves the symbol to be asked again."""
    if tally.troubles:
        _, first = tally.troubles[0]
        told = "; ".join(_month_in_trouble(*each, wanted, tally) for each in tally.troubles)
        return replace(SymbolOutcome.of(first), detail=told)
    if tally.lacks and (tally.rows or not tally.refused):
        return SymbolOutcome(Outcome.REFUSED, f"{NAME}: {tally.lacks}")
    return outcome_of(tally.rows, tally.refused)


def _month_in_trouble(
    question: Question, trouble: VendorError, wanted: SymbolRequest, tally: _Tally
) -> str:
    year, month = question.month or (0, 0)
    if not isinstance(trouble, UnknownSymbolError) or not tally.rows:
        return f"{year}-{month:02}: {trouble}"
    # "Invalid call" has many reasons: nothing may be given up for it.
    return (
        f"{trouble}; it has other bars of {wanted.vendor_symbol}, and none of {year}-{month:02}: "
        "if it was not listed then, say so ('listed' in config/universe.yaml)"
    )
