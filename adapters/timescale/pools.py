"""The open connections of one process, lent and taken back.

What belongs here: opening a connection of each kind, keeping a limited number of them, and keeping
those of a parent process from its children.
What does not: what is done with one, and what its errors mean (connection.py, errors.py).
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from enum import StrEnum
from typing import Any

import adbc_driver_manager
import psycopg
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from adapters.timescale.session import DURABLE
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import UnsupportedOperationError


class Kind(StrEnum):
    """What a connection is for; each kind has a pool of its own."""

    READER = "reader"
    """Moves frames by ADBC, with a time limit per statement."""
    WRITER = "writer"
    """Moves frames by ADBC, without one."""
    SMALL = "small"
    """Small statements by psycopg, each committed by itself, with the time limit."""


class Pools:
    """One pool per kind, made when it is first needed. Safe across threads, refused after a fork.

    A child process must not use the connections of its parent, nor close them: either would reach
    the server as words of the parent. Polars may hang there as well. So a child is told to be
    started in another way.
    """

    def __init__(self, settings: TimescaleSettings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._pools: dict[Kind, QueuePool] = {}
        self._owner = os.getpid()
        _ALL.add(self)

    def __reduce__(self) -> Any:
        """Connections stay where they are, and so does the password.

        Raises:
            UnsupportedOperationError: always.
        """
        raise UnsupportedOperationError(
            "connections to TimescaleDB cannot be sent to another process: open them there"
        )

    def lend(self, kind: Kind) -> PoolProxiedConnection:
        """A connection; `close` gives it back, `invalidate` throws it away.

        Raises:
            UnsupportedOperationError: these connections belong to a parent process.
            sqlalchemy.exc.TimeoutError: none became free in time.
            Exception: of the driver, where none could be opened.
        """
        if self._owner != os.getpid():
            raise UnsupportedOperationError(
                "connections to TimescaleDB do not outlive a fork: start processes with "
                'multiprocessing.get_context("spawn") and open connections in them'
            )
        with self._guard:
            if kind not in self._pools:
                self._pools[kind] = self._new(kind)
            pool = self._pools[kind]
        return pool.connect()

    def forget(self, kind: Kind) -> None:
        """Close the idle connections of a kind; those that are lent go when they come back."""
        if self._owner != os.getpid():
            return
        with self._guard:
            pool = self._pools.pop(kind, None)
        if pool is not None:
            pool.dispose()

    def close(self) -> None:
        """Close all idle connections."""
        for kind in Kind:
            self.forget(kind)

    def keep_for_ever(self) -> None:
        """Let nothing in this process close a connection, not even its end."""
        for pool in list(self._pools.values()):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))

    def _new(self, kind: Kind) -> QueuePool:
        given = self._settings

        def connect() -> Any:
            return self._small() if kind is Kind.SMALL else self._arrow(kind)

        pool = QueuePool(
            connect,
            pool_size=given.pool_size,
            max_overflow=given.max_overflow,
            timeout=given.pool_timeout,
            recycle=int(given.pool_recycle),
            # Whoever borrowed it has ended its transaction.
            reset_on_return=None,
        )
        if given.pool_pre_ping:
            sa.event.listen(pool, "checkout", _ping_small if kind is Kind.SMALL else _ping_arrow)
        return pool

    def _small(self) -> Any:
        connection = psycopg.connect(self._settings.conninfo(), autocommit=True)
        connection.execute(self._prelude(Kind.SMALL).encode())
        return connection

    def _arrow(self, kind: Kind) -> Any:
        connection = dbapi.connect(self._settings.conninfo())
        with connection.cursor() as cursor:
            cursor.executescript(self._prelude(kind))
        connection.commit()
        return connection

    def _prelude(self, kind: Kind) -> str:
        limit = 0 if kind is Kind.WRITER else int(self._settings.statement_timeout_ms)
        return f"set statement_timeout = {limit}; {DURABLE}"


def _ping_small(connection: Any, *_: object) -> None:
    try:
        connection.execute("")
    except psycopg.OperationalError:
        # All that are as old as this one are opened anew.
        raise InvalidatePoolError from None


def _ping_arrow(connection: Any, *_: object) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.executescript("select 1")
    except adbc_driver_manager.Error:
        raise InvalidatePoolError from None


_ALL: weakref.WeakSet[Pools] = weakref.WeakSet()


def _keep_those_of_the_parent() -> None:
    for pools in list(_ALL):
        pools.keep_for_ever()


os.register_at_fork(after_in_child=_keep_those_of_the_parent)
