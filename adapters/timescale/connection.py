"""Connections to TimescaleDB, and what their errors mean.

What belongs here: the pool for small statements, the kept ADBC connections that move whole frames,
retrying after a lost connection, and the typed error of each kind of trouble.
What does not: statements (reading.py, writing.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import adbc_driver_manager
import psycopg
import psycopg_pool
from adbc_driver_postgresql import dbapi
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from adapters.timescale.settings import TimescaleSettings
from market_data.errors import (
    ConfigurationError,
    MarketDataError,
    StoreUnavailableError,
    UnsupportedOperationError,
)

Found = TypeVar("Found")

RETRY_SECONDS = 60.0
"""A server that restarts is back before; what does not answer for longer is an error."""

_SESSION = "set jit = off; set random_page_cost = 1.1; set timezone = 'UTC'"
_LOST = ("08", "57P", "53300", "XX000")
_SERIALISATION = ("40001", "40P01")


class LostConnectionError(StoreUnavailableError):
    """The server went away, or could not be reached; worth another attempt."""


class Connections:
    """The connections of one process to one database; safe across threads and forks."""

    def __init__(self, settings: TimescaleSettings) -> None:
        self.settings = settings
        self._local = threading.local()
        self._guard = threading.Lock()
        self._pool: psycopg_pool.ConnectionPool[psycopg.Connection[Any]] | None = None
        self._owner = os.getpid()

    def __repr__(self) -> str:
        return f"Connections({self.settings.shown})"

    def retrying(self, work: Callable[[], Found]) -> Found:
        """Do work that may be done again from its beginning until no connection is lost in it.

        Raises:
            StoreUnavailableError: the server stayed away.
        """
        for attempt in Retrying(
            retry=retry_if_exception_type(LostConnectionError),
            stop=stop_after_delay(RETRY_SECONDS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        ):
            with attempt:
                return work()
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def arrow(self, *, writing: bool) -> Iterator[Any]:
        """A cursor on this thread's ADBC connection, in a transaction of its own.

        Args:
            writing: committed at the end and without a time limit; else rolled back, and limited.

        Raises:
            MarketDataError: typed, see `explained`.
        """
        kind = "writer" if writing else "reader"
        connection = self._kept(kind)
        try:
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
            if writing:
                connection.commit()
            else:
                connection.rollback()
        except adbc_driver_manager.Error as error:
            self._drop(kind)
            raise explained(error, self.settings) from None
        except BaseException:
            # Whatever was half done goes with the connection.
            self._drop(kind)
            raise

    @contextmanager
    def small(self) -> Iterator[psycopg.Connection[Any]]:
        """A pooled connection for a small statement.

        Raises:
            MarketDataError: typed, see `explained`.
        """
        try:
            with self._opened_pool().connection() as connection:
                yield connection
        except psycopg_pool.PoolTimeout:
            raise self._exhausted() from None
        except psycopg.Error as error:
            raise explained(error, self.settings) from None

    def close(self) -> None:
        """Close the pool and this thread's connections."""
        for kind in ("reader", "writer"):
            self._drop(kind)
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _kept(self, kind: str) -> Any:
        known = getattr(self._local, kind, None)
        if known is not None and known[0] == os.getpid():
            return known[1]
        connection = self._connect(kind)
        setattr(self._local, kind, (os.getpid(), connection))
        return connection

    def _connect(self, kind: str) -> Any:
        limit = self.settings.statement_timeout_ms if kind == "reader" else 0
        try:
            connection = dbapi.connect(self.settings.conninfo())
            with connection.cursor() as cursor:
                cursor.executescript(f"{_SESSION}; set statement_timeout = {int(limit)}")
            connection.commit()
        except adbc_driver_manager.Error as error:
            raise explained(error, self.settings, connecting=True) from None
        return connection

    def _drop(self, kind: str) -> None:
        known = getattr(self._local, kind, None)
        setattr(self._local, kind, None)
        if known is None or known[0] != os.getpid():
            return
        try:
            known[1].close()
        except adbc_driver_manager.Error:
            # It was broken: that is why it goes.
            return

    def _opened_pool(self) -> psycopg_pool.ConnectionPool[psycopg.Connection[Any]]:
        with self._guard:
            if self._pool is None or self._owner != os.getpid():
                self._pool = self._new_pool()
                self._owner = os.getpid()
            return self._pool

    def _new_pool(self) -> psycopg_pool.ConnectionPool[psycopg.Connection[Any]]:
        given = self.settings
        # Tried once by hand: the pool would go on trying a wrong password in the background.
        try:
            psycopg.connect(given.conninfo()).close()
        except psycopg.OperationalError as error:
            raise explained(error, given, connecting=True) from None
        check = psycopg_pool.ConnectionPool.check_connection if given.pool_pre_ping else None
        return psycopg_pool.ConnectionPool(
            given.conninfo(),
            min_size=0,
            max_size=given.pool_size + given.max_overflow,
            timeout=given.pool_timeout,
            max_lifetime=given.pool_recycle,
            check=check,
            kwargs={
                "autocommit": True,
                "options": f"-c statement_timeout={int(given.statement_timeout_ms)}",
            },
            open=True,
        )

    def _exhausted(self) -> StoreUnavailableError:
        given = self.settings
        return StoreUnavailableError(
            f"no connection to TimescaleDB became free within {given.pool_timeout:g} s: raise "
            f"TIMESCALEDB_POOL_SIZE (now {given.pool_size}) or TIMESCALEDB_MAX_OVERFLOW (now "
            f"{given.max_overflow})"
        )


