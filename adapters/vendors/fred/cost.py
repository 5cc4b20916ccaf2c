"""How many requests a range of macro releases takes.

What belongs here: counting, and the limits of pages that it depends on. What does not: asking
(source.py).
"""

from __future__ import annotations

from datetime import date, timedelta

LONG = timedelta(days=62)
"""A range that is longer is asked release by release: the dates of all three hundred releases would
take more pages than that."""
ALL_DATES_LIMIT, DATES_LIMIT, OBSERVATIONS_LIMIT = 1_000, 10_000, 100_000
"""Most rows of a page, of all releases' dates, of one release's, of a series."""
_DATES_A_DAY = 48
"""At most, of all releases together; in 2024 there were 24 a day."""


def requests_at_most(releases: int, series: int, first: date, last: date) -> int:
    """Requests of a range, where nothing is asked twice and no series is asked for in portions.

    Args:
        releases: whose dates are asked for; 0 for none.
        series: whose values are asked for.
        first: first date of a release.
        last: last date, included.
    """
    days = (last - first).days + 1
    pages = -(-days * _DATES_A_DAY // ALL_DATES_LIMIT)
    return series + (0 if not releases else pages if last - first <= LONG else releases)
