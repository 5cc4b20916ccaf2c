"""Leases: one process at a time for a piece of work that may run on any machine.

What belongs here: taking, keeping and giving back a lease in the operations database.
What does not: the work. A lease runs out by itself, so that a dead holder blocks nobody for longer
than its term; work under it must therefore stand being done twice.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from adapters.operations.models import leases

_MICROSECONDS = 1_000_000


class Lease:
    """A lease by name; each object is a holder of its own, unless it is told another.

    Args:
        engine: from `open_database`.
        name: of the work.
        term: how long a holder may be silent.
        holder: all objects that are given the same are one holder; empty: none other.
    """

    def __init__(self, engine: Engine, name: str, *, term: timedelta, holder: str = "") -> None:
        self._engine = engine
        self._name = name
        self._term = int(term.total_seconds() * _MICROSECONDS)
        self._holder = holder or uuid.uuid4().hex

    def take(self) -> bool:
        """Take the lease or prolong it; whether this object holds it now."""
        with writing(self._engine) as connection:
            now = _now(connection)
            # Plain integers: the moment is the database's own, in the form of the column.
            row = {"name": self._name, "holder": self._holder, "expires_at": now + self._term}
            insert = upsert_into(leases, connection).values(
                {k: sa.literal(v, _TYPES[k]) for k, v in row.items()}
            )
            free = sa.or_(
                leases.c.holder == self._holder,
                sa.type_coerce(leases.c.expires_at, sa.BigInteger) < now,
            )
            taken = insert.on_conflict_do_update(
                index_elements=[leases.c.name],
                set_={"holder": insert.excluded.holder, "expires_at": insert.excluded.expires_at},
                where=free,
            )
            return connection.execute(taken.returning(leases.c.name)).first() is not None

    def is_held(self) -> bool:
        """Whether anybody holds it now."""
        expires = sa.type_coerce(leases.c.expires_at, sa.BigInteger)
        query = sa.select(expires).where(leases.c.name == self._name)
        with reading(self._engine) as connection:
            until = connection.scalar(query)
            return until is not None and until >= _now(connection)

    def give_back(self) -> None:
        """Let another take it at once; nothing where another holds it already."""
        mine = sa.delete(leases).where(leases.c.name == self._name, leases.c.holder == self._holder)
        with writing(self._engine) as connection:
            connection.execute(mine)


_TYPES: dict[str, Any] = {
    "name": sa.String(),
    "holder": sa.String(),
    "expires_at": sa.BigInteger(),
}


def _now(connection: Connection) -> int:
    """Microseconds since 1970: the server's clock, as holders may be on several machines."""
    if connection.dialect.name == "postgresql":
        clock = sa.func.extract("epoch", sa.func.clock_timestamp()) * _MICROSECONDS
        return int(connection.execute(sa.select(sa.cast(clock, sa.BigInteger))).scalar_one())
    return time.time_ns() // 1_000
