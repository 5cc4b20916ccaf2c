"""Bringing an operations database to the newest revision.

What belongs here: which revision is the newest, the cheap look at a database's own, and the run of
Alembic under a lock. Alembic is loaded only when there is something to do.
What does not: what a revision changes (migrations/versions).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.migration_turn import TURN
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0018"
"""The newest revision in migrations/versions."""

SCRIPTS = Path(__file__).with_name("migrations")
_LOCK_SECONDS = 300


def is_current(connection: Connection) -> bool:
    """Whether the database is at `HEAD` and, in SQLite, keeps a write-ahead log."""
    if connection.dialect.name == "sqlite":
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        if mode != "wal":
            return False
    return stored_revision(connection) == HEAD


def stored_revision(connection: Connection) -> str | None:
    """The revision that the database says it is at; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    query: sa.Select[Any] = sa.select(sa.column("version_num")).select_from(
        sa.table("alembic_version")
    )
    return connection.execute(query).scalar()


def migrate(engine: Engine, writing: Callable[..., AbstractContextManager[Connection]]) -> None:
    """Bring a database to `HEAD`, in one transaction; of several processes the first does it.

    Args:
        engine: the database.
        writing: opens a transaction, see `adapters.operations.database.writing`.

    Raises:
        ConfigurationError: the database is at a revision that this program does not know.
    """
    with _file_lock(engine):
        if engine.dialect.name == "sqlite":
            _keep_write_ahead_log(engine)
        with writing(engine, alone="migration") as connection:
            if stored_revision(connection) != HEAD:
                _upgrade(connection)


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection; `migrations/env.py` takes it from there.

    A new version is begun with `alembic.command.revision(configuration(connection), message,
    autogenerate=True)`.
    """
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration(connection)
    stored = stored_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if stored is not None and stored not in known:
        raise ConfigurationError(
            f"the operations database is at revision {stored}, which this program does not know: "
            "a newer version has migrated it, use that one"
        )
    with TURN:
        command.upgrade(config, "head")


def _file_lock(engine: Engine) -> AbstractContextManager[object]:
    # Changing SQLite's journal mode is no transaction, so that a lock of its own guards it.
    if engine.dialect.name != "sqlite":
        return nullcontext()
    from filelock import FileLock

    return FileLock(f"{engine.url.database}.lock", timeout=_LOCK_SECONDS)


def _keep_write_ahead_log(engine: Engine) -> None:
    # The driver's own connection: the mode cannot be changed inside a transaction.
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
