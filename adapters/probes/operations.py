"""The operations database: reachable, migrated, writable.

A server's database is looked at as it is: migrating it is left to 'emp migrate' and to whoever
works with it. A file of one machine is made and migrated, as by every process that opens it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adapters.operations.database import (
    existing_revision,
    open_database,
    open_existing,
    reading,
)
from adapters.operations.migration import HEAD, SCRIPTS, stored_revision
from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.probes.revisions import CURES, age_of, told
from market_data.errors import ConfigurationError

_CURE = "check EMP_OPERATIONS_URL and that its server runs and takes this user"
_MEND = "mend what it names; it is no outage"
_GRANT = "let their owner grant them, or name their owner as the user of EMP_OPERATIONS_URL"
_NOT_ALLOWED = "42501"


def operations_probe(url: str, part: str) -> Probe:
    """A look at the operations database.

    Args:
        url: its SQLAlchemy URL.
        part: postgresql or sqlite, as the report shall call it.
    """
    return Probe(part, lambda: _look(url, part), _CURE)


def _look(url: str, part: str) -> Finding:
    try:
        engine = open_database(url) if part == "sqlite" else open_existing(url)
        if engine is None:
            return _not_current(part, existing_revision(url))
        return _opened(engine, part)
    except ConfigurationError as error:
        # The login, the database, TLS, tables of a newer version.
        return Finding(part, State.ERROR, str(error), _MEND)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
            refused = "this user lacks privileges on the tables of the operations database"
            return Finding(part, State.ERROR, refused, _GRANT)
        return Finding(part, State.ERROR, f"a query failed: {type(error).__name__}", _CURE)


def _not_current(part: str, revision: str | None) -> Finding:
    facts: Facts = {"revision": revision, "revision_needed": HEAD}
    age = age_of(revision, HEAD, SCRIPTS)
    return Finding(part, State.ERROR, f"its tables are {told(revision, HEAD)}", CURES[age], facts)


def _opened(engine: Engine, part: str) -> Finding:
    try:
        with reading(engine) as connection:
            return _judged(connection, part)
    finally:
        engine.dispose()


def _judged(connection: Connection, part: str) -> Finding:
    revisions: Facts = {"revision": stored_revision(connection), "revision_needed": HEAD}
    if connection.dialect.name == "sqlite":
        version = str(connection.scalar(sa.text("select sqlite_version()")))
        known: Facts = {"version": version, **revisions}
        return Finding(part, State.OK, f"SQLite {version}", facts=known)
    version = str(connection.scalar(sa.text("show server_version")))
    read_only = connection.scalar(sa.text("select pg_is_in_recovery()"))
    facts: Facts = {"version": version, "standby": bool(read_only), **revisions}
    if read_only:
        standby = "the server is a standby, which takes no writes"
        return Finding(part, State.ERROR, standby, _CURE, facts)
    return Finding(part, State.OK, f"PostgreSQL {version}", facts=facts)
