"""What every session on TimescaleDB is told, whatever its server, database or role default to.

What belongs here: settings of a session that the platform relies on.
What does not: opening connections (pools.py, migration.py), how long one statement may take.

Most of it goes along with the login: the ADBC driver asks for the server's types before it gives a
connection away, and a quoted name among them would already make it useless.
"""

from __future__ import annotations

_SETTINGS = {
    # Who waited for a lock must see what its last holder committed: a snapshot from before would
    # let a writer sign for rows that are no longer there.
    "default_transaction_isolation": "read committed",
    # Days and months are cut as the platform cuts them.
    "timezone": "UTC",
    # The driver knows types by their names as they are.
    "quote_all_identifiers": "off",
    # Short statements over many chunks: compiling them costs more than it saves.
    "jit": "off",
    "random_page_cost": "1.1",
    # A machine that dies says no goodbye: without keepalives its locks would stay for hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}

ENCODING = "UTF8"
"""Of texts on the way, whatever the role would rather read."""

OPTIONS = " ".join(
    "-c {}={}".format(name, value.replace(" ", r"\ ")) for name, value in _SETTINGS.items()
)
"""The settings as libpq's `options` take them; of two of one name the last one holds."""

DURABLE = (
    "select set_config('synchronous_commit', 'on', false) "
    "where current_setting('synchronous_commit') = 'off'"
)
"""What is acknowledged stays, also when the server dies; servers that promise more keep to it."""
