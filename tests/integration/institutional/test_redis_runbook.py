"""docs/runbooks/redis-outage.md, step by step: its commands, and what they promise."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.support.institution import Institution, institution
from tests.support.servers import RedisServer, do_without, private_server
from tests.support.warm_python import run_python

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs/runbooks/redis-outage.md"
INGEST = ["ingest", "--vendor", "sample_a", "--start", "2024-02-12", "--end", "2024-02-16"]
WARNING = "reads go to the store"
HITS_OF_ONE_READ = 3
"""Bars, the flags that are kept of them, and the scores, which tell whether they were judged."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with private_server(RedisServer) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, redis: RedisServer) -> Iterator[Institution]:
    with institution(tmp_path) as shared:
        made = replace(shared, environment={**shared.environment, "REDIS_URL": redis.url})
        assert made.run("migrate").returncode == 0
        assert made.run(*INGEST).returncode == 0
        yield made


class Operator:
    """Somebody who types the runbook's commands, one after another.

    Those of a shell are typed into one; those of `emp` are words alone, and start where Python has.
    """

    def __init__(self, house: Institution, redis: RedisServer) -> None:
        self.commands = re.findall(r"^ {7,}(\S.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
        self.typed: list[str] = []
        self.environment = {
            **house.environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "REDIS_PORT": str(redis.port()),
            "REDISCLI_AUTH": redis.password(),
        }

    def next(self, begins: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = self.commands[len(self.typed)]
        assert command.startswith(begins), command
        self.typed.append(command)
        return self.type(command, **more)

    def type(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        # The example's instrument is one that the test's vendor has.
        ours = command.replace("AAPL", "DEMO-BTC").replace("2024-01-0", "2024-02-1")
        environment = {**self.environment, **more}
        program, *arguments = shlex.split(ours, comments=True)
        if program == "emp":
            return run_python(["-m", "emp", *arguments], env=environment)
        return subprocess.run(
            ["bash", "-c", ours],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def redis_line(done: subprocess.CompletedProcess[str]) -> str:
    """The part's line and what stands below it."""
    (lines,) = re.findall(r"^redis .*(?:\n    .*)*", done.stdout, flags=re.MULTILINE)
    return " ".join(str(lines).split())


@pytest.mark.slow
def test_the_runbook_holds_what_it_promises(house: Institution, redis: RedisServer) -> None:
    if subprocess.run(["which", "redis-cli"], capture_output=True, check=False).returncode:
        do_without("redis-cli is not installed (package redis-tools)")
    operator = Operator(house, redis)
    rows = operator.type(operator.commands[1]).stdout
    redis.kill()

    # 1. and 2. What is wrong shows, and readers are served, with Redis away and without it.
    told = operator.next("emp doctor")
    assert told.returncode == 1
    assert "does not answer" in redis_line(told)
    assert f"docs/runbooks/{RUNBOOK.name}" in redis_line(told)
    read = operator.next("emp bars")
    assert (read.returncode, read.stdout, read.stderr.count(WARNING)) == (0, rows, 1)
    read = operator.next("emp bars")
    assert (read.returncode, read.stdout, read.stderr) == (0, rows, "")

    # 3. The container's own restart is the compose file's affair; here the server is started.
    command = operator.commands[len(operator.typed)]
    operator.typed.append(command)
    _, service = command.rsplit(maxsplit=1)
    assert command.startswith("docker compose -f docker/compose.yaml restart")
    assert service in yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    redis.start()

    # 4. A wrong password is told as such by everything, and shown to be right by the command.
    wrong = redis.url.replace(redis.password(), "hunter2")
    assert "refuses the login" in redis_line(operator.type("emp doctor", REDIS_URL=wrong))
    ping = operator.commands[len(operator.typed)]
    assert "PONG" not in operator.type(ping, REDISCLI_AUTH="hunter2").stdout
    assert operator.next("redis-cli").stdout == "PONG\n"

    # 5. A full memory that keeps everything refuses writes, one that keeps nothing the books.
    cli = 'redis-cli -p "$REDIS_PORT"'
    operator.type(f"{cli} config set maxmemory 1mb")
    operator.type(f"{cli} config set maxmemory-policy noeviction")
    assert "OutOfMemoryError" in redis_line(operator.type("emp doctor"))
    refused = operator.type(operator.commands[1])
    assert (refused.returncode, refused.stdout, refused.stderr.count(WARNING)) == (0, rows, 1)
    operator.type(f"{cli} config set maxmemory 64mb")
    operator.type(f"{cli} config set maxmemory-policy allkeys-lru")
    degraded = redis_line(operator.type("emp doctor"))
    assert degraded.startswith("redis degraded ")
    assert "volatile-lru" in degraded
    assert operator.next("redis-cli").stdout == "OK\n"

    # 6. Redis is there again, and the second read is a hit of Redis.
    assert redis_line(operator.next("emp doctor")).startswith("redis ok ")
    for _ in range(2):
        read = operator.next("emp bars")
        assert (read.returncode, read.stdout, read.stderr) == (0, rows, "")
    before = int(operator.next("redis-cli").stdout)
    assert before >= HITS_OF_ONE_READ
    assert operator.type(operator.commands[1]).stdout == rows
    assert int(operator.type(operator.typed[-1]).stdout) == before + HITS_OF_ONE_READ

    # 7. Nothing is left, and reads fill it again.
    assert operator.next("redis-cli").stdout == "OK\n"
    assert operator.type(f"{cli} dbsize").stdout == "0\n"
    assert operator.type(operator.commands[1]).stdout == rows
    assert operator.type(f"{cli} dbsize").stdout != "0\n"
    assert operator.typed == operator.commands
