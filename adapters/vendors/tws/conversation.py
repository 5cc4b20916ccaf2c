"""One connection to TWS or IB Gateway: one question at a time, one answer or one typed trouble.

What belongs here: connecting, telling the messages of our question from all others, time-outs, and
whether a silent gateway is still there. Everything runs on one event loop.
What does not: the loop (gateway.py), what fields mean (answers.py), what codes mean (codes.py).

Importing this module loads ib_async; import it where it is used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ib_async.client import Client

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
NO_REQUEST = -1
"""The request that IB names where a code is about none."""
ALIVE_SECONDS = 5.0
"""How long a silent gateway has to tell the time."""
MOST_BYTES = 32 * 2**20
"""A longer answer is given up."""

# Their troubles come back typed; their own reports of them would be said twice.
for _telltale in ("ib_async", "eventkit"):
    logging.getLogger(_telltale).setLevel(logging.CRITICAL)


@dataclass
class _Waiting:
    """What is waited for: an answer, or the connection where there is no inquiry."""

    request: int
    inquiry: Inquiry | None
    answer: asyncio.Future[list[Fields]]
    messages: list[Fields] = field(default_factory=list)
    received: int = 0


class Conversation:
    """One connection, from the handshake to its end."""

    def __init__(self, address: Address, timeout: float, most_bytes: int = MOST_BYTES) -> None:
        """Prepare it; nothing is sent yet.

        Args:
            address: of the gateway.
            timeout: seconds to wait for the connection, and for a whole answer.
            most_bytes: a longer answer is given up.
        """
        self._address = address
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._farms = Farms()
        self._waiting: _Waiting | None = None
        self._alive: asyncio.Future[None] | None = None
        self._client = Client(self)
        # The client hands the fields of every message to its decoder; this is ours.
        self._client.decoder = self
        self._client.conn.hasData += self._count
        self._client.conn.hasData.error_event += self._garbled
        self._client.conn.disconnected += self._ended
        self._client.apiError += self._ended
        self.serverVersion = 0

    @property
    def is_open(self) -> bool:
        """Whether questions can be sent."""
        return bool(self._client.isReady())

    @property
    def farms_down(self) -> str:
        """Which of IB's farms are down, as far as they said so; empty where none is."""
        return str(self._farms)

    @property
    def server_version(self) -> int:
        """Of the protocol; 0 before the handshake."""
        return self.serverVersion

    async def open(self) -> None:
        """Connect, and wait until IB takes questions.

        Raises:
            UnreachableError: nobody listens, or whoever listens lets nobody in.
        """
        waiting = self._wait(NO_REQUEST, None)
        at = self._address
        # Its own time-out would count each step anew.
        connecting = asyncio.ensure_future(
            self._client.connectAsync(at.host, at.port, at.client_id, timeout=0)
        )
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.wait(
                    {connecting, waiting.answer}, return_when=asyncio.FIRST_COMPLETED
                )
            await (connecting if connecting.done() else waiting.answer)
        except TimeoutError:
            raise UnreachableError(
                f"what listens at {at} let nobody in within {self._timeout:g} s; are API clients "
                "enabled there, and is this machine trusted?"
            ) from None
        except (OSError, UnicodeError) as trouble:
            raise UnreachableError(
                f"Interactive Brokers cannot be reached at {at}: {sanitised_text(str(trouble))}"
            ) from None
        finally:
            self._waiting = None
            connecting.cancel()
            waiting.answer.cancel()
            # Both are looked at, or asyncio would complain that nobody did.
            await asyncio.wait({connecting})
            _ = connecting.cancelled() or connecting.exception()
            _ = waiting.answer.cancelled() or waiting.answer.exception()

    async def ask(self, inquiry: Inquiry) -> list[Fields]:
        """The messages of one answer; none where IB says that there is nothing.

        Raises:
            VendorError: a typed subclass, or itself where IB does not take the question.
        """
        if self._farms.lost:
            raise UnreachableError(
                f"IB's servers are out of reach of {self._address}: {self._farms.lost}"
            )
        waiting = self._wait(NO_REQUEST, inquiry)
        try:
            waiting.request = request = self._client.getReqId()
            inquiry.send(self._client, request)
            async with asyncio.timeout(self._timeout):
                return await waiting.answer
        except TimeoutError:
            self._waiting = None
            await self._give_up(inquiry, request)
            down = f"; {self._farms}" if str(self._farms) else ""
            raise VendorUnavailableError(
                f"Interactive Brokers did not answer within {self._timeout:g} s{down}"
            ) from None
        except ConnectionError:
            raise VendorUnavailableError("the connection to TWS broke off") from None
        finally:
            self._waiting = None

    async def tells_time(self) -> None:
        """Find out whether anybody is there at all.

        Raises:
            UnreachableError: nobody is.
        """
        self._alive = asyncio.get_running_loop().create_future()
        try:
            self._client.reqCurrentTime()
            async with asyncio.timeout(min(ALIVE_SECONDS, self._timeout)):
                await self._alive
        except (TimeoutError, ConnectionError):
            raise UnreachableError(
                f"what listens at {self._address} hangs and does not even tell the time; restart it"
            ) from None
        finally:
            self._alive = None

    async def _give_up(self, inquiry: Inquiry, request: int) -> None:
        """Call a question off that was not answered in time.

        Raises:
            UnreachableError: nobody is there at all.
        """
        if inquiry.cancel and self.is_open:
            inquiry.cancel(self._client, request)
        await self.tells_time()

    def close(self) -> None:
        """End the connection."""
        self._waiting = None
        self._client.disconnect()

    def _wait(self, request: int, inquiry: Inquiry | None) -> _Waiting:
        self._waiting = _Waiting(request, inquiry, asyncio.get_running_loop().create_future())
        return self._waiting

    def _settle(self, outcome: list[Fields] | VendorError) -> None:
        """Give whoever waits an answer or a trouble; the first one counts."""
        if self._waiting is None or self._waiting.answer.done():
            return
        if isinstance(outcome, VendorError):
            self._waiting.answer.set_exception(outcome)
        else:
            self._waiting.answer.set_result(outcome)

    # What the client of ib_async calls.

    def interpret(self, fields: Sequence[str]) -> None:
        """Take a message."""
        try:
            kind = int(fields[0])
            if kind == _ERROR:
                self._hear(int(fields[2]), int(fields[3]), fields[4])
            elif kind == _TIME and self._alive and not self._alive.done():
                self._alive.set_result(None)
            elif self._waiting and self._waiting.inquiry:
                self._take(self._waiting, self._waiting.inquiry, kind, fields)
        except (ValueError, IndexError):
            told = repr(sanitised_text(" ".join(fields[:8]))[:120])
            self._settle(
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
        self._settle(VendorUnavailableError("the connection to TWS broke off"))
        if self._alive and not self._alive.done():
            self._alive.set_exception(ConnectionError())

    def _take(self, waiting: _Waiting, inquiry: Inquiry, kind: int, fields: Fields) -> None:
        """Keep a message of our answer, if it is one."""
        if kind not in inquiry.parts and kind != inquiry.last:
            return
        if int(fields[_request_at(kind, self.serverVersion)]) != waiting.request:
            return
        if kind in inquiry.parts:
            waiting.messages.append(tuple(fields))
        if kind == inquiry.last:
            self._settle(waiting.messages)

    def _hear(self, request: int, number: int, text: str) -> None:
        """Take a code: about our question, about another's, or about none."""
        waiting = self._waiting
        if waiting and waiting.inquiry and request == waiting.request:
            found = meaning_of(number, text)
            trouble = trouble_of(number, text)
            if found is Meaning.NOTHING:
                self._settle([])
            elif trouble is not None:
                self._settle(trouble)
        elif request <= 0:
            self._farms.hear(number, text)
            self._hear_of_none(number, text)

    def _hear_of_none(self, number: int, text: str) -> None:
        """A code about no question ends ours where ours cannot be answered any more."""
        trouble = trouble_of(number, text)
        inquiry = self._waiting.inquiry if self._waiting else None
        if trouble is None:
            return
        fatal = isinstance(trouble, UnreachableError | RateLimitedError)
        if fatal or (inquiry is not None and number == inquiry.farm_code):
            self._settle(trouble)

    def _count(self, data: bytes) -> None:
        """Give up an answer that is too long."""
        if self._waiting is None:
            return
        self._waiting.received += len(data)
        if self._waiting.received > self._most_bytes:
            self._settle(
                MalformedAnswerError(
                    f"Interactive Brokers: the answer is longer than {self._most_bytes:,} bytes"
                )
            )

    def _garbled(self, *_: Any) -> None:
        """The client could make nothing of the bytes; no other question would fare better."""
        self._settle(
            UnreachableError(f"what listens at {self._address} does not speak TWS's language")
        )

    def _ended(self, text: str) -> None:
        """The connection ended before it was ready; a reason that IB gave counts before this."""
        if self._waiting and self._waiting.inquiry is None:
            told = f": {sanitised_text(text)}" if text else ""
            self._settle(
                UnreachableError(f"what listens at {self._address} ended the connection{told}")
            )


def _request_at(kind: int, server_version: int) -> int:
    """Where a message names its request."""
    return 2 if kind == 52 or (kind == 10 and server_version < 164) else 1
