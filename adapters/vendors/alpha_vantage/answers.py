"""What an answer of Alpha Vantage means: a table, or which kind of trouble.

What belongs here: from status and body to a table or a typed error. Alpha Vantage refuses with
status 200 and a sentence under "Note", "Information" or "Error Message", also where CSV was asked
for. What does not: reading the table (series.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from adapters.vendors.alpha_vantage.series import (
    Series,
    cells_at_once,
    csv_series,
    json_series,
)
from adapters.vendors.http import Answer
from adapters.vendors.json_body import parsed
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    VendorError,
    VendorUnavailableError,
)

NAME = "Alpha Vantage"
_TOO_MANY = re.compile(
    r"rate limit is|requests? per (second|minute|day)|call frequency|calls per|sparingly",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(
    r"api ?key|premium|entitle|subscri|not (authori[sz]ed|allowed|permitted)|forbidden",
    re.IGNORECASE,
)
"""What it says where a key is missing, wrong, or not enough."""
_SENTENCES = ("error message", "information", "note", "message", "detail")
"""Keys of an answer that holds a sentence in place of data, in small letters."""
_PAUSES = (("per second", 1.0), ("per minute", 60.0))
_NEXT_DAY = 3600.0
"""Seconds after which a day's limit is tried again; nobody tells when the day begins."""


class WholeHistoryRefusedError(UnauthorisedError):
    """The key may ask, but not for more than the newest 100 rows."""


def read_answer(answer: Answer) -> Series:
    """The table of an answer.

    Raises:
        RateLimitedError: too many requests a second, a minute or a day.
        WholeHistoryRefusedError: the key is given the newest rows only.
        UnauthorisedError: a wrong key, or a question that its plan does not cover.
        UnknownSymbolError: Alpha Vantage calls the question invalid.
        VendorUnavailableError: any other sentence in place of data, as about maintenance.
        VendorError: itself where HTTP refuses the question.
        MalformedAnswerError: neither a table nor a sentence of these kinds.
    """
    if answer.refuses_question:
        raise VendorError(f"{NAME} (HTTP {answer.status}): {answer.text}")
    if answer.status != 200:
        raise MalformedAnswerError(f"{NAME} (HTTP {answer.status}): {answer.text}")
    if not answer.content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return csv_series(answer)
    body, cells = cells_at_once(answer.content) or (_mapping(parsed(answer, NAME)), None)
    said = {key.casefold(): value for key, value in body.items()}
    for key in _SENTENCES:
        if key in said:
            _refuse(key, str(said[key])[:400])
    return json_series(body, cells)


def _mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise MalformedAnswerError(f"{NAME} sent JSON that is no object")
    return body


def _refuse(key: str, words: str) -> NoReturn:
    said = f"{NAME}: {words}"
    if key == "error message":
        if "apikey" in words.lower():
            raise UnauthorisedError(said)
        raise UnknownSymbolError(said)
    # The sentence about the limit praises premium plans too, so it is looked for first.
    if key == "note" or _TOO_MANY.search(words):
        raise RateLimitedError(said, retry_after=_pause(words))
    if "outputsize" in words and "premium" in words:
        raise WholeHistoryRefusedError(said)
    if _NO_ACCESS.search(words):
        raise UnauthorisedError(said)
    raise VendorUnavailableError(said)


def _pause(words: str) -> float:
    """Seconds until the shortest limit that the sentence names is over."""
    return next((seconds for name, seconds in _PAUSES if name in words), _NEXT_DAY)
