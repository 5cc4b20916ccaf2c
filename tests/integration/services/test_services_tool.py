"""python3 docker/services: what it starts it starts once, and it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services import PostgresServer, RedisServer, ServiceError, TimescaleServer, packages
from services.folders import locked, mounts_below
from services.processes import Process
from tests.support.servers import do_without

ROOT = Path(__file__).resolve().parents[3]
Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, so that the servers of this machine are other ones."""
    monkeypatch.setenv("EMP_SERVICES_DIR", str(tmp_path / "services"))
    monkeypatch.delenv("EMP_SERVICES_RUN_DIR", raising=False)
    return tmp_path / "services"


@pytest.fixture
def tool(home: Path) -> Iterator[Tool]:
    """Runs the command line in that folder."""
    lacking = RedisServer.lacking()
    if lacking:
        do_without(lacking)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "docker" / "services"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    run("down")


def test_up_twice_starts_once_and_prints_the_same_settings(tool: Tool, home: Path) -> None:
    first = tool("up", "redis")
    process = RedisServer().process
    second = tool("up", "redis")
    assert first.returncode == second.returncode == 0, first.stderr
    assert re.fullmatch(r"REDIS_URL=redis://:[0-9a-f]{32}@127\.0\.0\.1:\d+/0\n", first.stdout)
    assert second.stdout == tool("env", "redis").stdout == first.stdout
    assert RedisServer().process == process


def test_down_leaves_no_process_port_mount_or_data(tool: Tool, home: Path) -> None:
    tool("up", "redis")
    server = RedisServer()
    process, port = server.process, server.port()
    assert process is not None
    assert process.alive
    assert tool("down").returncode == 0
    assert not process.alive
    assert mounts_below(home) == []
    assert not (home / "run").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert tool("down").returncode == 0


def test_status_and_env_say_what_runs(tool: Tool) -> None:
    stopped, nothing = tool("status", "redis"), tool("env", "redis")
    tool("up", "redis")
    running = tool("status", "redis")
    assert (stopped.returncode, running.returncode) == (3, 0)
    assert "stopped" in stopped.stdout
    assert "running" in running.stdout
    assert (nothing.returncode, nothing.stdout) == (3, "")


def test_a_server_that_died_comes_back_with_its_settings(tool: Tool, home: Path) -> None:
    before = tool("up", "redis").stdout
    process = RedisServer().process
    assert process is not None
    process.send(signal.SIGKILL)
    after = tool("up", "redis")
    assert after.stdout == before
    assert RedisServer().process != process


def test_after_down_the_password_is_another(tool: Tool) -> None:
    before = tool("up", "redis").stdout
    tool("down")
    assert tool("up", "redis").stdout != before


def test_down_ends_what_a_dead_test_run_left(tool: Tool, home: Path) -> None:
    left = subprocess.run(
        [sys.executable, "-c", LEAVE_ONE],
        cwd=ROOT / "docker",
        capture_output=True,
        text=True,
        check=False,
    )
    server = RedisServer(Path(left.stdout.strip()))
    process = server.process
    assert process is not None
    assert process.alive
    tool("down")
    assert not process.alive
    assert not (home / "run").exists()


LEAVE_ONE = """
import os
from services import RedisServer
print(RedisServer.private().start().folder, flush=True)
os._exit(1)
"""


def test_another_run_folder_is_another_set_and_keeps_what_is_not_ours(
    tool: Tool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tool("up", "redis").stdout
    monkeypatch.setenv("EMP_SERVICES_RUN_DIR", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years")
    second = tool("up", "redis").stdout
    assert "" != second != first
    assert tool("down").returncode == 0
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis"]
    monkeypatch.delenv("EMP_SERVICES_RUN_DIR")
    assert tool("env", "redis").stdout == first


def test_a_process_that_got_the_number_of_a_dead_server_is_let_alone(tool: Tool) -> None:
    tool("up", "redis")
    server = RedisServer()
    server.kill()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            line = Path(f"/proc/{stranger.pid}/stat").read_text()
            found = Process.parse(line)
            # The same number, started at another time.
            record = line.replace(str(found.started), str(found.started - 1))
            (server.folder / "process").write_text(record)
            assert not server.running
            assert tool("down").returncode == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_name_that_is_none_is_refused(tool: Tool) -> None:
    done = tool("up", "reddis")
    assert done.returncode == 1
    assert "no server is called reddis" in done.stderr


def test_a_debian_that_was_not_finished_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = home / f"{TimescaleServer.root().name}.unfinished"
    (unfinished / "usr").mkdir(parents=True)
    (unfinished / "usr" / "half").touch()

    def debootstrap(argv: list[object], what: str, **_: object) -> None:
        assert not unfinished.exists()
        (unfinished / "usr").mkdir(parents=True)
        if outcome:
            raise outcome.pop()

    monkeypatch.setattr(packages, "debian_mirror", lambda: "mirror")
    monkeypatch.setattr(packages, "apt_proxy", dict)
    monkeypatch.setattr(packages, "run", debootstrap)
    outcome = [ServiceError("no network")]
    with pytest.raises(ServiceError, match="no network"):
        TimescaleServer.fetch()
    assert not TimescaleServer.fetched()
    TimescaleServer.fetch()
    assert TimescaleServer.fetched()
    assert not (TimescaleServer.root() / "usr" / "half").exists()


def test_without_root_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages, "_as_root", lambda: None)
    with pytest.raises(ServiceError, match="only root can install them: apt-get install redis"):
        packages.install(["redis-server"])
    assert "start this as root" in str(TimescaleServer.unable())


def test_a_folder_that_is_closed_to_the_servers_user_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's servers run as somebody else")
    if PostgresServer.lacking():
        do_without("PostgreSQL is not installed")
    home.mkdir()
    home.parent.chmod(0o700)
    with pytest.raises(ServiceError, match="set EMP_SERVICES_RUN_DIR to a folder"):
        PostgresServer().start()


def test_a_server_that_does_not_start_shows_its_log(home: Path) -> None:
    if RedisServer.lacking():
        do_without("Redis is not installed")
    with socket.socket() as taken, pytest.raises(ServiceError) as refused:
        server = RedisServer.private()
        taken.bind(("127.0.0.1", server.port()))
        taken.listen()
        server.start()
    assert "ended while it started" in str(refused.value)
    assert "bind" in str(refused.value)


def test_two_callers_at_once_start_one_server(tool: Tool) -> None:
    command = [sys.executable, str(ROOT / "docker" / "services"), "up", "redis"]
    with locked("services"):
        both = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(2)
        ]
        time.sleep(0.4)
        assert not RedisServer().running
    lines = [process.communicate(timeout=60)[0] for process in both]
    assert lines[0] == lines[1] != ""


def test_a_stopped_server_is_gone_at_once(home: Path) -> None:
    if RedisServer.lacking():
        do_without("Redis is not installed")
    with RedisServer.private() as server:
        began = time.monotonic()
        server.stop()
        assert not server.running
        assert time.monotonic() - began < 5
