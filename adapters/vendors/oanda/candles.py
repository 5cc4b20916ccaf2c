"""What an answer of OANDA's candles means: rows, or which kind of trouble.

What belongs here: from status and body to cells of text or a typed error.
What does not: which candles are asked for (vendor.py).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from adapters.vendors.cells import TIME
from adapters.vendors.http import Answer
from adapters.vendors.instants import LATEST_MICROSECOND
from adapters.vendors.json_body import parsed, text_column
from market_data.errors import MalformedAnswerError, UnknownSymbolError

NAME = "OANDA"
_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}


def read_candles(answer: Answer) -> pl.DataFrame:
    """Finished candles as `read_cells` takes them; `trades` counts the changes of the price.

    A candle that is not complete is left out: its period runs, or its last prices are on the way.

    Raises:
        UnknownSymbolError: there is no such instrument.
        MalformedAnswerError: anything else that is no list of candles.
    """
    body = parsed(answer, NAME)
    candles = body.get("candles") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(candles, list):
        said = f"{NAME} (HTTP {answer.status}): {_message(body)}"
        if answer.status in (400, 404) and "instrument" in said:
            raise UnknownSymbolError(said)
        raise MalformedAnswerError(said)
    listed = [c if isinstance(c, dict) else {} for c in candles]
    rows = [c for c in listed if c.get("complete") is not False]
    mids = [c["mid"] if isinstance(c.get("mid"), dict) else {} for c in rows]
    columns = [text_column(TIME, [c.get("time") for c in rows])]
    columns += [text_column(name, [mid.get(key) for mid in mids]) for name, key in _PRICES.items()]
    columns.append(text_column("trades", [c.get("volume") for c in rows]))
    return pl.DataFrame(columns).with_columns(ts=_instant(pl.col(TIME)))


def _instant(text: pl.Expr) -> pl.Expr:
    """Times like 2014-05-01T21:00:00.000000000Z; null for anything else."""
    found = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    known = pl.when(found.dt.epoch("us").is_between(0, LATEST_MICROSECOND)).then(found)
    return known.dt.replace_time_zone("UTC")


def _message(body: Any) -> str:
    said = body.get("errorMessage") if isinstance(body, dict) else None
    return str(said or body)[:200]
