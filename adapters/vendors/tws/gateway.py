"""Questions to TWS or IB Gateway from ordinary code: an event loop on a thread of its own.

What belongs here: the thread, connecting when a question comes, connecting anew after a trouble.
What does not: a connection (conversation.py), when a question is put again (client.py).

Whoever asks may or may not have an event loop running in its own thread: a notebook has, a Dagster
step has not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from adapters.vendors.tws.answers import Fields
from adapters.vendors.tws.conversation import MOST_BYTES, Conversation
from adapters.vendors.tws.inquiry import Address, Inquiry
from market_data.errors import MalformedAnswerError, VendorError, VendorUnavailableError

T = TypeVar("T")


class Gateway:
    """Asks one gateway, one question at a time; connected from the first question to `close`."""

    def __init__(self, address: Address, timeout: float, most_bytes: int = MOST_BYTES) -> None:
        """Prepare it; nothing is sent and no thread is started yet.

        Args:
            address: where it listens.
            timeout: seconds to wait for the connection, and for a whole answer.
            most_bytes: a longer answer is given up.
        """
        self._address = address
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._conversation: Conversation | None = None

    def ask(self, inquiry: Inquiry) -> tuple[list[Fields], int]:
        """The messages of one answer, and the version of the protocol that they came in.

        Raises:
            VendorError: a typed subclass, or itself where IB does not take the question.
        """
        return self._run(self._ask(inquiry))

    def look(self) -> tuple[int, str]:
        """The version of the protocol, and which of IB's farms are down.

        Raises:
            UnreachableError: nobody is there.
        """
        return self._run(self._look())

    def close(self) -> None:
        """End the connection and the thread; the next question starts them anew."""
        if self._loop is None or self._thread is None:
            return
        self._run(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    async def _ask(self, inquiry: Inquiry) -> tuple[list[Fields], int]:
        conversation = await self._connected()
        try:
            messages = await conversation.ask(inquiry)
        except (MalformedAnswerError, VendorUnavailableError):
            # What still comes would belong to nobody knows which question.
            await self._drop()
            raise
        return messages, conversation.server_version

    async def _look(self) -> tuple[int, str]:
        conversation = await self._connected()
        await conversation.tells_time()
        return conversation.server_version, conversation.farms_down

    async def _connected(self) -> Conversation:
        if self._conversation is not None and self._conversation.is_open:
            return self._conversation
        await self._drop()
        self._conversation = Conversation(self._address, self._timeout, self._most_bytes)
        try:
            await self._conversation.open()
        except VendorError:
            await self._drop()
            raise
        return self._conversation

    async def _drop(self) -> None:
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None
            # A turn for the socket to be closed in.
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="tws", daemon=True)
            self._thread.start()
        asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return asked.result()
        except BaseException:
            asked.cancel()
            raise
