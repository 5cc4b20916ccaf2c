"""What every route promises, and the two ways in which it may fail.

What belongs here: the protocol and its errors. What does not: any route.
"""

from __future__ import annotations

from typing import Protocol

from market_data.alerts import Message
from market_data.errors import MarketDataError


class DeliveryError(MarketDataError):
    """A route did not take a message; it is tried again.

    Attributes:
        after: seconds that the other side asks to be left in peace; None where it says nothing.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class RefusedError(DeliveryError):
    """A route will never take this message, whatever its number of attempts."""


class AlertRoute(Protocol):
    """One way out."""

    @property
    def name(self) -> str:
        """Of the route."""
        ...

    def deliver(self, message: Message) -> None:
        """Hand over one message; when this returns, the other side has it.

        Raises:
            DeliveryError: it has not, or nobody knows; the message is tried again.
            RefusedError: it never will.
            ConfigurationError: a setting is missing; the message is tried again.
        """
        ...
