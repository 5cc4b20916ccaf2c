"""Which questions a wish becomes.

What belongs here: function and parameters per asset class and timeframe, months of history, what
Alpha Vantage does not serve. What does not: sending (vendor.py).

Answers are asked for as JSON. CSV is shorter, but names neither its symbol nor its interval, and
one that was cut between two lines looks whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from adapters.vendors.alpha_vantage.stamps import NEW_YORK
from market_data.errors import OutOfRangeError, UnknownSymbolError
from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

INTERVALS = {
    Timeframe.M1: "1min",
    Timeframe.M5: "5min",
    Timeframe.M15: "15min",
    Timeframe.M30: "30min",
    Timeframe.H1: "60min",
}
Adjusted = bool | Literal["intraday"]
"""Which bars of shares come with splits and dividends: with True the daily ones, which tell them
beside prices as traded; with "intraday" the intraday ones, whose prices carry them."""
_COMPACT_DAYS = timedelta(days=90)
"""A range that begins so short a time ago lies within the newest 100 daily rows (the most
that outputsize=compact answers), weekends included."""
_FIRST_MONTH = (2000, 1)
_SHARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,23}")
_PAIR = re.compile(r"([A-Za-z0-9]{2,10})/([A-Za-z]{3,5})")


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        params: of its query, without the key.
        month: the month that it is about; None for the newest rows.
    """

    params: Mapping[str, str]
    month: tuple[int, int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it asks for all that there is."""
        return self.params.get("outputsize") == "full"

    @property
    def is_compact(self) -> bool:
        """Whether it asks for the newest 100 rows."""
        return self.params.get("outputsize") == "compact"

    def compact(self) -> Question:
        """The same about the newest 100 rows."""
        return Question({**self.params, "outputsize": "compact"}, self.month)


def questions(
    wanted: SymbolRequest, request: FetchRequest, *, adjusted: Adjusted = False
) -> list[Question]:
    """The requests that bring a range, the newest first.

    Args:
        wanted: whose bars.
        request: the range.
        adjusted: which bars of shares are asked for with splits and dividends.

    Raises:
        OutOfRangeError: Alpha Vantage has no such bars at all, or none of this age.
        UnknownSymbolError: no symbol of Alpha Vantage can look like this.
    """
    kind, timeframe = wanted.instrument.asset_class, request.timeframe
    names = _names(wanted)
    if timeframe is Timeframe.D1:
        size = "compact" if request.start >= request.now - _COMPACT_DAYS else "full"
        if kind is AssetClass.CRYPTO:
            return [Question({"function": "DIGITAL_CURRENCY_DAILY", **names})]
        function = {AssetClass.FX: "FX_DAILY"}.get(kind, "TIME_SERIES_DAILY")
        function += "_ADJUSTED" if adjusted is True and kind is AssetClass.EQUITY else ""
        return [Question({"function": function, **names, "outputsize": size})]
    if timeframe not in INTERVALS or kind is AssetClass.CRYPTO:
        raise OutOfRangeError(f"Alpha Vantage has no {timeframe} bars of {kind}")
    sized = {"interval": INTERVALS[timeframe], **names, "outputsize": "full"}
    if kind is AssetClass.FX:
        return [Question({"function": "FX_INTRADAY", **sized})]
    asked = {"function": "TIME_SERIES_INTRADAY", **sized, "extended_hours": "false"}
    # Alpha Vantage adjusts where nothing is said.
    asked["adjusted"] = "true" if adjusted == "intraday" else "false"
    return [
        Question({**asked, "month": f"{year}-{month:02}"}, (year, month))
        for year, month in _months(request)
    ]


def _names(wanted: SymbolRequest) -> dict[str, str]:
    symbol, kind = wanted.vendor_symbol, wanted.instrument.asset_class
    if kind is AssetClass.EQUITY:
        if not _SHARE.fullmatch(symbol):
            raise UnknownSymbolError(f"{symbol!r} is no share at Alpha Vantage")
        return {"symbol": symbol}
    if kind not in (AssetClass.FX, AssetClass.CRYPTO):
        raise OutOfRangeError(f"Alpha Vantage serves no {kind} here")
    pair = _PAIR.fullmatch(symbol)
    if pair is None:
        raise UnknownSymbolError(f"{symbol!r} is no pair at Alpha Vantage, like EUR/USD")
    if kind is AssetClass.FX:
        return {"from_symbol": pair[1], "to_symbol": pair[2]}
    return {"symbol": pair[1], "market": pair[2]}


def quote_of(symbol: str) -> str:
    """The currency in which a pair is quoted; empty for what is none."""
    pair = _PAIR.fullmatch(symbol)
    return pair[2].upper() if pair else ""


def _months(request: FetchRequest) -> list[tuple[int, int]]:
    """Months of New York that the range touches, the newest first."""
    zone = ZoneInfo(NEW_YORK)
    last = min(request.end - timedelta(microseconds=1), request.now).astimezone(zone)
    first = max(
        (request.start.astimezone(zone).year, request.start.astimezone(zone).month), _FIRST_MONTH
    )
    year, month = last.year, last.month
    found = []
    while (year, month) >= first:
        found.append((year, month))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    if not found and request.start <= request.now:
        raise OutOfRangeError("Alpha Vantage serves intraday bars from 2000-01 on")
    return found