def explained(
    error: Exception, settings: TimescaleSettings, *, connecting: bool = False
) -> Exception:
    """The typed error of what a driver raised; its text names the cure and no secret."""
    state, text = str(getattr(error, "sqlstate", None) or ""), str(error)
    found = next((m for m in _MEANINGS if m.fits(state, text)), None)
    if found is not None:
        told = found.text.format(where=settings.shown, limit=settings.statement_timeout_ms)
        return found.kind(told)
    if connecting or state.startswith(_LOST) or state in _SERIALISATION or _is_lost(error, text):
        return LostConnectionError(
            f"no connection to TimescaleDB at {settings.shown}: is it running, and is "
            "TIMESCALEDB_URL right?"
        )
    return StoreUnavailableError(
        f"TimescaleDB at {settings.shown} failed with SQLSTATE {state or 'unknown'}"
    )


@dataclass(frozen=True)
class _Meaning:
    """What a state of SQL, or the words of a server that gives none, means to a person."""

    states: tuple[str, ...]
    words: tuple[str, ...]
    kind: type[MarketDataError]
    text: str

    def fits(self, state: str, text: str) -> bool:
        if state:
            return state.startswith(self.states)
        return any(word in text for word in self.words)


_MEANINGS = (
    _Meaning(
        ("28",),
        ("authentication failed", "no password supplied"),
        ConfigurationError,
        "TimescaleDB at {where} refuses the login: check user and password in TIMESCALEDB_URL",
    ),
    _Meaning(
        ("3D000",),
        ('" does not exist',),
        ConfigurationError,
        "TimescaleDB at {where} has no such database: create it, or mend TIMESCALEDB_URL",
    ),
    _Meaning(
        ("57014",),
        ("statement timeout",),
        StoreUnavailableError,
        "TimescaleDB at {where} took longer than TIMESCALEDB_STATEMENT_TIMEOUT_MS ({limit} ms) "
        "for a read: ask for less, or raise it",
    ),
    _Meaning(
        ("42501",),
        (),
        ConfigurationError,
        "this user may not do that on TimescaleDB at {where}: grant it",
    ),
    _Meaning(
        ("25006",),
        (),
        ConfigurationError,
        "TimescaleDB at {where} takes no writes: TIMESCALEDB_URL must name the primary",
    ),
    _Meaning(
        ("53100", "53200", "58030"),
        (),
        StoreUnavailableError,
        "TimescaleDB at {where} has no room left: make room on its disk",
    ),
    _Meaning(
        ("42P01", "3F000"),
        (),
        UnsupportedOperationError,
        "TimescaleDB at {where} lacks a table of the platform: run 'emp migrate'",
    ),
)


def _is_lost(error: Exception, text: str) -> bool:
    if getattr(error, "sqlstate", None):
        return False
    words = ("server closed", "connection", "terminat", "SSL SYSCALL", "EOF detected")
    return isinstance(error, psycopg.OperationalError) or any(word in text for word in words)
