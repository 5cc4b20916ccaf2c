"""Asking FRED: pages, limits, and what its refusals mean.

What belongs here: one method that brings all pages of a question, the errors of the interface.
What does not: what makes pages whole (paging.py), what the rows mean (answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.vendors.fred.paging import Pages
from adapters.vendors.http import Answer, Patience, Secrets, VendorHttp
from adapters.vendors.json_body import parsed
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    VendorError,
)
from market_data.ports import Claim, Payload, RequestGate

_MESSAGE = re.compile(r'message="([^"]*)"')


class TooManyVintagesError(VendorError):
    """A series has changed on more days of a real-time period than FRED tells at once."""


class FredClient:
    """FRED's interface at an address, with a key."""

    def __init__(
        self,
        api_key: str,
        *,
        url: str = "https://api.stlouisfed.org",
        gate: RequestGate | None = None,
        claims: Sequence[Claim] = (),
        patience: Patience | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            api_key: of the account.
            url: base URL, for a proxy or a test server.
            gate: grants each request.
            claims: what each request takes of the key's allowances.
            patience: how long and how often to wait.
        """
        self._http = VendorHttp(
            "FRED",
            url,
            gate=gate,
            secrets=Secrets(params={"api_key": api_key}),
            patience=patience,
        )
        self._claims = tuple(claims)

    def pages(
        self,
        path: str,
        params: Mapping[str, str | int],
        *,
        rows: str,
        key: Sequence[str],
        limit: int,
    ) -> tuple[list[Any], list[Payload]]:
        """All rows of a question, page by page.

        Args:
            path: of the interface: "series/observations".
            params: of the question.
            rows: the key of an answer's rows.
            key: the fields by which no two rows are the same; none for rows that are plain texts.
            limit: most rows of one page, as FRED documents it.

        Returns:
            The rows as they came, and the answers' bytes.

        Raises:
            VendorError: a typed subclass, or itself for a question that FRED does not take.
        """
        pages = Pages(path, params, rows=rows, key=key, limit=limit)
        payloads: list[Payload] = []
        while pages.lacking:
            body, payload = self._http.get(f"/fred/{path}", pages.question, read_body, self._claims)
            pages.add(body)
            payloads.append(payload)
        return pages.whole(), payloads


def read_body(answer: Answer) -> tuple[dict[str, Any], Payload]:
    """The JSON object of an answer.

    Raises:
        VendorError: what FRED says against the question.
    """
    if answer.status >= 400:
        raise _trouble(answer, _object(answer))
    body = parsed(answer, "FRED")
    if not isinstance(body, dict):
        raise MalformedAnswerError(f"FRED sent no JSON object: {answer.text}")
    if "error_message" in body:
        raise _trouble(answer, body)
    return body, answer.payload


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        body = parsed(answer, "FRED")
    except MalformedAnswerError:
        return {}
    return body if isinstance(body, dict) else {}


def _trouble(answer: Answer, body: Mapping[str, Any]) -> VendorError:
    """What a refusal means; errors come as JSON, or as XML where the key is missing."""
    found = _MESSAGE.search(answer.text)
    said = str(body.get("error_message") or (found and found[1]) or answer.text)[:300]
    told = f"FRED (HTTP {answer.status}): {said}"
    lower = said.lower()
    if "api_key" in lower:
        return UnauthorisedError(f"{told} Is FRED_API_KEY right?")
    if "maximum number of vintage dates" in lower:
        return TooManyVintagesError(told)
    if "does not exist" in lower or answer.status == 404:
        return UnknownSymbolError(told)
    if body.get("error_code") == "429" or "too many requests" in lower:
        return RateLimitedError(told)
    return VendorError(told)
