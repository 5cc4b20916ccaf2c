"""How late bars come, per reader; apart, so that asking loads no reader.

What belongs here: how long after its end a bar can be had, and how long after a session's close a
bar that is missing may still come. What does not: what follows for a session (the pipeline in
market_data).
"""

from __future__ import annotations

from datetime import timedelta

DELAYS = {
    "alpha_vantage": timedelta(minutes=15),
    "coinbase": timedelta(minutes=1),
    # The slowest daily series come once a week, a day late where Monday is a holiday.
    "fred": timedelta(days=8),
    "oanda": timedelta(minutes=1),
    "tws": timedelta(minutes=1),
    "yahoo": timedelta(minutes=15),
}
"""Readers that are not named here have a bar at its end."""

SETTLING: dict[str, timedelta | None] = {
    # Invented bars are all there at once, or never.
    "sample": timedelta(0),
    # A longer or a corrected file may come at any time.
    "files": None,
    # A day comes overnight, and is mended over the following days.
    "alpha_vantage": timedelta(days=5),
    # A minute without a trade has no bar and never gets one; the day after an outage may.
    "coinbase": timedelta(days=1),
    "fred": timedelta(days=14),
    "oanda": timedelta(days=1),
    # Its history is filtered and compressed overnight; at a week-end that may take until Monday.
    "tws": timedelta(days=3),
    # Volumes and single bars are mended over the following days, across a long weekend.
    "yahoo": timedelta(days=5),
}
DEFAULT_SETTLING = timedelta(days=5)
"""For readers that are not named above."""


def delay_of(reader: str) -> timedelta:
    """The delay of a reader's vendors."""
    return DELAYS.get(reader, timedelta(0))


def settling_of(reader: str) -> timedelta | None:
    """How long after a session's close its missing bars may come; None: for ever."""
    return SETTLING.get(reader, DEFAULT_SETTLING)
