"""Dagster's own records on a PostgreSQL database: as the platform keeps them, or as Dagster does.

What belongs here: instances of docker/dagster.yaml on a database that a test or a benchmark owns.
What does not: the database (servers.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import dagster as dg
import yaml

from adapters.settings import PROJECT

SHIPPED = PROJECT / "docker" / "dagster.yaml"


def variables_of(url: str) -> dict[str, str]:
    """What docker/dagster.yaml reads, for a database."""
    server = urlsplit(url)
    return {
        "DAGSTER_POSTGRES_HOST": server.hostname or "",
        "DAGSTER_POSTGRES_PORT": str(server.port or 5432),
        "DAGSTER_POSTGRES_USER": unquote(server.username or ""),
        "DAGSTER_POSTGRES_PASSWORD": unquote(server.password or ""),
        "DAGSTER_POSTGRES_DB": server.path.removeprefix("/"),
    }


def stock_file() -> str:
    """The shipped file with Dagster's own storage in place of ours, on the same database."""
    found = yaml.safe_load(SHIPPED.read_text())
    found["storage"] = {"postgres": found["storage"]["custom"]["config"]}
    return yaml.safe_dump(found)


@contextmanager
def instance_on(url: str, *, stock: bool = False) -> Iterator[dg.DagsterInstance]:
    """The shipped instance on a database, or the same with Dagster's own storage."""
    with tempfile.TemporaryDirectory() as home:
        text = stock_file() if stock else SHIPPED.read_text()
        (Path(home) / "dagster.yaml").write_text(text)
        own = {"DAGSTER_HOME": home, "DAGSTER_COMPUTE_LOGS": f"{home}/logs", **variables_of(url)}
        with patch.dict(os.environ, own), dg.DagsterInstance.from_config(home) as instance:
            yield instance
