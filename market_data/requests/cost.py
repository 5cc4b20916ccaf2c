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
    """

    vendor: str
    requests: int
    windows: tuple[Window, ...]

    @property
    def duration(self) -> timedelta:
        """How long they take under the limits, at most; answers come on top."""
        return max((_duration(self.requests, w) for w in self.windows), default=timedelta(0))

    @property
    def too_many_today(self) -> Window | None:
        """The window of a day or longer that has no room for all of them; None where all have."""
        long = (w for w in self.windows if w.allowance.per >= _DAY)
        return next((w for w in long if w.left < self.requests), None)

    def sentences(self) -> list[str]:
        """The same for people; nothing for a vendor without limits."""
        if not self.windows:
            return []
        left = ", ".join(f"{w.left:,} left of {w.allowance}" for w in self.windows)
        told = [
            f"{self.vendor} needs {self.requests:,} request{'' if self.requests == 1 else 's'}, "
            f"{_span(self.duration)} under its limits: {left}"
        ]
        if short := self.too_many_today:
            cure = f"; {short.allowance.setting} says what is allowed" * bool(
                short.allowance.setting
            )
            told.append(
                f"{self.vendor}: today's budget has room for {short.left:,} of these "
                f"{self.requests:,} requests; what is refused is asked for by a run on another day"
                f"{cure}"
            )
        return told


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
    vendor: Vendor, name: str, questions: Iterable[FetchRequest], windows: tuple[Window, ...]
) -> Cost:
    """What some questions cost.

    Args:
        vendor: who is asked.
        name: the vendor's, for messages.
        questions: of a plan.
        windows: its allowances, with what is used of them.
    """
    return Cost(name, sum(requests_of(vendor, question) for question in questions), windows)


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
