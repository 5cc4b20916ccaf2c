"""Archived bodies of answers, for vendors whose bodies do not name their symbol.

What belongs here: whose bars a body holds. What does not: reading it (each vendor's reader), which
bodies are read again (market_data/pipeline/replay.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.vendors.http import Answer
from market_data.errors import VendorError
from market_data.ports import FetchRequest, Payload, SymbolRequest


def archived_answers(
    contents: Sequence[bytes], request: FetchRequest, name: str
) -> Iterator[tuple[SymbolRequest, Answer]]:
    """The bodies as the answers that they were, and the only symbol that was asked for.

    Args:
        contents: the bodies.
        request: the question of then.
        name: of the vendor, for the message.

    Raises:
        VendorError: the question was about several symbols.
    """
    if len(request.symbols) != 1:
        raise VendorError(
            f"{name}'s answers do not name their symbol, and this fetch was about "
            f"{len(request.symbols)}; 'emp ingest --refetch' asks again"
        )
    for content in contents:
        yield request.symbols[0], Answer(200, content, Payload(content, "archive"))
