"""The gate that every request to a vendor passes: limits that all processes share, and a breaker.

What belongs here: what a request claims of which window, and the promise of whoever grants it.
What does not: a vendor's numbers (its adapter), where the counts lie (adapters/requests).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from market_data.errors import VendorError


@dataclass(frozen=True)
class Allowance:
    """At most so many requests in any window of a length, wherever the window begins.

    Attributes:
        name: for a person: "minute", "day", "same contract".
        requests: how many, at least 1.
        per: length of the window.
        setting: what changes it, for messages; empty where nothing does.
    """

    name: str
    requests: int
    per: timedelta
    setting: str = ""

    def __str__(self) -> str:
        return f"{self.requests:,} request{'s' if self.requests > 1 else ''} per {self.name}"


@dataclass(frozen=True)
class Claim:
    """What one request takes of one allowance.

    Attributes:
        allowance: of what.
        subject: whose requests are counted together, within the vendor; empty for all of them.
        cost: how many requests it counts as.
    """

    allowance: Allowance
    subject: str = ""
    cost: int = 1


@dataclass(frozen=True)
class Window:
    """How much of one allowance is used now.

    Attributes:
        allowance: of what.
        used: requests granted within its length.
        next_slot: when the window has room and the vendor is asked at all: not before the end of a
            pause that it asked for, nor while its breaker is open. None for at once.
        subject: whose requests are counted together; empty for all of them.
    """

    allowance: Allowance
    used: int
    next_slot: datetime | None = None
    subject: str = ""

    @property
    def left(self) -> int:
        """How many requests can be granted at once."""
        return max(0, self.allowance.requests - self.used)


class RequestGate(Protocol):
    """Grants one vendor's requests, one by one; its counts are shared by all processes."""

    def enter(self, claims: Sequence[Claim]) -> None:
        """Wait until all of the claims can be granted at once, and take them.

        Raises:
            RateLimitedError: the turn would come too late to wait for it; `retry_after` says when.
            VendorUnavailableError: the vendor failed too often of late and is left alone for a
                while.
        """
        ...

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        """Say that what this thread has entered for is over, and how it went.

        Until then a request is on its way: nobody knows when the vendor counts it.

        Args:
            trouble: None for an answer of any kind.
            put_again: whether the question is put once more.
        """
        ...


class OpenGate:
    """A gate without limits, for a vendor that has none and for tests."""

    def enter(self, claims: Sequence[Claim]) -> None:
        """Let everybody in."""

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        """Take no notice."""
