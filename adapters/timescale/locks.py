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
from sqlalchemy.exc import TimeoutError as NoneBecameFreeError

from market_data.errors import StoreConflictError, StoreUnavailableError

_WAITED_TOO_LONG = "55P03"
_LOCK = sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 1))")
# A machine that dies says no goodbye: without keepalives its locks would stay for hours.
_SESSION = sa.text(
    "select set_config('lock_timeout', :timeout, true), "
    "set_config('idle_in_transaction_session_timeout', '0', true), "
    "set_config('tcp_keepalives_idle', '30', true), "
    "set_config('tcp_keepalives_interval', '10', true), "
    "set_config('tcp_keepalives_count', '3', true)"
)


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
            StoreUnavailableError: the database did not answer, or was lost while the locks were
                held; somebody else may have had them since.
        """
        connection = self._connected()
        try:
            # One transaction holds them all: its end, however it ends, gives them back.
            self._take(connection, sorted(set(names)))
            yield
            self._give_back(connection)
        except BaseException:
            # Back to the pool only as a new connection: this one may still hold something.
            connection.invalidate()
            raise
        finally:
            connection.close()

    def _connected(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except (DBAPIError, NoneBecameFreeError):
            raise _no_answer() from None

    def _take(self, connection: sa.Connection, names: list[str]) -> None:
        milliseconds = int(self._timeout * 1000)
        try:
            connection.execute(_SESSION, {"timeout": str(milliseconds)})
            for name in names:
                connection.execute(_LOCK, {"name": name})
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _WAITED_TOO_LONG:
                raise StoreConflictError(
                    f"another process holds {names[0]} or a lock beside it for more than "
                    f"{self._timeout:g} s"
                ) from None
            raise _no_answer() from None

    def _give_back(self, connection: sa.Connection) -> None:
        try:
            connection.commit()
        except DBAPIError:
            raise StoreUnavailableError(
                "the database of EMP_OPERATIONS_URL was lost while it held locks: run the same "
                "again, another process may have written in between"
            ) from None


def _no_answer() -> StoreUnavailableError:
    return StoreUnavailableError(
        "the database of EMP_OPERATIONS_URL gave no lock: is it running, and has it connections "
        "left?"
    )
