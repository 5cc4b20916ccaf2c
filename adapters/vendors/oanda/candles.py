"""What an answer of OANDA's candles means: rows, or which kind of trouble.

What belongs here: from status and body to cells of text or a typed error.
What does not: which candles are asked for (vendor.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from adapters.vendors.cells import TIME, with_reason
from adapters.vendors.http import Answer
from adapters.vendors.instants import LATEST_MICROSECOND
from adapters.vendors.json_body import parsed, text_column
from adapters.vendors.uniform_json import Path, rows_under
from market_data.errors import MalformedAnswerError, UnknownSymbolError, VendorError

NAME = "OANDA"
_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}
_IS_COMPLETE = "complete"


@dataclass(frozen=True)
class Asked:
    """What an answer has to be about.

    Attributes:
        instrument: as OANDA writes it.
        granularity: as OANDA writes it.
    """

    instrument: str
    granularity: str


def read_candles(
    answer: Answer, asked: Asked | None = None, *, prices: str = "mid"
) -> pl.DataFrame:
    """Finished candles as `read_cells` takes them; `trades` counts the changes of the price.

    A candle that is not complete is left out: its period runs, or its last prices are on the way.
    One that does not say so, or in another form than true and false, is refused.

    Args:
        answer: of any status.
        asked: what it has to be about; None where nobody knows.
        prices: which of its prices: mid, bid or ask.

    Raises:
        UnknownSymbolError: there is no such instrument.
        VendorError: itself for a question that OANDA does not take.
        MalformedAnswerError: anything else that is no list of candles, or one of something else.
    """
    if answer.refuses_question:
        raise _refusal(answer)
    found = _at_once(answer, prices) if answer.status == 200 else None
    body, cells = found or _one_by_one(answer, prices)
    if asked is not None:
        _refuse_other(asked, body)
    complete = pl.col(_IS_COMPLETE)
    cells = cells.filter(complete.ne_missing(other=False)).with_columns(ts=_instant(pl.col(TIME)))
    return with_reason(
        cells.drop(_IS_COMPLETE), "bad_complete", pl.lit(cells[_IS_COMPLETE].is_null())
    )


def _at_once(answer: Answer, prices: str) -> tuple[Mapping[str, Any], pl.DataFrame] | None:
    """The answer without its candles, and these, where all are written alike; None otherwise."""
    read = rows_under(answer.content, b"candles")
    if read is None:
        return None
    body, columns = read
    paths: dict[str, Path] = {name: (prices, key) for name, key in _PRICES.items()}
    paths |= {TIME: ("time",), "trades": ("volume",), _IS_COMPLETE: (_IS_COMPLETE,)}
    found = {name: columns.get(path) for name, path in paths.items()}
    cells = {name: column for name, column in found.items() if column is not None}
    types = {name: column.dtype == pl.Boolean for name, column in cells.items()}
    if types != {name: name == _IS_COMPLETE for name in found}:
        return None
    return body, pl.DataFrame(cells).select(TIME, *_PRICES, "trades", _IS_COMPLETE)


def _one_by_one(answer: Answer, prices: str) -> tuple[Mapping[str, Any], pl.DataFrame]:
    """The answer, and its candles; whether one is complete is null where it does not say so."""
    body = parsed(answer, NAME)
    candles = body.get("candles") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(candles, list):
        raise MalformedAnswerError(f"{NAME} (HTTP {answer.status}): {_message(body)}")
    rows = [c if isinstance(c, dict) else {} for c in candles]
    quoted = [c[prices] if isinstance(c.get(prices), dict) else {} for c in rows]
    columns = [text_column(TIME, [c.get("time") for c in rows])]
    columns += [
        text_column(name, [quote.get(key) for quote in quoted]) for name, key in _PRICES.items()
    ]
    columns.append(text_column("trades", [c.get("volume") for c in rows]))
    said = [c.get(_IS_COMPLETE) for c in rows]
    complete = [value if isinstance(value, bool) else None for value in said]
    columns.append(pl.Series(_IS_COMPLETE, complete, dtype=pl.Boolean))
    return body, pl.DataFrame(columns)


def _refusal(answer: Answer) -> VendorError:
    try:
        said = f"{NAME} (HTTP {answer.status}): {_message(parsed(answer, NAME))}"
    except MalformedAnswerError:
        return VendorError(f"{NAME} (HTTP {answer.status}): {answer.text}")
    is_unknown = answer.status in (400, 404) and "instrument" in said
    return UnknownSymbolError(said) if is_unknown else VendorError(said)


def _refuse_other(asked: Asked, body: Mapping[str, Any]) -> None:
    for name, wanted in (("instrument", asked.instrument), ("granularity", asked.granularity)):
        if body.get(name) != wanted:
            said = str(body.get(name, "none that it names"))[:60]
            raise MalformedAnswerError(
                f"{NAME} was asked for the {name} {wanted}, and answers about {said}"
            )


def _instant(text: pl.Expr) -> pl.Expr:
    """Times like 2014-05-01T21:00:00.000000000Z; null for anything else."""
    found = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    known = pl.when(found.dt.epoch("us").is_between(0, LATEST_MICROSECOND)).then(found)
    return known.dt.replace_time_zone("UTC")


def _message(body: Any) -> str:
    said = body.get("errorMessage") if isinstance(body, dict) else None
    return str(said or body)[:200]
