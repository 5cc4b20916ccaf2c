"""What is heard on one connection: which messages belong to our question, and what they end.

What belongs here: what the client of ib_async calls, telling our answer from all other messages.
What does not: connecting, sending, time-outs (conversation.py), what codes mean (codes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.vendors.tws.answers import Fields
from adapters.vendors.tws.codes import Farms, Meaning, meaning_of, trouble_of
from adapters.vendors.tws.inquiry import Address, Inquiry
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports.redaction import sanitised_text

_ERROR = 4
_TIME = 49


@dataclass
class Waiting:
    """What is waited for: an answer, or the connection where there is no inquiry."""

    request: int
    inquiry: Inquiry | None
    answer: asyncio.Future[list[Fields]]
    messages: list[Fields] = field(default_factory=list)
    received: int = 0


class Ears:
    """Takes every message of one connection; stands where ib_async has its wrapper and decoder."""

    def __init__(self, address: Address, most_bytes: int) -> None:
        """Hear nothing yet.

        Args:
            address: of the gateway, for messages.
            most_bytes: a longer answer is given up.
        """
        self._address = address
        self._most_bytes = most_bytes
        self.farms = Farms()
        self.waiting: Waiting | None = None
        self.alive: asyncio.Future[None] | None = None
        self.serverVersion = 0

    def wait(self, request: int, inquiry: Inquiry | None) -> Waiting:
        """Listen for the answer to a request, or for the end of the handshake."""
        self.waiting = Waiting(request, inquiry, asyncio.get_running_loop().create_future())
        return self.waiting

    def settle(self, outcome: list[Fields] | VendorError) -> None:
        """Give whoever waits an answer or a trouble; the first one counts."""
        if self.waiting is None or self.waiting.answer.done():
            return
        if isinstance(outcome, VendorError):
            self.waiting.answer.set_exception(outcome)
        else:
            self.waiting.answer.set_result(outcome)

    # What the client of ib_async calls.

    def interpret(self, fields: Sequence[str]) -> None:
        """Take a message."""
        try:
            kind = int(fields[0])
            if kind == _ERROR:
                self._hear(int(fields[2]), int(fields[3]), fields[4])
            elif kind == _TIME and self.alive and not self.alive.done():
                self.alive.set_result(None)
            elif self.waiting and self.waiting.inquiry:
                self._take(self.waiting, self.waiting.inquiry, kind, fields)
        except (ValueError, IndexError):
            told = repr(sanitised_text(" ".join(fields[:8]))[:120])
            self.settle(
                MalformedAnswerError(
                    f"Interactive Brokers sent a message that cannot be read: {told}"
                )
            )

    def connectAck(self) -> None:  # noqa: N802
        """The handshake is done; the client goes on by itself."""

    def setEventsDone(self) -> None:  # noqa: N802
        """Nobody waits for events of the wrapper."""

    def connectionClosed(self) -> None:  # noqa: N802
        """The connection ended after it was ready."""
        self.settle(VendorUnavailableError("the connection to TWS broke off"))
        if self.alive and not self.alive.done():
            self.alive.set_exception(ConnectionError())

    def _take(self, waiting: Waiting, inquiry: Inquiry, kind: int, fields: Fields) -> None:
        """Keep a message of our answer, if it is one."""
        if kind not in inquiry.parts and kind != inquiry.last:
            return
        if int(fields[_request_at(kind, self.serverVersion)]) != waiting.request:
            return
        if kind in inquiry.parts:
            waiting.messages.append(tuple(fields))
        if kind == inquiry.last:
            self.settle(waiting.messages)

    def _hear(self, request: int, number: int, text: str) -> None:
        """Take a code: about our question, about another's, or about none."""
        waiting = self.waiting
        if waiting and waiting.inquiry and request == waiting.request:
            found = meaning_of(number, text)
            trouble = trouble_of(number, text)
            if found is Meaning.NOTHING:
                self.settle([])
            elif trouble is not None:
                self.settle(trouble)
        elif request <= 0:
            self.farms.hear(number, text)
            self._hear_of_none(number, text)

    def _hear_of_none(self, number: int, text: str) -> None:
        """A code about no question ends ours where ours cannot be answered any more."""
        trouble = trouble_of(number, text)
        inquiry = self.waiting.inquiry if self.waiting else None
        if trouble is None:
            return
        fatal = isinstance(trouble, UnreachableError | RateLimitedError)
        if fatal or (inquiry is not None and number == inquiry.farm_code):
            self.settle(trouble)

    def count(self, data: bytes) -> None:
        """Give up an answer that is too long."""
        if self.waiting is None:
            return
        self.waiting.received += len(data)
        if self.waiting.received > self._most_bytes:
            self.settle(
                MalformedAnswerError(
                    f"Interactive Brokers: the answer is longer than {self._most_bytes:,} bytes"
                )
            )

    def garbled(self, *_: Any) -> None:
        """The client could make nothing of the bytes; no other question would fare better."""
        self.settle(
            UnreachableError(f"what listens at {self._address} does not speak TWS's language")
        )

    def ended(self, text: str) -> None:
        """The connection ended before it was ready; a reason that IB gave counts before this."""
        if self.waiting and self.waiting.inquiry is None:
            told = f": {sanitised_text(text)}" if text else ""
            self.settle(
                UnreachableError(f"what listens at {self._address} ended the connection{told}")
            )


def _request_at(kind: int, server_version: int) -> int:
    """Where a message names its request."""
    return 2 if kind == 52 or (kind == 10 and server_version < 164) else 1
