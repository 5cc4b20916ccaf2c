"""Reference tables as they are published, from configuration and the operations database.

What belongs here: the rows of each. What does not: where they are kept (adapters), what a change
puts out of date (reference_impact.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from market_data.pipeline.platform import Platform
from market_data.pipeline.reference_impact import published_span
from market_data.reference.tables import instruments_table, sessions_table

INSTRUMENTS = "reference/instruments"
TRADING_SESSIONS = "reference/trading_sessions"
CORPORATE_ACTIONS = "reference/corporate_actions"


def reference_table(platform: Platform, name: str) -> pl.DataFrame:
    """The rows of a reference table as they are to be published now.

    Args:
        platform: configuration, clock and actions; its store is not looked at.
        name: of the table, such as reference/instruments.

    Raises:
        KeyError: there is no such table.
        ConfigurationError: the configuration is wrong.
    """
    return _MAKERS[name](platform)


def _sessions(platform: Platform) -> pl.DataFrame:
    first, last = published_span(platform.universe, platform.clock.now().date())
    return sessions_table(platform.universe, first, last)


_MAKERS: Mapping[str, Callable[[Platform], pl.DataFrame]] = {
    INSTRUMENTS: lambda platform: instruments_table(platform.universe),
    TRADING_SESSIONS: _sessions,
    CORPORATE_ACTIONS: lambda platform: platform.actions.read().sort("symbol", "ex_date", "kind"),
}
PUBLISHED = tuple(_MAKERS)
"""Names of the reference tables."""
