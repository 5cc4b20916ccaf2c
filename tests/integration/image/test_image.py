"""The built image: what it holds, and its processes on the real servers.

EMP_TEST_IMAGE names it; docker/build-image makes it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support.institution import Institution, institution
from tests.support.servers import do_without, new_database, server_url

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    image = os.environ.get("EMP_TEST_IMAGE")
    if not image:
        do_without("EMP_TEST_IMAGE is not set, docker/build-image makes the image")
    name = buildah("from", image).strip()
    yield name
    buildah("rm", name)


def buildah(*arguments: str) -> str:
    return subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def inside(container: str, *command: str) -> str:
    return buildah("run", "--isolation", "chroot", container, "--", *command)


def test_it_runs_as_nobody_in_particular(container: str) -> None:
    assert inside(container, "id", "-u").strip() == "10001"
    assert "migrate" in inside(container, "emp", "--help")


def test_it_holds_bytecode_and_no_compiler(container: str) -> None:
    script = (
        "import shutil, pathlib, sys, importlib.util as u\n"
        "tools = ('gcc', 'cc', 'g++', 'clang', 'make', 'ld', 'pip')\n"
        "print([tool for tool in tools if shutil.which(tool)])\n"
        "names = ('emp.cli', 'definitions', 'dagster', 'polars', 'sqlalchemy')\n"
        "print([n for n in names if not pathlib.Path(u.cache_from_source("
        "u.find_spec(n).origin)).is_file()])\n"
    )
    assert inside(container, "python", "-c", script).splitlines() == ["[]", "[]"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with (
        institution(tmp_path_factory.mktemp("data")) as made,
        new_database(server_url("EMP_OPERATIONS_URL")) as dagster,
    ):
        info = psycopg.conninfo.conninfo_to_dict(dagster)
        made.environment.update(
            DAGSTER_POSTGRES_HOST=str(info["host"]),
            DAGSTER_POSTGRES_PORT=str(info["port"]),
            DAGSTER_POSTGRES_USER=str(info["user"]),
            DAGSTER_POSTGRES_PASSWORD=str(info["password"]),
            DAGSTER_POSTGRES_DB=str(info["dbname"]),
            DAGSTER_COMPUTE_LOGS="/var/lib/emp/logs",
            DAGSTER_CODE_LOCATION_HOST="127.0.0.1",
            DAGSTER_CODE_LOCATION_PORT=str(free_port()),
        )
        yield made


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(
    container: str, house: Institution, folder: Path, *command: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the image, with the variables that the compose file gives it."""
    names = ("EMP_", "TIMESCALEDB_", "REDIS_", "KAFKA_", "DAGSTER_")
    given = {k: v for k, v in house.environment.items() if k.startswith(names)}
    given["EMP_DATA_DIR"] = "/var/lib/emp/data"
    options = [f"--env={name}={value}" for name, value in given.items()]
    log = (folder / f"{command[0]}.log").open("wb")
    process = subprocess.Popen(
        ["buildah", "run", "--isolation", "chroot", *options, container, "--", *command],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        ended = process.poll() is not None
        family = [] if ended else psutil.Process(process.pid).children(recursive=True)
        for member in family:
            # Whoever's parent ended meanwhile may be gone.
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(family, timeout=30)
        for member in left:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(30)
        log.close()
        assert not left, f"{command} left {left}"


def wait_for(what: str, answers: Callable[[], object], seconds: float = 120) -> object:
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = answers()
            if last:
                return last
        except (OSError, subprocess.CalledProcessError, psycopg.Error) as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"{what} did not answer: {last}")


def test_migrate_code_location_webserver_and_daemon_answer(
    container: str, house: Institution, tmp_path: Path
) -> None:
    with running(container, house, tmp_path, "emp", "migrate") as migrated:
        log = tmp_path / "emp.log"
        assert migrated.wait(120) == 0, log.read_text()
        assert "up to date" in log.read_text()
    port, code_port = free_port(), house.environment["DAGSTER_CODE_LOCATION_PORT"]
    code = ("dagster", "code-server", "start", "-h", "127.0.0.1", "-p", code_port)
    web = ("dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "docker/workspace.yaml")
    with (
        running(container, house, tmp_path, *code, "-m", "definitions"),
        running(container, house, tmp_path, *web),
        running(container, house, tmp_path, "dagster-daemon", "run", "-w", "docker/workspace.yaml"),
    ):
        url = f"http://127.0.0.1:{port}"

        def assets() -> list[str]:
            query = json.dumps({"query": "{assetNodes {assetKey {path}}}"}).encode()
            request = urllib.request.Request(
                f"{url}/graphql", query, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                nodes = json.load(answer)["data"]["assetNodes"]
            return ["/".join(node["assetKey"]["path"]) for node in nodes]

        assert "curated/bars_1d" in wait_for("the webserver", assets)

        def beats() -> bool:
            e = house.environment
            with psycopg.connect(
                host=e["DAGSTER_POSTGRES_HOST"],
                port=e["DAGSTER_POSTGRES_PORT"],
                user=e["DAGSTER_POSTGRES_USER"],
                password=e["DAGSTER_POSTGRES_PASSWORD"],
                dbname=e["DAGSTER_POSTGRES_DB"],
            ) as connection:
                found = connection.execute("select count(*) from daemon_heartbeats").fetchone()
            return bool(found and found[0])

        wait_for("the daemon", beats)
