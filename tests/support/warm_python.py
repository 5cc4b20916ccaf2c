"""Python processes that start with the libraries in memory, for tests that start many of them.

What belongs here: a process of its own for a module or a script, with its own environment, output
and exit status, forked from one that has imported libraries and this project. What does not: tests
of how a process starts or what it loads, of signals to a command or of a broken pipe; they start
Python themselves.

Importing is most of what a short command costs. Whoever read the environment while it is imported
would be found: the server has no variable of this project's. Threads would not live through a fork:
Polars and the Delta library start theirs when they are used, but for what `_HARMLESS` names. All
processes of one server hash alike: what must not depend on PYTHONHASHSEED needs processes that
start Python themselves.
"""

from __future__ import annotations

import array
import atexit
import gc
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "alembic.command",
    "dagster",
    # What Dagster loads when its first run starts.
    "dagster._core.execution.execute_in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.local_compute_log_manager",
    "dagster_postgres",
    "deltalake",
    "exchange_calendars",
    "hypothesis.strategies",
    "kafka",
    "polars.testing",
    "psycopg",
    "psycopg_pool",
    "pydantic_settings",
    "redis",
    "rich.console",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "typer",
    "upath.implementations.local",
    "yaml",
)
OURS = (
    "adapters",
    "definitions",
    "emp",
    "emp_assets",
    "jobs",
    "market_data",
    "resources",
    "sensors",
)
_NOT_IMPORTED = ("adapters.operations.migrations", "adapters.timescale.migrations", "emp.__main__")
_HARMLESS = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Threads that libraries begin while they are imported: an allocator's, which minds forks itself,
and one that removes what Polars has spilled to disk, which is nothing here."""
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
    with (
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        pid, told = _start(words, env, cwd, (nothing.fileno(), out.fileno(), errors.fileno()))
        status = _status(told, timeout)
        if status is None:
            os.kill(pid, signal.SIGKILL)
            _status(told, 60)
            raise subprocess.TimeoutExpired([*words], timeout, _text(out), _text(errors))
        return subprocess.CompletedProcess([*words], status, _text(out), _text(errors))


class StartedPython:
    """What `subprocess.Popen([sys.executable, *words], text=True)` with three pipes gives.

    Attributes:
        pid: of the process itself.
        stdin: its input, to write to.
        stdout: its output.
        stderr: what it says besides; empty where a file takes it.
        returncode: how it ended; None until somebody has asked.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stderr: IO[Any] | None = None,
    ) -> None:
        pipes = [os.pipe() for _ in range(3)]
        theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
        errors = pipes[2][1] if stderr is None else stderr.fileno()
        try:
            self.pid, self._told = _start(words, env, cwd, (pipes[0][0], pipes[1][1], errors))
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.stdin = os.fdopen(pipes[0][1], "w")
        self.stdout = os.fdopen(pipes[1][0])
        self.stderr = os.fdopen(pipes[2][0])
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        if self.returncode is None:
            self.returncode = _status(self._told, 0)
        return self.returncode

    def wait(self, timeout: float = 240) -> int:
        """How it ended, once it has.

        Raises:
            subprocess.TimeoutExpired: it runs still.
        """
        if self.returncode is None:
            self.returncode = _status(self._told, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("python", timeout)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 240) -> tuple[str, str]:
        """The rest of what it says, once it has ended."""
        with ThreadPoolExecutor(2) as readers:
            if not self.stdin.closed:
                self.stdin.close()
            texts = [readers.submit(self._rest, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return texts[0].result(), texts[1].result()

    @staticmethod
    def _rest(stream: IO[str]) -> str:
        if stream.closed:
            return ""
        with stream:
            return stream.read()

    def __enter__(self) -> StartedPython:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()
        self.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _start(
    words: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path,
    streams: tuple[int, int, int],
) -> tuple[int, IO[bytes]]:
    """Its process id, and the pipe that tells its exit status."""
    reading, writing = os.pipe()
    variables = dict(os.environ if env is None else env)
    order = json.dumps({"words": list(words), "env": variables, "cwd": str(cwd)}).encode()
    handed = array.array("i", [*streams, writing])
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
        order, ancillary, _, _ = orders.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(4 * 4))
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
    *streams, told = handed
    pid = os.fork()
    if pid:
        for descriptor in streams:
            os.close(descriptor)
        os.write(told, b"%d\n" % pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(told, b"%d\n" % status)
        os._exit(0)
    for standard, descriptor in enumerate(streams):
        os.dup2(descriptor, standard)
    sys.stdout, sys.stderr = _anew(sys.stdout), _anew(sys.stderr)
    for descriptor in handed:
        os.close(descriptor)
    _become(**json.loads(order))


def _anew(stream: TextIO) -> TextIO:
    """The same stream over what its descriptor is now: a file can be sought in, a pipe cannot."""
    assert isinstance(stream, io.TextIOWrapper)
    through = stream.write_through
    binary = open(stream.fileno(), "wb", 0 if through else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        binary,
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=through,
    )


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


def _ours() -> Iterator[str]:
    """The modules of this project that may be in memory before a process has its environment."""
    for package in OURS:
        yield package
        found = pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
        yield from (m.name for m in found if not m.name.startswith(_NOT_IMPORTED))


def _make_the_graph() -> None:
    """The parts of the shipped graph, which any graph with the same vendors takes over."""
    from adapters.configuration import load_universe
    from adapters.settings import PROJECT, Settings
    from adapters.vendors.table import load_vendor_table
    from emp_assets.graph import all_assets, all_checks

    with tempfile.TemporaryDirectory() as nothing:
        shipped = Settings(data_dir=Path(nothing), config_dir=PROJECT / "config")
        universe = load_universe(shipped)
        all_assets(universe, load_vendor_table(shipped))
        all_checks(universe)


if __name__ == "__main__":
    for module in (*LIBRARIES, *_ours()):
        # What cannot be imported is for the process to tell that needs it.
        with suppress(ImportError):
            __import__(module)
    # It loads Spark, which has a word to say about Pandas, and nobody here to say it to.
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        __import__("pandera.polars")
    # Every command of `emp` would make all commands first.
    with suppress(ImportError):
        from emp.cli import command

        command()
    # Every process that loads the graph would make all of it first.
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _make_the_graph()
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    lost = [name for name in threads if name not in _HARMLESS]
    assert len(lost) == 1, f"threads beside the first would not live through a fork: {lost}"
    serve(socket.socket(fileno=int(sys.argv[1])))
