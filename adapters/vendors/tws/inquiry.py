"""Whom to ask, and what one question is made of.

What belongs here: the records that the connection and its users share; nothing of ib_async is
loaded for them. What does not: what they are used for (conversation.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ib_async.client import Client


@dataclass(frozen=True)
class Address:
    """Where TWS or IB Gateway listens, and as whom to connect."""

    host: str
    port: int
    client_id: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (TWS_HOST, TWS_PORT)"


@dataclass(frozen=True)
class Inquiry:
    """A question and how its answer is known.

    Attributes:
        send: sends it under the number of a request.
        cancel: calls it off.
        parts: kinds of message that belong to its answer.
        last: the kind of message that ends it.
        farm_code: the code by which IB says that the farm for it is down.
    """

    send: Callable[[Client, int], None]
    parts: frozenset[int]
    last: int
    farm_code: int
    cancel: Callable[[Client, int], None] | None = None
