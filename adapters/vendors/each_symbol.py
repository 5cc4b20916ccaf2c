"""Asking a vendor symbol by symbol, so that trouble with one stops no other.

What belongs here: which trouble ends a whole answer and which is one symbol's outcome.
What does not: how a symbol is asked for (the vendors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
)
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolOutcome, SymbolRequest


def each_symbol(
    request: FetchRequest,
    fetch: Callable[[SymbolRequest, FetchRequest], Iterator[FetchResult]],
) -> Iterator[FetchResult]:
    """The slices of all symbols, one symbol after the other.

    What would meet every other symbol too (too many requests, no access, no connection) ends the
    answer; anything else becomes the outcome of its symbol.

    Args:
        request: the question.
        fetch: asks for one symbol.

    Raises:
        VendorError: RateLimitedError, UnauthorisedError or UnreachableError.
    """
    for wanted in request.symbols:
        try:
            yield from fetch(wanted, request)
        except (RateLimitedError, UnauthorisedError, UnreachableError):
            raise
        except VendorError as trouble:
            outcome = SymbolOutcome(Outcome(trouble.outcome), str(trouble))
            yield FetchResult(outcomes={wanted.symbol: outcome})
