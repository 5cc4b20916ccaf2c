"""Locks between processes on any machine, by name.

What belongs here: the `Locks` port on PostgreSQL's advisory locks, which the death of a process,
or of its machine, frees. What does not: what is done under them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from market_data.errors import StoreConflictError, StoreUnavailableError

_WAITED_TOO_LONG = "55P03"


class AdvisoryLocks:
    """Locks in one PostgreSQL database.

    Args:
        engine: of that database; each holder keeps one connection of it.
        timeout: seconds to wait for one lock.
    """

    def __init__(self, engine: Engine, timeout: float = 900.0) -> None:
        self._engine = engine
        self._timeout = timeout

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Hold all of some names, taken in one order by everybody.

        Raises:
            StoreConflictError: another process kept one of them longer than the time-out.
            StoreUnavailableError: the database did not answer.
        """
        # One transaction holds them all: its end, however it ends, gives them back.
        with self._engine.connect() as connection, connection.begin():
            self._take(connection, sorted(set(names)))
            yield

    def _take(self, connection: sa.Connection, names: list[str]) -> None:
        milliseconds = int(self._timeout * 1000)
        try:
            connection.execute(sa.text(f"set local lock_timeout = {milliseconds}"))
            connection.execute(sa.text("set local idle_in_transaction_session_timeout = 0"))
            for name in names:
                connection.execute(
                    sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 1))"),
                    {"name": name},
                )
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _WAITED_TOO_LONG:
                raise StoreConflictError(
                    f"another process holds {names[0]} or a lock beside it for more than "
                    f"{self._timeout:g} s"
                ) from None
            raise StoreUnavailableError(
                "the database of EMP_OPERATIONS_URL gave no lock: is it running?"
            ) from None
