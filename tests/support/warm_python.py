"""Python processes that start with the libraries in memory, for tests that start many of them.

What belongs here: a process of its own for a module or a script, with its own environment, output
and exit status, forked from one that has imported libraries and nothing of this project. What does
not: tests of how a process starts or what it loads, of signals to a command or of a broken pipe;
they start Python themselves.

Importing the libraries is most of what a short command costs. No module of this project is loaded
before the fork: each process reads its own environment. Polars and what stands on it is not either,
since its threads would not live through a fork. All processes of one server hash alike: what must
not depend on PYTHONHASHSEED needs processes that start Python themselves.
"""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "alembic",
    "dagster",
    "dagster_postgres",
    "exchange_calendars",
    "hypothesis.strategies",
    "kafka",
    "psycopg",
    "pydantic_settings",
    "redis",
    "rich.console",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "typer",
    "yaml",
)
_MOST_BYTES = 1 << 18
# What a library reads while it is imported, and must be the same as in the process of the test.
_OWN = ("EMP_", "DAGSTER_", "TIMESCALE", "REDIS_", "KAFKA_")
_STARTING = threading.Lock()


def run_python(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([sys.executable, *words], capture_output=True, text=True)` gives.

    Args:
        words: `-m`, a module and its arguments, or `-c`, a script and its arguments.
        env: the variables of the process; this process's own where None.
        cwd: its working directory.
        timeout: seconds after which it is killed.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        pid, told = _start(words, dict(os.environ if env is None else env), cwd, out, errors)
        status = _status(told, timeout)
        if status is None:
            os.kill(pid, signal.SIGKILL)
            _status(told, 60)
            raise subprocess.TimeoutExpired([*words], timeout, _text(out), _text(errors))
        return subprocess.CompletedProcess([*words], status, _text(out), _text(errors))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _start(
    words: Sequence[str], env: dict[str, str], cwd: Path, out: IO[bytes], errors: IO[bytes]
) -> tuple[int, IO[bytes]]:
    """Its process id, and the pipe that tells its exit status."""
    reading, writing = os.pipe()
    order = json.dumps({"words": list(words), "env": env, "cwd": str(cwd)}).encode()
    handed = array.array("i", [out.fileno(), errors.fileno(), writing])
    with _STARTING:
        server = _server()
    server.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
    os.close(writing)
    told = os.fdopen(reading, "rb", buffering=0)
    pid = told.readline()
    assert pid, "the server of processes has ended: its own output says why"
    return int(pid), told


def _status(told: IO[bytes], seconds: float) -> int | None:
    ready, _, _ = select.select([told], [], [], seconds)
    if not ready:
        return None
    with told:
        return int(told.readline())


@cache
def _server() -> socket.socket:
    """The process that forks; it ends with this one, whose end of the socket closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_BYTES)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(_OWN)}
    # A library that starts threads when it is loaded.
    clean["OPENBLAS_NUM_THREADS"] = "1"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm_python", str(theirs.fileno())],
        cwd=ROOT,
        env=clean,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(_end, ours, server)
    return ours


def _end(ours: socket.socket, server: subprocess.Popen[bytes]) -> None:
    ours.close()
    server.wait(30)


# In the server.


def serve(orders: socket.socket) -> None:
    """Fork for each order until the other end of the socket closes.

    Between the server and the program stands a process that waits for it, tells how it ended, and
    ends. Only the program's own process returns from here, after the program.
    """
    gc.freeze()
    waiting: list[int] = []
    while True:
        order, ancillary, _, _ = orders.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(3 * 4))
        if not order:
            sys.exit()
        waiting = [pid for pid in waiting if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        handed = array.array("i", ancillary[0][2])
        child = os.fork()
        if child == 0:
            orders.close()
            break
        waiting.append(child)
        for descriptor in handed:
            os.close(descriptor)
    out, errors, told = handed
    pid = os.fork()
    if pid:
        os.write(told, b"%d\n" % pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(told, b"%d\n" % status)
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(errors, 2)
    for descriptor in handed:
        os.close(descriptor)
    _become(**json.loads(order))


def _become(words: list[str], env: dict[str, str], cwd: str) -> None:
    """Run the module or the script as Python itself would."""
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    kind, what, *arguments = words
    sys.path[0] = cwd if kind == "-m" else ""
    sys.argv = [kind, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    else:
        raise ValueError(f"{kind} is neither -m nor -c")


if __name__ == "__main__":
    for library in LIBRARIES:
        __import__(library)
    assert "polars" not in sys.modules
    serve(socket.socket(fileno=int(sys.argv[1])))
