"""The body of an answer as JSON, every number as the text that it was sent as.

What belongs here: from bytes to JSON values or a typed error, and one column of such values.
What does not: what a vendor's JSON means (the vendors).

Numbers stay texts, so that none is rounded, too long or "NaN" before somebody knows what it is. An
object that names a key twice is refused with all around it: a reader would keep one of two values
and never know of the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import NoneType
from typing import Any

import polars as pl

from adapters.vendors.http import Answer
from market_data.errors import MalformedAnswerError


class _RepeatedKeyError(ValueError):
    """An object names a key twice; which of its values is meant nobody knows."""


def parsed(answer: Answer, vendor: str) -> Any:
    """The JSON value that an answer holds.

    Args:
        answer: of any status.
        vendor: for messages.

    Raises:
        MalformedAnswerError: it is no JSON, nested too deep to be read, or names a key twice.
    """
    try:
        return exactly(answer.content)
    except _RepeatedKeyError as repeated:
        raise MalformedAnswerError(f"{vendor} sent JSON that {repeated}") from None
    except (ValueError, RecursionError):
        raise MalformedAnswerError(
            f"{vendor} sent no JSON (HTTP {answer.status}): {answer.text}"
        ) from None


def exactly(content: bytes) -> Any:
    """The JSON value of a text, every number as the text that it was sent as.

    Raises:
        ValueError: it is no JSON, or names a key twice.
        RecursionError: it is nested too deep to be read.
    """
    return json.loads(
        content,
        parse_float=str,
        parse_int=str,
        parse_constant=str,
        object_pairs_hook=each_key_once,
    )


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `object_pairs_hook`.

    Raises:
        ValueError: it names a key twice.
    """
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    twice = next(name for name in found if names.count(name) > 1)
    shown = twice[:60].encode("utf-8", "replace").decode("utf-8")
    raise _RepeatedKeyError(f"names {shown!r} twice in one object")


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
