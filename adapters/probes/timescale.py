"""TimescaleDB: version, extension, edition, migrations, privileges, planner settings."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.probes.privileges import cure, lacking, told
from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.probes.revisions import CURES, Age, age_of
from adapters.probes.revisions import told as revision_told
from adapters.timescale.errors import explained
from adapters.timescale.migration import HEAD, SCRIPTS
from adapters.timescale.session import OPTIONS
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import ConfigurationError, MarketDataError

PART = "timescaledb"
SCHEMAS = ("emp", "curated", "quality", "reference", "features", "marts")
"""Whose tables the platform reads and writes."""
_CURE = "check TIMESCALEDB_URL and that its server runs"
_MEND = "mend what it names; it is no outage"
_USER = "the user of TIMESCALEDB_URL"
_GRANT = f"grant {_USER} connect on its database, and usage of its schemas"
_NOT_ALLOWED = "42501"
# Of a connection that was refused the driver knows no state.
_NO_CONNECT = "permission denied for database"
# From the catalogue, which answers a user without any privilege too.
_LOOK = """
select current_setting('server_version'),
       (select extversion from pg_extension where extname = 'timescaledb'),
       current_setting('timescaledb.license', true),
       has_database_privilege(current_database(), 'CREATE'),
       current_setting('jit'), current_setting('random_page_cost')
"""
_VERSION_TABLE = """
select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'emp' and c.relname = 'alembic_version'
"""


def timescale_probe(settings: TimescaleSettings) -> Probe:
    """A look at the warehouse's server."""
    return Probe(PART, lambda: _look(settings), _CURE)


def edition(license_: str | None) -> str:
    """The edition that a server's license setting means."""
    return {"apache": "Apache", "timescale": "Community"}.get(license_ or "", "unknown")


def existing_revision(settings: TimescaleSettings) -> str | None:
    """The revision of the warehouse's tables as they are; None without tables, changes nothing.

    Raises:
        ConfigurationError: the server cannot be used, or this user may not know.
        StoreUnavailableError: it did not answer.
    """
    try:
        with psycopg.connect(_address(settings), autocommit=True) as connection:
            readable, revision = _revision(connection)
    except psycopg.Error as error:
        raise _why(error, settings) from None
    if not readable:
        raise ConfigurationError(f"this user may not read emp.alembic_version: {_GRANT}")
    return revision


def _look(settings: TimescaleSettings) -> Finding:
    try:
        with psycopg.connect(_address(settings), autocommit=True) as connection:
            return _judged(connection)
    except psycopg.Error as error:
        why = _why(error, settings)
        refused = _is_refused(error)
    if isinstance(why, ConfigurationError):
        # The login, the database, TLS, a privilege.
        return Finding(PART, State.ERROR, str(why), _GRANT if refused else _MEND)
    raise why


def _why(error: psycopg.Error, settings: TimescaleSettings) -> MarketDataError:
    if _is_refused(error):
        return ConfigurationError(f"{settings.shown} answers, but this user may not look at it")
    return explained(error, settings, connecting=error.sqlstate is None)


def _is_refused(error: psycopg.Error) -> bool:
    return error.sqlstate == _NOT_ALLOWED or _NO_CONNECT in str(error)


def _address(settings: TimescaleSettings) -> str:
    """Where to connect, with the server's own settings as other clients meet them."""
    known = settings.conninfo()
    theirs = str(conninfo_to_dict(known).get("options") or "").removesuffix(OPTIONS)
    limit = f"-c statement_timeout={settings.statement_timeout_ms}"
    return make_conninfo(known, options=f"{theirs} {limit}")


def _judged(connection: psycopg.Connection[Any]) -> Finding:
    row = connection.execute(_LOOK).fetchone()
    version, extension, license_, may_create, jit, page_cost = row or (None,) * 6
    facts: Facts = {
        "server": version,
        "extension": extension,
        "edition": edition(license_),
        "jit": jit,
        "random_page_cost": page_cost,
    }
    if extension is None:
        no_extension = "the database has no extension timescaledb"
        return Finding(PART, State.ERROR, no_extension, "create extension timescaledb", facts)
    readable, revision = _revision(connection)
    if readable:
        facts = {**facts, "revision": revision, "revision_needed": HEAD}
    if lacks := lacking(connection, SCHEMAS):
        return Finding(PART, State.ERROR, told(lacks), cure(lacks, _USER), facts)
    if (age := age_of(revision, HEAD, SCRIPTS)) is not Age.CURRENT:
        stated = f"its tables are {revision_told(revision, HEAD)}"
        return Finding(PART, State.ERROR, stated, CURES[age], facts)
    if not may_create:
        stated = "this user may not create schemas, which the next migration may need"
        grant = f"grant create on database ... to {_USER}"
        return Finding(PART, State.DEGRADED, stated, grant, facts)
    shown = f"TimescaleDB {extension} ({edition(license_)}) on PostgreSQL {version}"
    if jit == "on" or float(page_cost or 0) > 2:
        advice = "take docker/timescaledb/postgresql.conf; the platform's own sessions set both"
        slow = f"{shown}, with planner settings that slow down other clients"
        return Finding(PART, State.DEGRADED, slow, advice, facts)
    return Finding(PART, State.OK, shown, facts=facts)


def _revision(connection: psycopg.Connection[Any]) -> tuple[bool, str | None]:
    """Whether this user may know the revision, and the revision: None without tables."""
    found = connection.execute(_VERSION_TABLE).fetchone()
    if found is None:
        return True, None
    if not found[0]:
        return False, None
    stored = connection.execute("select version_num from emp.alembic_version").fetchone()
    return True, stored[0] if stored else None
