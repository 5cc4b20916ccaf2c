"""The body of an answer as JSON, every number as the text that it was sent as.

What belongs here: from bytes to JSON values or a typed error, and one column of such values.
What does not: what a vendor's JSON means (the vendors).

Numbers stay texts, so that none is rounded, too long or "NaN" before somebody knows what it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import NoneType
from typing import Any

import polars as pl

from adapters.vendors.http import Answer
from market_data.errors import MalformedAnswerError


def parsed(answer: Answer, vendor: str) -> Any:
    """The JSON value that an answer holds.

    Args:
        answer: of any status.
        vendor: for messages.

    Raises:
        MalformedAnswerError: it is no JSON, or nested too deep to be read.
    """
    try:
        return json.loads(answer.content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise MalformedAnswerError(
            f"{vendor} sent no JSON (HTTP {answer.status}): {answer.text}"
        ) from None


def text_column(name: str, values: Sequence[object]) -> pl.Series:
    """Values of JSON as texts; what is neither text nor number nor null becomes its kind in <>.

    Args:
        name: of the column.
        values: as `parsed` gives them.
    """
    # Polars is not left to find out: a list nested fifty times deep keeps it busy for minutes.
    if not set(map(type, values)) <= {str, NoneType}:
        values = [_text(value) for value in values]
    try:
        return pl.Series(name, values, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        # Half of a surrogate pair is a text in JSON and in Python, and nowhere else.
        return value.encode("utf-8", "replace").decode("utf-8")
    return f"<{type(value).__name__}>"
