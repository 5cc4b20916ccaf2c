"""What each reader's vendor lets this installation ask, by its settings.

What belongs here: per reader, the windows that all of its requests share; asking loads no reader.
What does not: who counts (adapters/requests), limits that concern one contract or one question
alone, which the adapter claims by a subject of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from adapters.variables import read
from adapters.vendors.settings import (
    AlphaVantageSettings,
    CoinbaseSettings,
    FredSettings,
    OandaSettings,
    YahooSettings,
)
from market_data.ports import Allowance, Claim

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

TWS_TEN_MINUTES = Allowance("10 minutes", 60, timedelta(minutes=10))
"""Historical requests of one user. One for BID_ASK costs two."""
TWS_SAME_CONTRACT = Allowance("2 seconds of one contract", 5, timedelta(seconds=2))
"""The sixth for one contract, exchange and tick type is refused; the subject names these."""
TWS_SAME_REQUEST = Allowance("15 seconds of one request", 1, timedelta(seconds=15))
"""An identical request is refused; the subject names the request."""


def _alpha_vantage() -> tuple[Allowance, ...]:
    found = read(AlphaVantageSettings)
    minute = Allowance(
        "minute", found.requests_per_minute, MINUTE, "ALPHA_VANTAGE_REQUESTS_PER_MINUTE"
    )
    if not found.requests_per_day:
        return (minute,)
    return minute, Allowance("day", found.requests_per_day, DAY, "ALPHA_VANTAGE_REQUESTS_PER_DAY")


def _fred() -> tuple[Allowance, ...]:
    found = read(FredSettings)
    return (Allowance("minute", found.requests_per_minute, MINUTE, "FRED_REQUESTS_PER_MINUTE"),)


def _coinbase() -> tuple[Allowance, ...]:
    found = read(CoinbaseSettings)
    return (Allowance("second", found.requests_per_second, SECOND, "COINBASE_REQUESTS_PER_SECOND"),)


def _oanda() -> tuple[Allowance, ...]:
    found = read(OandaSettings)
    return (Allowance("second", found.requests_per_second, SECOND, "OANDA_REQUESTS_PER_SECOND"),)


def _tws() -> tuple[Allowance, ...]:
    return (TWS_TEN_MINUTES,)


def _yahoo() -> tuple[Allowance, ...]:
    found = read(YahooSettings)
    return (
        Allowance("minute", found.requests_per_minute, MINUTE, "YAHOO_REQUESTS_PER_MINUTE"),
        Allowance("hour", found.requests_per_hour, HOUR, "YAHOO_REQUESTS_PER_HOUR"),
    )


_ALLOWANCES: dict[str, Callable[[], tuple[Allowance, ...]]] = {
    "alpha_vantage": _alpha_vantage,
    "coinbase": _coinbase,
    "fred": _fred,
    "oanda": _oanda,
    "tws": _tws,
    "yahoo": _yahoo,
}


def allowances_of(reader: str) -> tuple[Allowance, ...]:
    """The windows that all requests of a reader share, the shortest first; none for files.

    Raises:
        ConfigurationError: a setting of the reader is wrong.
    """
    return _ALLOWANCES[reader]() if reader in _ALLOWANCES else ()


def claims_of(reader: str, cost: int = 1) -> tuple[Claim, ...]:
    """What one request takes of each of these windows.

    Args:
        reader: whose.
        cost: how many requests it counts as.

    Raises:
        ConfigurationError: a setting of the reader is wrong.
    """
    return tuple(Claim(allowance, cost=cost) for allowance in allowances_of(reader))
