"""Of which fields of a vendor's answers bars are made: those that its reader looks at."""

from __future__ import annotations

import json

import pytest

from adapters.vendors.registry import profile_of
from market_data.answer_shapes import shape_of

PRICES = {"open": "1.0", "high": "1.0", "low": "1.0", "close": "1.0"}
DAILY = {**PRICES, "adjusted close": "1", "volume": "1", "dividend amount": "0"}
CANDLE = {
    "complete": True,
    "volume": 7,
    "time": "2024-02-05T00:00:00.000000000Z",
    "spread": 3,
    "mid": {"o": "1", "h": "1", "l": "1", "c": "1", "vwap": "1"},
}
CHART = {
    "meta": {
        "currency": "USD",
        "symbol": "AAPL",
        "exchangeName": "NMS",
        "exchangeTimezoneName": "America/New_York",
        "dataGranularity": "1d",
        "firstTradeDate": 345479400,
        "regularMarketPrice": 1.0,
        "validRanges": ["1d"],
    },
    "timestamp": [1],
    "events": {
        "dividends": {"1": {"amount": 1.0, "date": 1}},
        "splits": {"1": {"date": 1, "numerator": 2, "denominator": 1, "splitRatio": "2:1"}},
        "capitalGains": {"1": {"amount": 1.0, "date": 1}},
    },
    "indicators": {
        "quote": [{name: [1.0] for name in (*PRICES, "volume", "vwap")}],
        "adjclose": [{"adjclose": [1.0]}],
    },
}
ANSWERS = {
    "yahoo": json.dumps({"chart": {"result": [CHART], "error": None}}).encode(),
    "oanda": json.dumps(
        {"instrument": "EUR_USD", "granularity": "H1", "candles": [CANDLE], "lastId": 1}
    ).encode(),
    "coinbase": json.dumps([[1, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]] * 2).encode(),
    "alpha_vantage": json.dumps(
        {
            "Meta Data": {"2. Symbol": "AAPL"},
            "Time Series (Daily)": {
                "2024-02-05": {f"{i}. {name}": text for i, (name, text) in enumerate(DAILY.items())}
                | {"8. split coefficient": "1.0", "9. vwap": "1.0"}
            },
        }
    ).encode(),
}
TABLE = (
    b"timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient,vwap,"
    b"time_zone\n2024-02-05,1,1,1,1,1,1,0,1.0,1,UTC\n"
)
UNREAD = {
    "yahoo": {
        "chart/error",
        "chart/result/*/meta/exchangeName",
        "chart/result/*/meta/regularMarketPrice",
        "chart/result/*/meta/validRanges",
        "chart/result/*/meta/validRanges/*",
        "chart/result/*/indicators/quote/*/vwap",
        "chart/result/*/indicators/quote/*/vwap/*",
        "chart/result/*/events/splits/*/splitRatio",
        "chart/result/*/events/capitalGains",
        "chart/result/*/events/capitalGains/*",
        "chart/result/*/events/capitalGains/*/amount",
        "chart/result/*/events/capitalGains/*/date",
    },
    "oanda": {"lastId", "candles/*/spread", "candles/*/mid/vwap"},
    "coinbase": {"*/place 6"},
    "alpha_vantage": {"Time Series (Daily)/*/9. vwap"},
}


def unread(reader: str, content: bytes) -> set[str]:
    """Fields of an answer of which, and of all below them, no bar is made."""
    fields, shape = profile_of(reader).fields, shape_of(content)
    assert fields is not None
    assert shape is not None
    read = [path for path in shape if fields.reads(path)]
    return {
        path
        for path in shape
        if path and not any(p == path or p.startswith(f"{path}/") for p in read)
    }


@pytest.mark.parametrize("reader", ANSWERS)
def test_bars_are_made_of_every_field_but_these(reader: str) -> None:
    assert unread(reader, ANSWERS[reader]) == UNREAD[reader]


def test_and_of_these_columns_of_a_table() -> None:
    assert unread("alpha_vantage", TABLE) == {"vwap", "time_zone"}


def test_the_zone_of_days_is_missed_when_it_is_gone() -> None:
    fields = profile_of("yahoo").fields
    assert fields is not None
    assert not fields.varies("chart/result/*/meta/exchangeTimezoneName")
    assert fields.varies("chart/result/*/meta/longName")
