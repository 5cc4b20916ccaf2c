"""FRED series as daily bars that have a close alone.

What belongs here: what it serves, what the value means, how it answers a request.
What does not: sending (client.py), reading rows (answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from adapters.vendors.archived import archived_answers
from adapters.vendors.cells import TIME, read_cells
from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.fred.answers import MISSING, day, is_decimal, texts
from adapters.vendors.fred.client import FredClient, read_body
from adapters.vendors.fred.cost import OBSERVATIONS_LIMIT
from adapters.vendors.fred.paging import Pages
from adapters.vendors.fred.profile import PROFILE
from adapters.vendors.outcome import outcome_of
from market_data.basis import Basis, Side
from market_data.errors import OutOfRangeError, UnknownSymbolError
from market_data.ports import (
    Capabilities,
    FetchRequest,
    FetchResult,
    SymbolRequest,
)
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

_SERIES = re.compile(r"^[A-Z0-9_]{1,40}$")
_MICROSECOND = timedelta(microseconds=1)
PATH, ROWS, KEY = "series/observations", "observations", ("date",)
"""What is asked for, where its rows are, and what no two of them share: one value a day."""


class FredVendor:
    """One value a day: an index's level, a noon rate, a spot price. Open, high and low repeat it.

    The basis says that it is a fixing (`Side.FIX`), so that such a bar is compared with no other
    vendor's, and taken only where no other vendor has any bar. A fetch brings the values as FRED
    gives them then; one that FRED changes later is a revision of the day on which that was seen.
    """

    def __init__(self, client: FredClient, name: str = "fred") -> None:
        """Prepare; nothing is asked yet.

        Args:
            client: asks.
            name: the vendor's in the universe.
        """
        self._client = client
        self.name = name
        self.capabilities = Capabilities(timeframes=(Timeframe.D1,), delay=PROFILE.delay)

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:  # noqa: ARG002
        """A fixing within the instrument's own session, in its currency."""
        return Basis(side=Side.FIX, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Bars by symbol; see `market_data.ports.Vendor`."""
        return each_symbol(request, self._fetch_symbol)

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """Read archived answers again, see `market_data.ports.ReadsArchived`."""
        pages: Pages | None = None
        for wanted, answer in archived_answers(contents, request, "FRED"):
            if pages is None or not pages.lacking:
                pages = Pages(PATH, {}, rows=ROWS, key=KEY, limit=OBSERVATIONS_LIMIT)
            pages.add(read_body(answer)[0])
            if not pages.lacking:
                cells = _cells(pages.whole())
                bars, rejected = read_cells(cells, wanted, request.start, request.end)
                yield FetchResult(frame=bars, rejected=rejected)
        if pages is not None:
            pages.whole()

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        if request.timeframe is not Timeframe.D1:
            raise OutOfRangeError(f"FRED has no {request.timeframe} bars")
        if not _SERIES.match(wanted.vendor_symbol):
            raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no FRED series")
        rows, payloads = self._client.pages(
            PATH,
            {
                "series_id": wanted.vendor_symbol,
                "observation_start": request.start.date().isoformat(),
                "observation_end": (request.end - _MICROSECOND).date().isoformat(),
                "sort_order": "asc",
            },
            rows=ROWS,
            key=KEY,
            limit=OBSERVATIONS_LIMIT,
        )
        bars, rejected = read_cells(_cells(rows), wanted, request.start, request.end)
        yield FetchResult(
            frame=bars,
            rejected=rejected,
            payloads=payloads,
            outcomes={wanted.symbol: outcome_of(bars.height, rejected.height)},
        )


def _cells(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The cells of bars, each value standing for every price; days without a value are left out.

    A value that is no plain decimal is put into words, since "1e5" would pass for a price.
    """
    told = texts(rows, "date", "value").filter(pl.col("value").ne_missing(pl.lit(MISSING)))
    value = pl.col("value")
    shown = pl.when(is_decimal("value") | (value == "")).then(value)
    price = shown.otherwise(pl.format("no decimal: {}", "value"))
    midnight = day("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    prices = (price.alias(name) for name in PRICES)
    return told.select(pl.col("date").alias(TIME), midnight.alias("ts"), *prices)
