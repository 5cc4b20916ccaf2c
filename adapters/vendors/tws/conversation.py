"""One connection to TWS or IB Gateway: one question at a time, one answer or one typed trouble.

What belongs here: connecting, time-outs, whether a silent gateway is still there. Everything runs
on one event loop. What does not: the loop (gateway.py), which messages are our answer
(listening.py).

Importing this module loads ib_async; import it where it is used.
"""

from __future__ import annotations

import asyncio
import logging

from ib_async.client import Client

from adapters.vendors.tws.answers import Fields
from adapters.vendors.tws.inquiry import Address, Inquiry
from adapters.vendors.tws.listening import Ears
from market_data.errors import (
    UnreachableError,
    VendorUnavailableError,
)
from market_data.ports.redaction import sanitised_text

NO_REQUEST = -1
"""The request that IB names where a code is about none."""
ALIVE_SECONDS = 5.0
"""How long a silent gateway has to tell the time."""
MOST_BYTES = 32 * 2**20
"""A longer answer is given up."""

# Their troubles come back typed; their own reports of them would be said twice.
for _telltale in ("ib_async", "eventkit"):
    logging.getLogger(_telltale).setLevel(logging.CRITICAL)


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
        self._ears = Ears(address, most_bytes)
        self._client = Client(self._ears)
        # The client hands the fields of every message to its decoder; this is ours.
        self._client.decoder = self._ears
        self._client.conn.hasData += self._ears.count
        self._client.conn.hasData.error_event += self._ears.garbled
        self._client.conn.disconnected += self._ears.ended
        self._client.apiError += self._ears.ended

    @property
    def is_open(self) -> bool:
        """Whether questions can be sent."""
        return bool(self._client.isReady())

    @property
    def farms_down(self) -> str:
        """Which of IB's farms are down, as far as they said so; empty where none is."""
        return str(self._ears.farms)

    @property
    def server_version(self) -> int:
        """Of the protocol; 0 before the handshake."""
        return self._ears.serverVersion

    async def open(self) -> None:
        """Connect, and wait until IB takes questions.

        Raises:
            UnreachableError: nobody listens, or whoever listens lets nobody in.
        """
        waiting = self._ears.wait(NO_REQUEST, None)
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
            self._ears.waiting = None
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
        if self._ears.farms.lost:
            raise UnreachableError(
                f"IB's servers are out of reach of {self._address}: {self._ears.farms.lost}"
            )
        waiting = self._ears.wait(NO_REQUEST, inquiry)
        try:
            waiting.request = request = self._client.getReqId()
            inquiry.send(self._client, request)
            async with asyncio.timeout(self._timeout):
                return await waiting.answer
        except TimeoutError:
            self._ears.waiting = None
            await self._give_up(inquiry, request)
            down = f"; {self._ears.farms}" if str(self._ears.farms) else ""
            raise VendorUnavailableError(
                f"Interactive Brokers did not answer within {self._timeout:g} s{down}"
            ) from None
        except ConnectionError:
            raise VendorUnavailableError("the connection to TWS broke off") from None
        finally:
            self._ears.waiting = None

    async def tells_time(self) -> None:
        """Find out whether anybody is there at all.

        Raises:
            UnreachableError: nobody is.
        """
        self._ears.alive = asyncio.get_running_loop().create_future()
        try:
            self._client.reqCurrentTime()
            async with asyncio.timeout(min(ALIVE_SECONDS, self._timeout)):
                await self._ears.alive
        except (TimeoutError, ConnectionError):
            raise UnreachableError(
                f"what listens at {self._address} hangs and does not even tell the time; restart it"
            ) from None
        finally:
            self._ears.alive = None

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
        self._ears.waiting = None
        self._client.disconnect()
