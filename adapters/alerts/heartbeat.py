"""The sign of life for a watcher outside: it alarms when the signs stay away.

What belongs here: one request after each tick that went well. What does not: what is wrong with the
platform, which it can tell of itself (sensors/alert_ticks.py). Of its own death it cannot: somebody
else has to miss it, such as healthchecks.io, or a server of one's own that speaks like it.

The address holds the key of the watch, so that no text names it.
"""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from adapters.tls import trusted

SECONDS = 5.0
"""A watcher that is slow holds up no alert for longer."""


def beat(url: SecretStr) -> str:
    """Give one sign of life: a GET that 2xx answers; nothing else is read of the answer.

    Returns:
        Empty where it was taken, else why not, without the address. Never an error: that nobody
        watches must not keep alerts from leaving.
    """
    # It mutes the loggers that would write the address.
    import adapters.alerts.http_routes  # noqa: F401

    try:
        with (
            httpx.Client(verify=trusted(), timeout=SECONDS, follow_redirects=False) as client,
            client.stream("GET", url.get_secret_value()) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"the heartbeat did not leave: {type(error).__name__}"
    return "" if 200 <= status < 300 else f"the heartbeat was answered with status {status}"
