"""What the outbox of alerts hands out: messages, and how routes fare.

What belongs here: the records. What does not: keeping them (alert_outbox.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from market_data.alerts import Message


@dataclass(frozen=True)
class Waiting:
    """A message that waits, and its place in the order of all."""

    sequence: int
    message: Message
    attempts: int


@dataclass(frozen=True)
class Kept:
    """A message as the outbox remembers it; times are aware, None for not at all."""

    message_id: str
    route: str
    state: str
    title: str
    created_at: datetime
    attempts: int
    sent_at: datetime | None
    refused_at: datetime | None
    error: str


@dataclass(frozen=True)
class RouteHealth:
    """How a route fares.

    Attributes:
        route: its name.
        waiting: messages that wait for it.
        oldest: since when the oldest does.
        failures: attempts in a row that failed.
        next_at: when the next attempt is made; None where it can be at once.
        down_since: when the first of these failed.
        refused: messages that it refused for good, and those that were set aside.
        error: of the last attempt.
    """

    route: str
    waiting: int = 0
    oldest: datetime | None = None
    failures: int = 0
    next_at: datetime | None = None
    down_since: datetime | None = None
    refused: int = 0
    error: str = ""
