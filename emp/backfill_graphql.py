"""Beginning a backfill through a webserver that runs.

What belongs here: asking it for the run of the first piece. What does not: pieces after that, and
backfills that no webserver begins (sensors/backfills.py).

The plan is kept before anybody is asked, and the piece is claimed as every driver claims one. So
nothing is lost with a webserver, or doubled by one: where it does not answer, or belongs to another
installation, the claim is given back and the sensor begins the piece.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from market_data.errors import ConfigurationError, StoreConflictError

if TYPE_CHECKING:
    from adapters.operations_opening import Operations
    from adapters.settings import Settings
    from market_data.backfill.driving import Launch

LOOK_SECONDS = 1.0
"""How long a webserver may take to accept a connection."""
ASK_SECONDS = 20
NOBODY = "no webserver answers at {url}: the sensor drive_backfills takes it within 15 seconds"


def begun(settings: Settings, operations: Operations, name: str, url: str = "") -> str:
    """Ask the webserver for the run of the next piece; what became of that, in a sentence.

    Args:
        settings: of the installation.
        operations: its ports.
        name: id of a backfill that runs.
        url: of the webserver; that of this machine, on the port of the UI, where empty.

    Raises:
        ConfigurationError: the address is none.
    """
    from adapters.automation import load_automation
    from emp.backfill_launch import driver_of

    place = url or f"http://127.0.0.1:{settings.ui_port}"
    if not _listens(place):
        return NOBODY.format(url=place)
    rounds = driver_of(settings, operations, lambda _: None).rounds
    with suppress(StoreConflictError), rounds.turns.take(name):
        _, launch = rounds.play(name)
        if launch is not None:
            policy = load_automation(settings).backfill
            run_id, refused = _asked(settings, place, launch, policy.max_runtime.total_seconds())
            if refused:
                token, number = launch.token, launch.piece.number
                operations.backfills.release(name, number, token, counted=False)
                return f"{refused}: the sensor drive_backfills takes it within 15 seconds"
            return f"the webserver at {place} has queued its first piece, run {run_id}"
    return "the sensor drive_backfills has it; its first piece begins once it may"


def _listens(url: str) -> bool:
    host, port, _ = _parts(url)
    with suppress(OSError), socket.create_connection((host, port), LOOK_SECONDS):
        return True
    return False


def _parts(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is asked by TLS.

    Raises:
        ConfigurationError: the address is none.
    """
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https"
        if parts.hostname and parts.scheme in ("http", "https"):
            return parts.hostname, parts.port or (443 if safe else 80), safe
    except ValueError:
        pass
    raise ConfigurationError(f"--ui {url!r} is no address; it takes one like http://host:3000")


def _asked(settings: Settings, url: str, launch: Launch, seconds: float) -> tuple[str, str]:
    """The id of the run, and why there is none."""
    import requests
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError
    from gql.transport.exceptions import TransportError

    from emp.instance import open_instance
    from jobs.backfill_job import piece_request

    host, port, safe = _parts(url)
    request = piece_request(launch, seconds)
    try:
        client = DagsterGraphQLClient(
            host,
            port,
            use_https=safe,
            timeout=ASK_SECONDS,
            path_prefix=urlsplit(url).path.rstrip("/"),
        )
        tags = dict(request.tags)
        run_id = client.submit_job_execution(
            str(request.job_name), run_config=request.run_config, tags=tags
        )
    except (DagsterGraphQLClientError, TransportError, requests.RequestException) as error:
        told = " ".join(f"{error}".split())[:200]
        return "", f"the webserver at {url} has not queued it ({told})"
    with open_instance(settings) as instance:
        if not instance.has_run(run_id):
            # There it finds no claim, and does nothing.
            return "", f"the webserver at {url} belongs to another installation"
    return run_id, ""
