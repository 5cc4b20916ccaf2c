"""What an answer of Yahoo's chart service means: data, or which kind of trouble.

What belongs here: from status, headers and body to the chart's content or a typed error.
What does not: sending requests (client.py), reading bars (chart.py).
"""

from __future__ import annotations

import json
from typing import Any

from adapters.vendors.json_body import each_key_once
from adapters.vendors.retrying import seconds_of
from market_data.errors import (
    MalformedAnswerError,
    OutOfRangeError,
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    VendorError,
    VendorUnavailableError,
)

Chart = dict[str, Any]
"""One entry of an answer's chart.result."""


def read_answer(status: int, content: bytes, retry_after: str | None = None) -> Chart | None:
    """The chart of an answer; None where Yahoo says that the range holds no data.

    Args:
        status: HTTP status.
        content: body.
        retry_after: the header of that name.

    Raises:
        RateLimitedError: status 429, or its words in the body.
        UnauthorisedError: status 401 or 403.
        UnknownSymbolError: Yahoo knows no such symbol.
        OutOfRangeError: further back than Yahoo serves this interval.
        VendorUnavailableError: status 5xx.
        MalformedAnswerError: no JSON, a key twice in one object, or not the JSON of a chart.
    """
    text = content[:200].decode("utf-8", "replace").strip()
    if status == 429 or "Too Many Requests" in text:
        raise RateLimitedError("Yahoo: too many requests", retry_after=seconds_of(retry_after))
    if status in (401, 403):
        raise UnauthorisedError(f"Yahoo refuses access (HTTP {status}): {text}")
    if status >= 500:
        raise VendorUnavailableError(f"Yahoo has trouble (HTTP {status}): {text}")
    try:
        chart = json.loads(content, object_pairs_hook=each_key_once)["chart"]
        error, results = chart["error"], chart["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as trouble:
        raise MalformedAnswerError(f"Yahoo sent no chart (HTTP {status}): {text}") from trouble
    if error:
        _raise_error(status, error)
        return None
    if not isinstance(results, list) or not results or not isinstance(results[0], dict):
        raise MalformedAnswerError(f"Yahoo sent a chart without a result (HTTP {status})")
    first: Chart = results[0]
    return first


def _raise_error(status: int, error: Any) -> None:
    """Raise what the error says, unless it only says that there is no data."""
    named = error if isinstance(error, dict) else {"description": str(error)}
    code, words = str(named.get("code", "")), str(named.get("description", ""))
    said = f"Yahoo: {words or code} (HTTP {status})"
    if "doesn't exist for startDate" in words:
        return
    kind: type[VendorError] = MalformedAnswerError
    if status == 422 or "must be within the last" in words:
        kind = OutOfRangeError
    elif status == 404 or code == "Not Found" or "may be delisted" in words:
        kind = UnknownSymbolError
    raise kind(said)
