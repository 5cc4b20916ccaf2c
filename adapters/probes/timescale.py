"""TimescaleDB: version, extension, edition, migrations, privileges, planner settings."""

from __future__ import annotations

from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.timescale.connection import Connections
from adapters.timescale.migration import HEAD
from adapters.timescale.settings import TimescaleSettings

PART = "timescaledb"
_CURE = "check TIMESCALEDB_URL and that its server runs"
_LOOK = """
select current_setting('server_version'),
       (select extversion from pg_extension where extname = 'timescaledb'),
       current_setting('timescaledb.license', true),
       to_regclass('emp.alembic_version') is not null,
       has_database_privilege(current_database(), 'CREATE'),
       current_setting('jit'), current_setting('random_page_cost')
"""


def timescale_probe(settings: TimescaleSettings) -> Probe:
    """A look at the warehouse's server."""
    return Probe(PART, lambda: _look(settings), _CURE)


def edition(license_: str | None) -> str:
    """The edition that a server's license setting means."""
    return {"apache": "Apache", "timescale": "Community"}.get(license_ or "", "unknown")


def _look(settings: TimescaleSettings) -> Finding:
    connections = Connections(settings)
    try:
        with connections.small() as connection:
            row = connection.execute(_LOOK).fetchone()
            version, extension, license_, migrated, may_create, jit, page_cost = row or (None,) * 7
            revision = None
            if migrated:
                found = connection.execute("select version_num from emp.alembic_version").fetchone()
                revision = found[0] if found else None
    finally:
        connections.close()
    facts: Facts = {
        "server": version,
        "extension": extension,
        "edition": edition(license_),
        "revision": revision,
        "revision_needed": HEAD,
        "jit": jit,
        "random_page_cost": page_cost,
    }
    if extension is None:
        told, cure = "the database has no extension timescaledb", "create extension timescaledb"
        return Finding(PART, State.ERROR, told, cure, facts)
    if revision != HEAD:
        told = f"its tables are at revision {revision or 'none'}, this program needs {HEAD}"
        return Finding(PART, State.ERROR, told, "run 'emp migrate'", facts)
    if not may_create:
        told = "this user may not create schemas, which the next migration may need"
        return Finding(PART, State.DEGRADED, told, "grant create on database ... to it", facts)
    told = f"TimescaleDB {extension} ({edition(license_)}) on PostgreSQL {version}"
    if jit == "on" or float(page_cost or 0) > 2:
        cure = "take docker/timescaledb/postgresql.conf; the platform sets both in its own sessions"
        slow = f"{told}, with planner settings that slow down other clients"
        return Finding(PART, State.DEGRADED, slow, cure, facts)
    return Finding(PART, State.OK, told, facts=facts)
