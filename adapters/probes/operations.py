"""The operations database: reachable, migrated, writable."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from adapters.operations.database import open_database, reading
from adapters.operations.migration import HEAD, stored_revision
from adapters.probes.probe import Facts, Finding, Probe, State

_CURE = "check EMP_OPERATIONS_URL and that its server runs and takes this user"


def operations_probe(url: str, part: str) -> Probe:
    """A look at the operations database.

    Args:
        url: its SQLAlchemy URL.
        part: postgresql or sqlite, as the report shall call it.
    """
    return Probe(part, lambda: _look(url, part), _CURE)


def _look(url: str, part: str) -> Finding:
    # Opening migrates where needed, as every process that opens it does.
    engine = open_database(url)
    try:
        with reading(engine) as connection:
            revisions: Facts = {"revision": stored_revision(connection), "revision_needed": HEAD}
            if engine.dialect.name == "sqlite":
                version = str(connection.scalar(sa.text("select sqlite_version()")))
                known: Facts = {"version": version, **revisions}
                return Finding(part, State.OK, f"SQLite {version}", facts=known)
            version = str(connection.scalar(sa.text("show server_version")))
            read_only = connection.scalar(sa.text("select pg_is_in_recovery()"))
            facts: Facts = {"version": version, "standby": bool(read_only), **revisions}
            if read_only:
                told = "the server is a standby, which takes no writes"
                return Finding(part, State.ERROR, told, _CURE, facts)
            return Finding(part, State.OK, f"PostgreSQL {version}", facts=facts)
    except SQLAlchemyError as error:
        return Finding(part, State.ERROR, f"a query failed: {type(error).__name__}", _CURE)
    finally:
        engine.dispose()
