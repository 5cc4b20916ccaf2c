"""Alpha Vantage as a vendor: what it serves, what its prices mean, how it answers a request.

What belongs here: outcomes per symbol, what a key is not given, corporate actions of the adjusted
series. What does not: which questions are put (questions.py), what an answer means (answers.py),
its times (stamps.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from adapters.vendors.alpha_vantage import stamps
from adapters.vendors.alpha_vantage.answers import NAME, WholeHistoryRefusedError, read_answer
from adapters.vendors.alpha_vantage.profile import PROFILE
from adapters.vendors.alpha_vantage.questions import (
    INTERVALS,
    MOST_COMPACT,
    Question,
    questions,
)
from adapters.vendors.alpha_vantage.series import Series
from adapters.vendors.archived import archived_answers
from adapters.vendors.cells import TIME, read_cells
from adapters.vendors.each_symbol import count_each, each_symbol
from adapters.vendors.http import Answer, Patience, Secrets, VendorHttp
from market_data.basis import Basis, Side
from market_data.errors import UnknownSymbolError
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
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

URL = "https://www.alphavantage.co"
_NEUTRAL = {"split": 1.0, "dividend": 0.0}
"""What the adjusted series says of a day on which nothing happens."""
_FX_DAY = "Asia/Singapore"
"""Whose day a daily bar of a currency covers, before an answer has told."""


class AlphaVantageVendor:
    """Alpha Vantage's bars: as traded, for a key with few requests a day.

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
        adjusted: bool = False,
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
            adjusted: ask for daily bars of shares with splits and dividends, which a paid key may.
            label: which end of an intraday bar is stamped; empty to tell from each answer.
            gate: grants each request; None for no limits.
            claims: what a request takes of the account's allowances.
            patience: how long and how often to wait.
        """
        self.name = name
        secrets = Secrets(params={"apikey": api_key})
        self._http = VendorHttp(NAME, base_url, gate=gate, secrets=secrets, patience=patience)
        self._claims = tuple(claims)
        self._adjusted = adjusted
        self._label = label
        self._newest_only: set[str] = set()
        self._days: dict[str, str] = {}

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        """As traded, regular hours; currencies as mid prices, which of the sides nobody says.

        A daily bar of a currency covers a day of the zone that Alpha Vantage's answer named, and
        until then one of GMT+8; one of a coin a day of the zone that was named, and until then of
        UTC. London's shares are quoted in pence.
        """
        is_fx = instrument.asset_class is AssetClass.FX
        symbol = instrument.vendor_symbols.get(self.name, instrument.symbol)
        pence = instrument.currency == "GBP" and symbol.endswith(".LON")
        zone = self._days.get(instrument.symbol, _FX_DAY if is_fx else "UTC")
        # The day of UTC is a coin's own session, and an answer about shares names no zone.
        is_foreign = is_fx or (instrument.asset_class is AssetClass.CRYPTO and zone != "UTC")
        return Basis(
            side=Side.MID if is_fx else Side.TRADE,
            unit="GBp" if pence else instrument.currency,
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
            cells = self._dated(read_answer(answer), wanted, request.timeframe)
            bars, rejected = read_cells(cells, wanted, request.start, request.end)
            yield FetchResult(frame=bars, rejected=rejected)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        rows, lacks = 0, ""
        for question in questions(wanted, request, adjusted=self._adjusted):
            try:
                series, payload, asked = self._ask(question)
            except UnknownSymbolError as trouble:
                if question.month is None or not rows:
                    raise
                # "Invalid call" has many reasons: nothing older may be given up for it.
                year, month = question.month
                raise UnknownSymbolError(
                    f"{trouble}; it has newer bars of {wanted.vendor_symbol}, and none of "
                    f"{year}-{month:02}: if it was not listed then, say so ('listed' in "
                    "config/universe.yaml)"
                ) from trouble
            cells = self._dated(series, wanted, request.timeframe)
            bars, rejected = read_cells(cells, wanted, request.start, request.end)
            rows += bars.height
            oldest: datetime | None = cells["ts"].min()  # type: ignore[assignment]
            begins = {}
            if oldest is not None and question.month is None:
                if not asked.is_compact or cells.height < MOST_COMPACT:
                    begins = {wanted.symbol: oldest}
                elif oldest > request.start:
                    lacks = f"the key is given the newest bars only, from {oldest:%Y-%m-%d} on"
            yield FetchResult(
                frame=bars,
                rejected=rejected,
                actions=_actions(cells, wanted.symbol, self.name, request.now),
                payloads=[payload],
                begins=begins,
            )
        outcome = SymbolOutcome(Outcome.ROWS if rows else Outcome.NOTHING)
        if lacks:
            outcome = SymbolOutcome(Outcome.REFUSED, f"{NAME}: {lacks}")
        yield FetchResult(outcomes={wanted.symbol: outcome})

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
            return read_answer(answer), answer.payload

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
        return cells.with_columns(ts)


def _actions(cells: pl.DataFrame, symbol: str, source: str, now: datetime) -> pl.DataFrame:
    """Splits and dividends of the adjusted series, rows of CORPORATE_ACTIONS.

    Dividends are cash as paid. `known_at` is the ex-date at 00:00 UTC, assumed.
    """
    kinds = [kind for kind in _NEUTRAL if kind in cells.columns]
    if not kinds:
        return CORPORATE_ACTIONS.empty()
    found = [
        cells.select(
            pl.lit(symbol).alias("symbol"),
            pl.col("ts").dt.date().alias("ex_date"),
            pl.lit(kind).alias("kind"),
            pl.col(kind).cast(pl.Float64, strict=False).alias("value"),
            pl.lit(source).alias("source"),
            pl.min_horizontal("ts", pl.lit(now)).alias("known_at"),
        ).filter((pl.col("value") != _NEUTRAL[kind]) & (pl.col("value") > 0))
        for kind in kinds
    ]
    told = pl.concat(found).filter(pl.col("value").is_finite(), pl.col("ex_date").is_not_null())
    return CORPORATE_ACTIONS.conform(told.unique(["ex_date", "kind"]).sort("ex_date", "kind"))
