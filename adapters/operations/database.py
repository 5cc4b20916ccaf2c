"""Opening the operations database, and its transactions.

What belongs here: the engine and its settings, and the two ways to use it: `reading` and `writing`.
What does not: tables (models.py), migrations (migration.py), statements (one file per port).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from adapters.disk import writing_to
from adapters.kept_open import KeptOpen, place_of
from adapters.operations.migration import is_current, migrate, stored_revision
from adapters.operations.refusals import refusal
from market_data.errors import ConfigurationError

_BUSY_MILLISECONDS = 60_000
_KEPT: KeptOpen[Engine] = KeptOpen(lambda engine: engine.dispose())
_WRITER = "operations_writer"
# Whatever server, database or role default to: what is acknowledged stays when the server dies
# (servers that promise more keep to it), and texts of any language pass.
_SESSION = """
select set_config('client_encoding', 'UTF8', false),
    set_config('quote_all_identifiers', 'off', false),
    set_config('synchronous_commit', case current_setting('synchronous_commit')
        when 'off' then 'on' else current_setting('synchronous_commit') end, false)
"""


def open_database(url: str) -> Engine:
    """The engine of an operations database, created and migrated where needed.

    Safe when several processes open a new or an old database at once. Opening one that is up to
    date costs a look at its revision; the migration machinery is not loaded.

    Args:
        url: `sqlite:///path/to/file` or `postgresql://user:password@host/database`. The password
            never shows in the `repr` of the engine or of its URL.

    Raises:
        ConfigurationError: the URL cannot be used, or the database is newer than this program.
        StoreUnavailableError: its server did not answer.
    """
    engine = _engine(parse_url(url))
    _bring_up_to_date(engine)
    return engine


def kept_database(url: str) -> Engine:
    """The same engine for everybody of this process who names the database, see `open_database`.

    Whether it is up to date is looked up each time, over a connection that is open already. A file
    that took the place of another one is a database of its own.

    Args:
        url: see `open_database`.

    Raises:
        ConfigurationError: see `open_database`.
        StoreUnavailableError: its server did not answer.
    """
    parsed = parse_url(url)
    place = _place(parsed)
    engine = (_KEPT.find(place) if place else None) or _engine(parsed)
    _bring_up_to_date(engine)
    # Of a new file the place is known now.
    return _KEPT.keep(_place(parsed), engine)


def open_existing(url: str) -> Engine | None:
    """The engine of an operations database that is there and up to date; changes nothing.

    Args:
        url: see `open_database`.

    Returns:
        None where there is no database yet, or one that has to be migrated first.

    Raises:
        ConfigurationError: the URL cannot be used.
        StoreUnavailableError: its server did not answer.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return None
    engine = _engine(parsed)
    with _given_up(engine), reading(engine) as connection:
        current = is_current(connection)
    if not current:
        engine.dispose()
        return None
    return engine


def existing_revision(url: str) -> str | None:
    """The revision of an operations database as it is; changes nothing.

    Args:
        url: see `open_database`.

    Returns:
        None where there is no database yet, or one without tables.

    Raises:
        ConfigurationError: the URL cannot be used.
        StoreUnavailableError: its server did not answer.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return None
    engine = _engine(parsed)
    with _given_up(engine), reading(engine) as connection:
        found = stored_revision(connection)
    engine.dispose()
    return found


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and never waits for writers (SQLite)."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, *, alone: str | None = None) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, rolled back when an error leaves it.

    Writers of SQLite take their turn from the first statement on (BEGIN IMMEDIATE), so that one
    that reads before it writes cannot fail half-way; they wait for up to 60 seconds.

    Args:
        engine: from `open_database`.
        alone: holders of the same name run one after another. In PostgreSQL an advisory lock;
            SQLite has one writer anyway.

    Raises:
        StorageError: the disk of a SQLite file takes no more.
    """
    with _told(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITER: True})
        with connection.begin():
            if alone is not None and engine.dialect.name == "postgresql":
                connection.execute(
                    sa.select(
                        sa.func.pg_advisory_xact_lock(
                            sa.func.hashtext("operations"), sa.func.hashtext(alone)
                        )
                    )
                )
            yield connection


def _place(url: URL) -> Hashable:
    """What tells a database from others; None where it has no file yet."""
    if url.get_backend_name() != "sqlite":
        return url
    return place_of(Path(str(url.database)).expanduser().absolute())


def _bring_up_to_date(engine: Engine) -> None:
    """Migrate a database that is behind."""
    with _given_up(engine):
        with reading(engine) as connection:
            current = is_current(connection)
        if not current:
            migrate(engine, writing)


@contextmanager
def _given_up(engine: Engine) -> Iterator[None]:
    """Closes an engine that could not be opened, and says why in the platform's words."""
    try:
        yield
    except BaseException as error:
        engine.dispose()
        told = refusal(error, engine.url) if isinstance(error, sa.exc.OperationalError) else None
        if told is None:
            raise
        raise told from None


def _told(engine: Engine) -> AbstractContextManager[None]:
    """Tells of the disk of a SQLite file; a server's disk is none of ours."""
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return writing_to(str(engine.url.database), sa.exc.DBAPIError)


def parse_url(url: str) -> URL:
    """The URL of an operations database, with the driver and the checks that it is opened with.

    Raises:
        ConfigurationError: it cannot be read, or is none of SQLite or PostgreSQL; not repeated.
    """
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Not chained: the text of the error may repeat the URL, and with it the password.
        raise ConfigurationError(
            "the URL of the operations database cannot be read; it looks like "
            "sqlite:///folder/operations.sqlite or postgresql://user:password@host/database"
        ) from None
    backend = parsed.drivername.split("+")[0]
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or "uri" in parsed.query:
            raise ConfigurationError(
                "the operations database must be a file, for every process to share it: "
                "sqlite:///folder/operations.sqlite"
            )
        return parsed
    if backend not in ("postgresql", "postgres"):
        raise ConfigurationError(f"the operations database cannot be kept in {backend!r}")
    password = parsed.query.get("password")
    if password:
        # A password among the options would show; in its own field SQLAlchemy hides it.
        parsed = parsed.difference_update_query(["password"]).set(password=str(password))
    if "sslrootcert" in parsed.query and "sslmode" not in parsed.query:
        # The driver would go on without TLS where the server is not the authority's.
        parsed = parsed.update_query_dict({"sslmode": "verify-full"})
    return parsed if "+" in parsed.drivername else parsed.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    _forget_connections_after_fork(engine)
    return engine


def _sqlite(url: URL) -> Engine:
    folder = Path(str(url.database)).expanduser().parent
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own idea of when to begin would begin too late; `_begin` does it.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "foreign_keys = ON",
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITER, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        # Who waited for a lock must see what its last holder committed, whatever is the default.
        engine = sa.create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the operations database needs {error.name}: pip install 'emp[institutional]'"
        ) from error

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
        connection.commit()

    return engine


def _forget_connections_after_fork(engine: Engine) -> None:
    """A connection must not be used on both sides of a fork: the child opens its own."""
    reference = weakref.ref(engine)

    def _forget() -> None:
        inherited = reference()
        if inherited is not None:
            inherited.dispose(close=False)

    os.register_at_fork(after_in_child=_forget)
