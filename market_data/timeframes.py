"""The bar lengths that the platform keeps, and nothing else about time.

Calendars and sessions live in market_data/calendars; a bar's own start and end are computed here.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class Timeframe(StrEnum):
    """Length of one bar. The value is its name in configuration, assets and tables."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def duration(self) -> timedelta:
        """Nominal length; a daily bar lasts as long as its session, see `is_intraday`."""
        return _DURATIONS[self]

    @property
    def minutes(self) -> int:
        """Nominal length in minutes."""
        return int(self.duration.total_seconds() // 60)

    @property
    def is_intraday(self) -> bool:
        """Whether a session holds several bars of this timeframe."""
        return self is not Timeframe.D1


_DURATIONS = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.M30: timedelta(minutes=30),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
}
