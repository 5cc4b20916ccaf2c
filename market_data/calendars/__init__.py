"""Trading calendars: which sessions exist, which one a bar belongs to, which bars it holds.

What belongs here: everything that turns a calendar code into sessions, session labels and bar
grids. What does not: comparing these expectations with data (market_data/quality), instruments
(market_data/universe.py).

A calendar code is an exchange's MIC known to exchange_calendars ("XNYS", "XTKS", "CMES" ...),
"fx" (the New York day of the interbank market), "24/7" (the UTC day), or one of
config/reference/sessions.yaml. Days that a configuration changes make it a version
(market_data/calendar_versions.py).
"""

from market_data.calendar_versions import calendar_name, versioned
from market_data.calendars.grid import bar_starts, expected_bars
from market_data.calendars.labels import (
    daily_start,
    with_bar_end,
    with_end_of_basis,
    with_session,
)
from market_data.calendars.sessions import (
    check_calendars,
    exchange_zone,
    is_session,
    last_closed_session,
    trading_sessions,
)

__all__ = [
    "bar_starts",
    "calendar_name",
    "check_calendars",
    "daily_start",
    "exchange_zone",
    "expected_bars",
    "is_session",
    "last_closed_session",
    "trading_sessions",
    "versioned",
    "with_bar_end",
    "with_end_of_basis",
    "with_session",
]
