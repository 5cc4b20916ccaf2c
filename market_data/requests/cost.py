"""What a plan costs: how many requests, how long under the limits, and whether today has room.

What belongs here: counting requests, and what the windows make of their number.
What does not: the plan (market_data/pipeline/planning.py), what is used now (adapters/requests).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from market_data.ports import FetchRequest, Vendor, Window

_DAY = timedelta(days=1)


@runtime_checkable
class CountsRequests(Protocol):
    """A vendor whose requests do not follow from its capabilities alone."""

    def requests_for(self, request: FetchRequest) -> int:
        """How many requests a question takes, retries left out."""
        ...


@dataclass(frozen=True)
class Cost:
    """What a plan asks of one vendor.

    Attributes:
        vendor: which.
        requests: how many, retries left out.
        windows: its allowances, with what is used of them.
        patience: how long a request waits for its turn before it is refused.
    """

    vendor: str
    requests: int
    windows: tuple[Window, ...]
    patience: timedelta = timedelta(0)

    @property
    def duration(self) -> timedelta:
        """How long they take under the limits, at most; answers come on top."""
        return max((_duration(self.requests, w) for w in self.windows), default=timedelta(0))

    @property
    def fits_today(self) -> bool:
        """Whether the windows of a day or longer have room for all of them now."""
        return all(w.left >= self.requests for w in self.windows if w.allowance.per >= _DAY)

    @property
    def short(self) -> Window | None:
        """The window that lets the fewest of them pass, and the others wait for too long."""
        too_long = (w for w in self.windows if w.allowance.per > self.patience)
        return min(
            (w for w in too_long if w.left < self.requests), key=lambda w: w.left, default=None
        )

    def sentences(self) -> list[str]:
        """The same for people; nothing for a vendor without limits."""
        if not self.windows:
            return []
        left = ", ".join(f"{w.left:,} left of {w.allowance}" for w in self.windows)
        told = [
            f"{self.vendor} needs {self.requests:,} request{'' if self.requests == 1 else 's'}, "
            f"{_span(self.duration)} under its limits: {left}"
        ]
        if self.short:
            told.append(f"{self.vendor}: {self._told(self.short)}")
        return told

    def _told(self, short: Window) -> str:
        """What becomes of the requests that a window has no room for."""
        allowance = short.allowance
        room = "today's budget" if allowance.per >= _DAY else f"the window ({allowance})"
        cure = f"; {allowance.setting} says what is allowed" if allowance.setting else ""
        return (
            f"{room} has room for {short.left:,} of these {self.requests:,} requests; the others "
            f"would wait longer than {self.patience.total_seconds():g} s (EMP_REQUEST_PATIENCE) "
            f"and are refused; a later run asks for them{cure}"
        )


def requests_of(vendor: Vendor, question: FetchRequest) -> int:
    """How many requests a question takes: one per symbol and span, unless the vendor says."""
    if isinstance(vendor, CountsRequests):
        return vendor.requests_for(question)
    can = vendor.capabilities
    if question.timeframe not in can.timeframes:
        return 0
    lookback = can.lookback.get(question.timeframe)
    start = question.start if lookback is None else max(question.start, question.now - lookback)
    if start >= question.end:
        return 0
    span = can.request_span.get(question.timeframe)
    spans = 1 if span is None else -(-(question.end - start) // span)
    return spans * len(question.symbols)


def cost_of(
    vendor: Vendor,
    name: str,
    questions: Iterable[FetchRequest],
    windows: tuple[Window, ...],
    patience: timedelta,
) -> Cost:
    """What some questions cost.

    Args:
        vendor: who is asked.
        name: the vendor's, for messages.
        questions: of a plan.
        windows: its allowances, with what is used of them.
        patience: how long a request waits for its turn before it is refused.
    """
    requests = sum(requests_of(vendor, question) for question in questions)
    return Cost(name, requests, windows, patience)


def _duration(requests: int, window: Window) -> timedelta:
    """How long the last of some requests waits for one window, at most."""
    over = requests - window.left
    if over <= 0:
        return timedelta(0)
    return -(-over // window.allowance.requests) * window.allowance.per


def _span(duration: timedelta) -> str:
    """A span for people: "up to 2 days", "at once"."""
    seconds = duration.total_seconds()
    if seconds == 0:
        return "at once"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            number = -(-seconds // length)
            return f"within {number:g} {unit}{'' if number == 1 else 's'}"
    return f"within {seconds:g} second{'' if seconds == 1 else 's'}"
