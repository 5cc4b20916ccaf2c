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
    body = parsed(answer, NAME)
    candles = body.get("candles") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(candles, list):
        raise MalformedAnswerError(f"{NAME} (HTTP {answer.status}): {_message(body)}")
    if asked is not None:
        _refuse_other(asked, body)
    listed = [c if isinstance(c, dict) else {} for c in candles]
    rows = [c for c in listed if c.get(_IS_COMPLETE) is not False]
    quoted = [c[prices] if isinstance(c.get(prices), dict) else {} for c in rows]
    columns = [text_column(TIME, [c.get("time") for c in rows])]
    columns += [
        text_column(name, [quote.get(key) for quote in quoted]) for name, key in _PRICES.items()
    ]
    columns.append(text_column("trades", [c.get("volume") for c in rows]))
    cells = pl.DataFrame(columns).with_columns(ts=_instant(pl.col(TIME)))
    unsure = pl.Series([c.get(_IS_COMPLETE) is not True for c in rows], dtype=pl.Boolean)
    return with_reason(cells, "bad_complete", pl.lit(unsure))


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
