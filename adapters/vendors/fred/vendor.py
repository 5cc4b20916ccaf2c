"""FRED series as daily bars that have a close alone.

What belongs here: what it serves, what the value means, how it answers a request.
What does not: sending (client.py), reading rows (answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from adapters.vendors.cells import TIME, read_cells
from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.fred.answers import MISSING, day, texts
from adapters.vendors.fred.client import FredClient
from adapters.vendors.fred.profile import PROFILE
from adapters.vendors.fred.source import OBSERVATIONS_LIMIT
from market_data.basis import Basis, Side
from market_data.errors import OutOfRangeError, UnknownSymbolError
from market_data.ports import (
    Capabilities,
    FetchRequest,
    FetchResult,
    Outcome,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

_SERIES = re.compile(r"^[A-Z0-9_]{1,40}$")
_MICROSECOND = timedelta(microseconds=1)


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

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        if request.timeframe is not Timeframe.D1:
            raise OutOfRangeError(f"FRED has no {request.timeframe} bars")
        if not _SERIES.match(wanted.vendor_symbol):
            raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no FRED series")
        rows, payloads = self._client.pages(
            "series/observations",
            {
                "series_id": wanted.vendor_symbol,
                "observation_start": request.start.date().isoformat(),
                "observation_end": (request.end - _MICROSECOND).date().isoformat(),
                "sort_order": "asc",
            },
            rows="observations",
            limit=OBSERVATIONS_LIMIT,
        )
        told = texts(rows, "date", "value").filter(pl.col("value").ne_missing(pl.lit(MISSING)))
        midnight = day("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        prices = (pl.col("value").alias(price) for price in PRICES)
        bars, rejected = read_cells(
            told.select(pl.col("date").alias(TIME), midnight.alias("ts"), *prices),
            wanted,
            request.start,
            request.end,
        )
        outcome = Outcome.NOTHING if bars.is_empty() else Outcome.ROWS
        yield FetchResult(
            frame=bars,
            rejected=rejected,
            payloads=payloads,
            outcomes={wanted.symbol: SymbolOutcome(outcome)},
        )
