"""What the errors of TimescaleDB's drivers mean.

What belongs here: the typed error of each kind of trouble; its text names the cure and no secret.
What does not: what is done about it (connection.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from adapters.timescale.settings import TimescaleSettings
from market_data.errors import (
    ConfigurationError,
    MarketDataError,
    SchemaError,
    StoreConflictError,
    StoreUnavailableError,
    UnsupportedOperationError,
)


class LostConnectionError(StoreUnavailableError):
    """The server went away, or could not be reached; worth another attempt."""


class StartingError(LostConnectionError):
    """The server is there, and will answer when it has started."""


class LostRaceError(StoreConflictError):
    """The server ended this transaction in favour of another; worth another attempt."""


class RepeatedKeyError(StoreConflictError):
    """A row of the same key is there already, in another session, or by another writer."""


def explained(
    error: Exception, settings: TimescaleSettings, *, connecting: bool = False
) -> MarketDataError:
    """The typed error of what a driver raised.

    Args:
        error: of psycopg or ADBC.
        settings: of the connection; only what is not secret of them is told.
        connecting: there was no connection yet.
    """
    state, text = str(getattr(error, "sqlstate", None) or ""), str(error)
    found = next((m for m in _MEANINGS if m.fits(state, text)), None)
    if found is not None:
        told = found.text.format(where=settings.shown, limit=settings.statement_timeout_ms)
        return found.kind(told)
    if connecting or state.startswith(_LOST) or _is_lost(error, text):
        return LostConnectionError(
            f"no connection to TimescaleDB at {settings.shown}: is it running, and is "
            "TIMESCALEDB_URL right?"
        )
    return StoreUnavailableError(
        f"TimescaleDB at {settings.shown} failed with SQLSTATE {state or 'unknown'}"
    )


def exhausted(settings: TimescaleSettings) -> StoreUnavailableError:
    """What a caller is told for whom no connection became free."""
    return StoreUnavailableError(
        f"no connection to TimescaleDB became free within TIMESCALEDB_POOL_TIMEOUT "
        f"({settings.pool_timeout:g} s): use fewer threads, or raise TIMESCALEDB_POOL_SIZE (now "
        f"{settings.pool_size}) or TIMESCALEDB_MAX_OVERFLOW (now {settings.max_overflow})"
    )


_LOST = ("08", "57P")
_LOST_WORDS = (
    "server closed",
    "connection",
    "terminat",
    "SSL SYSCALL",
    "SSL error",
    "EOF detected",
)


def _is_lost(error: Exception, text: str) -> bool:
    if getattr(error, "sqlstate", None):
        return False
    return isinstance(error, psycopg.OperationalError) or any(w in text for w in _LOST_WORDS)


@dataclass(frozen=True)
class _Meaning:
    """What a state of SQL, or the words of a server that gives none, means to a person."""

    states: tuple[str, ...]
    words: tuple[str, ...]
    kind: type[MarketDataError]
    text: str

    def fits(self, state: str, text: str) -> bool:
        if state:
            return state.startswith(self.states)
        return any(word in text for word in self.words)


_MEANINGS = (
    # Those of TLS go first: where TLS is only preferred, a refusal without it stands behind them.
    _Meaning(
        (),
        ("certificate verify failed", "root certificate file"),
        ConfigurationError,
        "the certificate of TimescaleDB at {where} cannot be checked: TIMESCALEDB_SSLROOTCERT must "
        "be the PEM file of the authority that signed it, or TIMESCALEDB_SSLMODE ask for less",
    ),
    _Meaning(
        (),
        ("does not match host name",),
        ConfigurationError,
        "the certificate of TimescaleDB at {where} is for another host: write in TIMESCALEDB_URL "
        "the name that it is for, or leave names unchecked with TIMESCALEDB_SSLMODE=verify-ca",
    ),
    _Meaning(
        (),
        (
            "valid client certificate",
            "certificate file",
            "private key",
            "alert unknown ca",
            "alert bad certificate",
            "alert certificate",
        ),
        ConfigurationError,
        "TimescaleDB at {where} takes no connection without a client's certificate that it trusts, "
        "or this one cannot be used: check TIMESCALEDB_SSLCERT and TIMESCALEDB_SSLKEY",
    ),
    _Meaning(
        (),
        ("does not support SSL",),
        ConfigurationError,
        "TimescaleDB at {where} speaks no TLS, which TIMESCALEDB_SSLMODE asks for: turn it on "
        "there (ssl = on), or ask for less",
    ),
    _Meaning(
        (),
        ("no encryption",),
        ConfigurationError,
        "TimescaleDB at {where} does not take this user without TLS: set TIMESCALEDB_SSLMODE to "
        "require or more, or mend its pg_hba.conf",
    ),
    _Meaning(
        ("28",),
        ("authentication failed", "no password supplied", "no pg_hba.conf entry"),
        ConfigurationError,
        "TimescaleDB at {where} refuses the login: check user and password in TIMESCALEDB_URL",
    ),
    _Meaning(
        ("3D000",),
        ('" does not exist',),
        ConfigurationError,
        "TimescaleDB at {where} has no such database: create it, or mend TIMESCALEDB_URL",
    ),
    _Meaning(
        ("57P03",),
        ("the database system is",),
        StartingError,
        "TimescaleDB at {where} is starting or stopping: try again when it is up",
    ),
    _Meaning(
        ("53300",),
        ("too many c", "connection slots"),
        LostConnectionError,
        "TimescaleDB at {where} takes no more connections: lower TIMESCALEDB_POOL_SIZE and "
        "TIMESCALEDB_MAX_OVERFLOW, or raise the server's max_connections",
    ),
    _Meaning(
        ("57014",),
        ("statement timeout",),
        StoreUnavailableError,
        "TimescaleDB at {where} took longer than TIMESCALEDB_STATEMENT_TIMEOUT_MS ({limit} ms) "
        "for a read: ask for less, or raise it",
    ),
    _Meaning(
        ("22021",),
        (),
        SchemaError,
        "TimescaleDB at {where} keeps no text with a character 0 in it: a symbol has one",
    ),
    _Meaning(
        ("23505",),
        (),
        RepeatedKeyError,
        "TimescaleDB at {where} holds another row of the same key: nothing was written",
    ),
    _Meaning(
        ("40001", "40P01"),
        (),
        LostRaceError,
        "other writers won on TimescaleDB at {where}, again and again: write with fewer at once",
    ),
    _Meaning(
        ("42501",),
        (),
        ConfigurationError,
        "this user may not do that on TimescaleDB at {where}: grant it",
    ),
    _Meaning(
        ("25006",),
        (),
        ConfigurationError,
        "TimescaleDB at {where} takes no writes: TIMESCALEDB_URL must name the primary",
    ),
    _Meaning(
        ("53100", "53200", "58030"),
        (),
        StoreUnavailableError,
        "TimescaleDB at {where} has no room left: make room on its disk",
    ),
    _Meaning(
        ("42P01", "3F000"),
        (),
        UnsupportedOperationError,
        "TimescaleDB at {where} lacks a table of the platform: run 'emp migrate'",
    ),
)
