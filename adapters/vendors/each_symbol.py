"""Asking a vendor symbol by symbol, so that trouble with one stops no other.

What belongs here: which trouble ends a whole answer and which is one symbol's outcome; adding up
what the symbols cost. What does not: how a symbol is asked for (the vendors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from adapters.vendors.retrying import sent_by_this_thread
from market_data.errors import (
    BudgetSpentError,
    LeftAloneError,
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
)
from market_data.ports import FetchRequest, FetchResult, Payload, SymbolOutcome, SymbolRequest


def each_symbol(
    request: FetchRequest,
    fetch: Callable[[SymbolRequest, FetchRequest], Iterator[FetchResult]],
) -> Iterator[FetchResult]:
    """The slices of all symbols, one symbol after the other.

    What would meet every other symbol too (too many requests, no access, no connection) ends the
    answer; anything else becomes the outcome of its symbol. Each payload says whose answer it is.

    The symbols after one that ends the answer were not asked for, and neither was that one where
    its first request was held back here: their outcome says so, before the error is raised.

    Args:
        request: the question.
        fetch: asks for one symbol.

    Raises:
        VendorError: RateLimitedError, UnauthorisedError or UnreachableError.
    """
    for place, wanted in enumerate(request.symbols):
        before = sent_by_this_thread()
        try:
            for result in fetch(wanted, request):
                yield replace(result, payloads=[_about(p, wanted) for p in result.payloads])
        except (RateLimitedError, UnauthorisedError, UnreachableError) as trouble:
            held = isinstance(trouble, BudgetSpentError | LeftAloneError)
            is_unsent = held and sent_by_this_thread() == before
            if rest := request.symbols[place if is_unsent else place + 1 :]:
                unasked = {later.symbol: SymbolOutcome.not_asked(trouble) for later in rest}
                yield FetchResult(outcomes=unasked)
            raise
        except VendorError as trouble:
            yield FetchResult(outcomes={wanted.symbol: SymbolOutcome.of(trouble)})


def _about(payload: Payload, wanted: SymbolRequest) -> Payload:
    return replace(payload, symbol=wanted.symbol)


def count_each(request: FetchRequest, count: Callable[[SymbolRequest, FetchRequest], int]) -> int:
    """How many requests the symbols of a question take; none for one that cannot be asked for.

    Args:
        request: the question.
        count: the requests of one symbol; raises a VendorError where none would be sent.
    """
    total = 0
    for wanted in request.symbols:
        with suppress(VendorError):
            total += count(wanted, request)
    return total
