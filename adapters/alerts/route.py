"""What every route promises, and the ways in which it may fail.

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
        taken: parts of the message that the route has, this attempt and those before it together.
        reached: recipients who have the message, of this attempt and those before it together.
    """

    def __init__(
        self,
        message: str,
        *,
        after: float | None = None,
        taken: int = 0,
        reached: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.after = after
        self.taken = taken
        self.reached = reached


class UnansweredError(DeliveryError):
    """A route has the whole message, as far as we know, and has not answered in time."""


class UnfinishedError(DeliveryError):
    """A message of several parts took its whole time, and came further: the rest may follow."""


class PartlyError(DeliveryError):
    """Some recipients have the message; others were asked to wait, and are tried again."""


class RefusedError(DeliveryError):
    """A route will never take this message, whatever its number of attempts."""


class AlertRoute(Protocol):
    """One way out."""

    @property
    def name(self) -> str:
        """Of the route."""
        ...

    def deliver(self, message: Message) -> None:
        """Hand over one message, what is left of it; when this returns, the other side has it.

        Raises:
            DeliveryError: it has not, or nobody knows; the message is tried again.
            UnansweredError: it was handed over, and no answer came in time.
            PartlyError: some of its recipients have it, and the others may get it later.
            UnfinishedError: it has some parts of it; the others may follow at once.
            RefusedError: it never will.
            ConfigurationError: a setting is missing; the message is tried again.
        """
        ...
