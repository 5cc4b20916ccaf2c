"""A look at whether the server answers, on a connection that stays open.

What belongs here: one cheap question, and its answer as a look. What does not: what follows from it
(market_data/failover/decide.py), a thorough look at the server (adapters/probes/timescale.py).
"""

from __future__ import annotations

from datetime import datetime

from adapters.timescale.connection import Connections
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import StoreUnavailableError
from market_data.failover.state import Look

CONNECT_SECONDS = 2


class StoreWatch:
    """Looks at one server; the connection of a look that found it is the next look's.

    Args:
        settings: where the server is.
    """

    def __init__(self, settings: TimescaleSettings) -> None:
        limits = {"connect_timeout": CONNECT_SECONDS, "retry_seconds": 0.0}
        self._connections = Connections(settings.model_copy(update=limits))

    def look(self, at: datetime) -> Look:
        """Ask the server for nothing but an answer.

        Args:
            at: the moment, aware.

        Raises:
            ConfigurationError: it answers, and refuses: that is no outage.
        """
        try:
            with self._connections.small() as connection:
                connection.execute("select 1")
        except StoreUnavailableError as error:
            return Look(at, reachable=False, reason=str(error))
        return Look(at, reachable=True)

    def close(self) -> None:
        """Close the connection."""
        self._connections.close()
