"""A long range as the questions that a vendor takes.

What belongs here: cutting ranges. What does not: which ranges a vendor serves (the vendors).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta


def pages(
    start: datetime, end: datetime, step: timedelta, most: int
) -> Iterator[tuple[datetime, datetime]]:
    """Start and end (excluded) of each question, the oldest first.

    Args:
        start: of the range.
        end: of the range, excluded.
        step: from one bar to the next.
        most: bars of one question.
    """
    while start < end:
        until = min(start + most * step, end)
        yield start, until
        start = until
