"""Opening the parts of this package from settings.

What belongs here: which class stands for what; a database that is migrated first.
What does not: how a part works; each has a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from adapters.kept_open import KeptOpen
from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.errors import explained
from adapters.timescale.migration import is_current, migrate
from adapters.timescale.reference_tables import TimescaleReferenceTables
from adapters.timescale.settings import TimescaleSettings

Found = TypeVar("Found")
_KEPT: KeptOpen[Connections] = KeptOpen(lambda connections: connections.close())


def open_connections(settings: TimescaleSettings) -> Connections:
    """Connections to a database at the newest revision, migrated where it is behind.

    A server that is starting, or that this process has worked with before, is waited for.

    Raises:
        ConfigurationError: it cannot be used or migrated; the message names the cure.
        StoreUnavailableError: it did not answer.
    """
    connections = Connections(settings)
    connections.opening(lambda: _typed(migrate, settings))
    return connections


def kept_connections(settings: TimescaleSettings) -> Connections:
    """The same connections for everybody of this process who names the database.

    Only the first one looks whether it has to be migrated, see `open_connections`.
    """
    return _KEPT.find(settings) or _KEPT.keep(settings, open_connections(settings))


def open_existing(settings: TimescaleSettings) -> Connections | None:
    """Connections to a database that is at the newest revision; changes nothing.

    Returns:
        None where it was never migrated, or is behind.

    Raises:
        ConfigurationError: it cannot be used; the message names the cure.
        StoreUnavailableError: it did not answer.
    """
    connections = Connections(settings)
    current = connections.opening(lambda: _typed(is_current, settings))
    return connections if current else None


def open_store(connections: Connections) -> TimescaleStore:
    """Curated datasets and scores."""
    return TimescaleStore(connections)


def open_reference_tables(connections: Connections) -> TimescaleReferenceTables:
    """The small tables that are replaced whole."""
    return TimescaleReferenceTables(connections)


def _typed(look: Callable[[str], Found], settings: TimescaleSettings) -> Found:
    import psycopg
    from sqlalchemy.exc import DBAPIError

    try:
        return look(settings.conninfo())
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, psycopg.Error) else error
        raise explained(cause, settings) from None
