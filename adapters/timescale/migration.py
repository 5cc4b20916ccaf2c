"""Bringing the warehouse to the newest revision.

What belongs here: the cheap look at a database's own revision, and the run of Alembic under a
lock. What does not: what a revision changes (migrations/versions).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from adapters.migration_turn import TURN
from adapters.timescale.session import DURABLE
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

HEAD = "0005"
"""The newest revision in migrations/versions."""

OWN_SCHEMA = "emp"
SCRIPTS = Path(__file__).with_name("migrations")
_LOCK = sa.text("select pg_advisory_xact_lock(hashtextextended('emp migration', 0))")


def is_current(conninfo: str) -> bool:
    """Whether a database is at `HEAD`."""
    engine = _engine(conninfo)
    try:
        with engine.connect() as connection:
            return stored_revision(connection) == HEAD
    finally:
        engine.dispose()


def migrate(conninfo: str) -> None:
    """Bring a database to `HEAD` in one transaction; of several processes the first does it.

    Raises:
        ConfigurationError: the extension is not there and may not be made, or the database is at
            a revision that this program does not know.
    """
    engine = _engine(conninfo)
    try:
        with engine.begin() as connection:
            connection.execute(_LOCK)
            if stored_revision(connection) == HEAD:
                return
            _need_extension(connection)
            connection.execute(sa.text(f"create schema if not exists {OWN_SCHEMA}"))
            _upgrade(connection)
    finally:
        engine.dispose()


def stored_revision(connection: Connection) -> str | None:
    """The revision that the database says it is at; None for one that was never migrated."""
    there = connection.scalar(sa.text(f"select to_regclass('{OWN_SCHEMA}.alembic_version')"))
    if there is None:
        return None
    found: str | None = connection.scalar(
        sa.text(f"select version_num from {OWN_SCHEMA}.alembic_version")  # noqa: S608  a constant
    )
    return found


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection; `migrations/env.py` takes it from there."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _engine(conninfo: str) -> sa.Engine:
    import psycopg

    def connect() -> psycopg.Connection[tuple[object, ...]]:
        connection = psycopg.connect(conninfo)
        connection.execute(DURABLE)
        connection.commit()
        return connection

    # SQLAlchemy would read the URL in its own way, in which a plus sign is a space.
    return sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=sa.NullPool)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration(connection)
    stored = stored_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if stored is not None and stored not in known:
        raise ConfigurationError(
            f"TimescaleDB is at revision {stored}, which this program does not know: a newer "
            "version has migrated it, use that one"
        )
    with TURN:
        command.upgrade(config, "head")


def _need_extension(connection: Connection) -> None:
    from sqlalchemy.exc import DBAPIError

    there = sa.text("select 1 from pg_extension where extname = 'timescaledb'")
    if connection.scalar(there):
        return
    try:
        connection.execute(sa.text("create extension if not exists timescaledb"))
    except DBAPIError:
        raise ConfigurationError(
            "the database has no extension timescaledb and this user may not make it: let an "
            "administrator run 'create extension timescaledb' in it, on a server that has "
            "shared_preload_libraries = 'timescaledb'"
        ) from None
