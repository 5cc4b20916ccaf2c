"""What an answer of Coinbase's candles means: rows, or which kind of trouble.

What belongs here: from status and body to cells of text or a typed error.
What does not: which candles are asked for (vendor.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from adapters.vendors.cells import TIME, seconds_to_utc
from adapters.vendors.http import Answer
from adapters.vendors.json_body import parsed, text_column
from adapters.vendors.uniform_json import lists
from market_data.errors import MalformedAnswerError, UnknownSymbolError, VendorError

NAME = "Coinbase"
_COLUMNS = (TIME, "low", "high", "open", "close", "volume")
"""The order in which a candle lists its numbers; the time is its start in seconds."""
_NOTHING: tuple[None, ...] = (None,) * len(_COLUMNS)


def read_candles(answer: Answer) -> pl.DataFrame:
    """Candles as `read_cells` takes them, the newest first as they came.

    Raises:
        UnknownSymbolError: there is no such product.
        VendorError: itself for a question that Coinbase does not take.
        MalformedAnswerError: anything else that is no list of candles.
    """
    if answer.refuses_question:
        raise _refusal(answer)
    columns = _at_once(answer) if answer.status == 200 else None
    if columns is None:
        columns = _one_by_one(answer)
    cells = pl.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    return cells.with_columns(ts=seconds_to_utc(pl.col(TIME)))


def _at_once(answer: Answer) -> Sequence[pl.Series] | None:
    """The columns of candles that are lists of six numbers, all of them; None otherwise."""
    content = answer.content.strip(b" \t\r\n")
    if not content.startswith(b"[") or not content.endswith(b"]"):
        return None
    return lists(content[1:-1], len(_COLUMNS))


def _one_by_one(answer: Answer) -> Sequence[pl.Series]:
    """The columns of any list of candles; one that is none leaves a row of nothing."""
    body = parsed(answer, NAME)
    if answer.status != 200 or not isinstance(body, list):
        raise MalformedAnswerError(f"{NAME} (HTTP {answer.status}): {_message(body)}")
    rows = [r if isinstance(r, list) and len(r) == len(_COLUMNS) else _NOTHING for r in body]
    columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    return [text_column(name, column) for name, column in zip(_COLUMNS, columns, strict=True)]


def _refusal(answer: Answer) -> VendorError:
    try:
        said = _message(parsed(answer, NAME))
    except MalformedAnswerError:
        return VendorError(f"{NAME} (HTTP {answer.status}): {answer.text}")
    if answer.status == 404:
        return UnknownSymbolError(f"{NAME} knows no such product: {said}")
    return VendorError(f"{NAME} (HTTP {answer.status}): {said}")


def _message(body: Any) -> str:
    return str(body["message"] if isinstance(body, dict) and "message" in body else body)[:200]
