"""An installation of institutional mode on the real servers, for one test module.

What belongs here: its environment, so that a command in a process of its own meets nothing of the
others. What does not: servers (servers.py), assertions.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.servers import claimed_redis, new_database, server_url
from tests.support.warm_python import StartedPython, run_python

OURS = ("EMP_", "TIMESCALE", "DATABASE_URL", "REDIS_", "KAFKA_", "DAGSTER_")


@dataclass(frozen=True)
class Institution:
    """Its variables; `secrets` are the texts that no output may hold."""

    environment: dict[str, str]
    secrets: tuple[str, ...]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command of `emp` in a process of its own."""
        return run_python(["-m", "emp", *arguments], env={**self.environment, **more})

    def start(self, *arguments: str, stderr: IO[Any] | None = None, **more: str) -> StartedPython:
        """The same, without waiting for its end."""
        environment = {**self.environment, **more}
        return StartedPython(["-m", "emp", *arguments], env=environment, stderr=stderr)


@contextmanager
def institution(folder: Path) -> Iterator[Institution]:
    """A new installation with databases of its own."""
    with (
        new_database(server_url("TIMESCALEDB_URL"), extension="timescaledb") as timescale,
        new_database(server_url("EMP_OPERATIONS_URL")) as operations,
        claimed_redis(server_url("REDIS_URL")) as redis,
    ):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        yield Institution(
            {
                **clean,
                "EMP_MODE": "institutional",
                "EMP_DATA_DIR": str(folder),
                "TIMESCALEDB_URL": timescale,
                "EMP_OPERATIONS_URL": operations,
                "REDIS_URL": redis,
                "KAFKA_BOOTSTRAP_SERVERS": server_url("KAFKA_BOOTSTRAP_SERVERS"),
                "KAFKA_INGEST_DEFAULT_TOPIC": f"test-{uuid.uuid4().hex[:12]}",
                "KAFKA_REPLAY_TOPIC": f"test-{uuid.uuid4().hex[:12]}",
            },
            tuple(url.split("@")[0].rsplit(":", 1)[1] for url in (timescale, operations, redis)),
        )
