"""Asking FRED: pages, limits, and what its refusals mean.

What belongs here: one method that brings all pages of a question, the errors of the interface.
What does not: what the rows mean (answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

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

MOST_PAGES = 200
_MESSAGE = re.compile(r'message="([^"]*)"')


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
        self, path: str, params: Mapping[str, str | int], *, rows: str, limit: int
    ) -> tuple[list[dict[str, Any]], list[Payload]]:
        """All rows of a question, page by page.

        Args:
            path: of the interface: "series/observations".
            params: of the question.
            rows: the key of an answer's rows.
            limit: most rows of one page, as FRED documents it.

        Returns:
            The rows as they came, and the answers' bytes.

        Raises:
            VendorError: a typed subclass, or itself for a question that FRED does not take.
        """
        found: list[dict[str, Any]] = []
        payloads: list[Payload] = []
        for _ in range(MOST_PAGES):
            asked = {**params, "file_type": "json", "limit": limit, "offset": len(found)}
            body, payload = self._http.get(f"/fred/{path}", asked, _read, self._claims)
            page, count = _rows(body, rows)
            found += page
            payloads.append(payload)
            if len(found) >= count:
                return found, payloads
            if not page:
                raise MalformedAnswerError(
                    f"FRED: {path} counts {count} rows and gave {len(found)}"
                )
        raise MalformedAnswerError(f"FRED: {path} has more than {MOST_PAGES} pages")


def _rows(body: Mapping[str, Any], name: str) -> tuple[Sequence[dict[str, Any]], int]:
    page, count = body.get(name), body.get("count")
    if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
        raise MalformedAnswerError(f"FRED: the answer has no rows of {name}")
    if not isinstance(count, str) or re.fullmatch(r"[0-9]{1,9}", count) is None:
        raise MalformedAnswerError("FRED: the answer does not count its rows")
    return page, int(count)


def _read(answer: Answer) -> tuple[dict[str, Any], Payload]:
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
    if "does not exist" in lower or answer.status == 404:
        return UnknownSymbolError(told)
    if body.get("error_code") == "429" or "too many requests" in lower:
        return RateLimitedError(told)
    return VendorError(told)
