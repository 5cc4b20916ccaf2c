"""Working on TimescaleDB: transactions, and trying again what a lost connection interrupted.

What belongs here: the life of a transaction, retrying, the typed error of each kind of trouble.
What does not: opening and keeping connections (pools.py), the words of errors (errors.py),
statements (reading.py, writing.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import adbc_driver_manager
import psycopg
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.exc import TimeoutError as NoneBecameFreeError
from sqlalchemy.pool import PoolProxiedConnection
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from adapters.timescale.errors import (
    LostConnectionError,
    LostRaceError,
    StartingError,
    exhausted,
    explained,
)
from adapters.timescale.pools import Kind, Pools
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import MarketDataError

Found = TypeVar("Found")
LOG = logging.getLogger(__name__)

_DRIVERS = (adbc_driver_manager.Error, psycopg.Error)
# Servers that this process has worked with: one of them that does not answer is away for a while,
# any other is more likely to be misspelt.
_met: set[TimescaleSettings] = set()


class Connections:
    """The connections of one process to one database; safe across threads, refused after a fork."""

    def __init__(self, settings: TimescaleSettings) -> None:
        self.settings = settings
        self._pools = Pools(settings)
        self._away = False

    def __repr__(self) -> str:
        return f"Connections({self.settings.shown})"

    def opening(self, work: Callable[[], Found]) -> Found:
        """Do the first work on the server; it may be done again from its beginning.

        A server that this process knows, or that says that it is starting, is waited for as in
        `retrying`. One that was never reached is an error at once.

        Raises:
            MarketDataError: typed, see `explained`.
        """
        patient = LostConnectionError if self.settings in _met else StartingError
        found = self._again_after((patient,), work)
        _met.add(self.settings)
        return found

    def retrying(self, work: Callable[[], Found]) -> Found:
        """Do work until neither a lost connection nor a lost race ends it.

        It may be done again after a commit of which the server could not tell the result, so it
        must come to the same however often it is done. TIMESCALEDB_RETRY_SECONDS limits the time.

        Raises:
            StoreUnavailableError: the server stayed away.
            StoreConflictError: other writers won every time.
        """
        return self._again_after((LostConnectionError, LostRaceError), work)

    @contextmanager
    def arrow(self, *, writing: bool) -> Iterator[Any]:
        """A cursor of an ADBC connection, in a transaction of its own.

        Args:
            writing: committed at the end and without a time limit; else rolled back, and limited.

        Raises:
            MarketDataError: typed, see `explained`.
        """
        with self._lent(Kind.WRITER if writing else Kind.READER) as connection:
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
            if writing:
                connection.commit()
            else:
                connection.rollback()

    @contextmanager
    def small(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for small statements, each committed by itself.

        Raises:
            MarketDataError: typed, see `explained`.
        """
        with self._lent(Kind.SMALL) as connection:
            yield connection.dbapi_connection  # type: ignore[misc]

    def close(self) -> None:
        """Close what is open and not in use."""
        self._pools.close()

    @contextmanager
    def _lent(self, kind: Kind) -> Iterator[PoolProxiedConnection]:
        connection = self._borrow(kind)
        try:
            yield connection
        except BaseException as error:
            # Whatever was half done goes with the connection.
            connection.invalidate()
            if isinstance(error, _DRIVERS):
                raise self._told(kind, error, connecting=False) from None
            raise
        connection.close()

    def _borrow(self, kind: Kind) -> PoolProxiedConnection:
        try:
            return self._pools.lend(kind)
        except NoneBecameFreeError:
            raise exhausted(self.settings) from None
        except InvalidRequestError as error:
            # Connections broke as fast as the pool opened them.
            raise self._told(kind, error, connecting=True) from None
        except _DRIVERS as error:
            raise self._told(kind, error, connecting=True) from None

    def _told(self, kind: Kind, error: Exception, *, connecting: bool) -> MarketDataError:
        told = explained(error, self.settings, connecting=connecting)
        if isinstance(told, LostConnectionError):
            # The others of its kind are lost as well.
            self._pools.forget(kind)
        return told

    def _again_after(
        self, kinds: tuple[type[MarketDataError], ...], work: Callable[[], Found]
    ) -> Found:
        retrying = Retrying(
            retry=retry_if_exception_type(kinds),
            stop=stop_before_delay(self.settings.retry_seconds),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            before_sleep=self._warn_once,
            reraise=True,
        )
        found = retrying(work)
        if self._away:
            self._away = False
            LOG.info("TimescaleDB at %s answers again", self.settings.shown)
        return found

    def _warn_once(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self._away or not isinstance(error, LostConnectionError):
            return
        self._away = True
        LOG.warning(
            "lost TimescaleDB at %s; what was going on is done again as soon as it answers, for up "
            "to %g s (TIMESCALEDB_RETRY_SECONDS)",
            self.settings.shown,
            self.settings.retry_seconds,
        )
