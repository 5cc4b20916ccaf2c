"""What it means when a PostgreSQL operations database cannot be opened.

What belongs here: the typed error of each kind of trouble; its text names the cure and no secret.
What does not: opening (database.py), trouble on a connection that is there.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import URL

from market_data.errors import ConfigurationError, MarketDataError, StoreUnavailableError

_TLS = (
    "certificate",
    "private key",
    "does not support SSL",
    "alert unknown ca",
    "no encryption",
)
_LOGIN = ("authentication failed", "no password supplied", "no pg_hba.conf entry")
_DATABASE = ('" does not exist',)


def refusal(error: sa.exc.OperationalError, url: URL) -> MarketDataError | None:
    """The typed error of what the driver raised; None where a server answered, and with a state.

    Args:
        error: of the first work on a database.
        url: its address; only what is not secret of it is told.
    """
    if url.get_backend_name() != "postgresql" or getattr(error.orig, "sqlstate", None):
        return None
    where = f"the operations database at {url.host}:{url.port or 5432}/{url.database}"
    text = str(error.orig)
    if any(word in text for word in _TLS):
        return ConfigurationError(
            f"TLS with {where} failed: check sslmode, sslrootcert, sslcert and sslkey in "
            "EMP_OPERATIONS_URL"
        )
    if any(word in text for word in _LOGIN):
        return ConfigurationError(
            f"{where} refuses the login: check user and password in EMP_OPERATIONS_URL"
        )
    if any(word in text for word in _DATABASE):
        return ConfigurationError(f"{where} is not there: create it, or mend EMP_OPERATIONS_URL")
    return StoreUnavailableError(
        f"no connection to {where}: is it running, and is EMP_OPERATIONS_URL right?"
    )
