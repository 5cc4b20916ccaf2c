"""How late bars come, per reader; apart, so that asking loads no reader.

What belongs here: how long after its end a bar can be had, and how long after a session's close a
bar that is missing may still come. What does not: what follows for a session (the pipeline in
market_data).
"""

from __future__ import annotations

from datetime import timedelta

from market_data.errors import ConfigurationError

DELAYS = {
    # A free key is given the bars of the day before; whoever pays for more knows them earlier.
    "alpha_vantage": timedelta(days=1),
    "coinbase": timedelta(minutes=1),
    # The slowest daily series come once a week, a day late where Monday is a holiday.
    "fred": timedelta(days=8),
    # Nobody says when a file came: its bars count as known at their end.
    "files": timedelta(0),
    "oanda": timedelta(minutes=1),
    "sample": timedelta(0),
    "tws": timedelta(minutes=1),
    "yahoo": timedelta(minutes=15),
}
"""Every reader: one that is forgotten would be believed to know its bars too early."""

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
"""Every reader."""


def delay_of(reader: str) -> timedelta:
    """The delay of a reader's vendors.

    Raises:
        ConfigurationError: there is no such reader.
    """
    return DELAYS[_known(reader)]


def settling_of(reader: str) -> timedelta | None:
    """How long after a session's close its missing bars may come; None: for ever.

    Raises:
        ConfigurationError: there is no such reader.
    """
    return SETTLING[_known(reader)]


def _known(reader: str) -> str:
    if reader not in DELAYS:
        readers = ", ".join(sorted(DELAYS))
        raise ConfigurationError(f"there is no reader {reader!r}; there are: {readers}")
    return reader
