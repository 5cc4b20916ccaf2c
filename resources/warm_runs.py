"""Runs begin in a process that has Dagster in memory already.

What belongs here: how a code server starts the processes of its runs, and that they are as those of
Dagster in all but their beginning. What does not: what the warm process loads (warm_process.py),
what becomes of a run that died (run_launcher.py, run_retries in dagster.yaml).

Dagster's code server starts a Python for every run, which spends most of its first seconds on
importing Dagster and the libraries of its records. Here it asks a process that has imported them,
and nothing else, for a fork. A run still imports the platform and reads configuration, universe and
environment at its own beginning, so that none of them is older than with Dagster's own way. Where
the warm process does not answer, the run gets a Python of its own, with a warning.

For Linux alone: elsewhere it may not even be imported. Leans on what is private: `_mp_ctx`, through
which `DagsterApiServer.StartRun` makes a queue, an event and a process, and Python's forkserver
(tests/compat/test_warm_runs.py).
"""

from __future__ import annotations

import atexit
import inspect
import io
import logging
import os
import socket
import sys
import threading
import time
from multiprocessing import (
    connection,
    context,
    forkserver,
    popen_forkserver,
    popen_spawn_posix,
    reduction,
    resource_tracker,
    spawn,
    util,
)
from multiprocessing.process import BaseProcess
from typing import Any

SERVER = "dagster._grpc.server"
ATTRIBUTE = "_mp_ctx"
COMMAND = """import sys
sys.path[:] = {path!r}
from resources.warm_process import serve
serve({listener}, {alive})"""
PATIENCE = 30.0
"""Seconds that a run waits for the warm process, which imports for one or two as it begins."""

_log = logging.getLogger(__name__)
# Typeshed knows the public half of these.
_connection: Any = connection
_util: Any = util


def keep_warm() -> bool:
    """Let the code server that this process is start its runs warm; whether it will.

    Nothing happens in a process that is no code server. The warm process begins with the first run
    and ends with the code server, or with the last of its runs where that is later.
    """
    module = sys.modules.get(SERVER)
    if module is None:
        return False
    kind = getattr(module, "DagsterApiServer", None)
    start = getattr(kind, "StartRun", None)
    if start is None or ATTRIBUTE not in inspect.unwrap(start).__code__.co_names:
        _log.warning("This version of Dagster starts its runs in another way: they begin cold.")
        return False
    # Wins over the attribute that the server, which is being made, has set on itself.
    setattr(kind, ATTRIBUTE, property(lambda _: WARM, lambda *_: None))
    return True


class WarmServer(forkserver.ForkServer):
    """Python's fork server, with a beginning of our own (warm_process.py)."""

    _lock: threading.Lock
    _forkserver_address: Any
    _forkserver_alive_fd: Any
    _forkserver_pid: Any

    def __init__(self) -> None:
        super().__init__()
        self.given_up = False

    def ensure_running(self) -> None:
        """Begin the process, unless it runs.

        Raises:
            OSError: it cannot be begun.
        """
        with self._lock:
            resource_tracker.ensure_running()
            if self._forkserver_pid is not None:
                if not os.waitpid(self._forkserver_pid, os.WNOHANG)[0]:
                    return
                os.close(self._forkserver_alive_fd)
                self._forkserver_address = self._forkserver_alive_fd = self._forkserver_pid = None
            self._begin()

    def _begin(self) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            address = _connection.arbitrary_address("AF_UNIX")
            listener.bind(address)
            listener.listen()
            # Whoever holds the writing end keeps the process alive: this server and each run.
            reading, writing = os.pipe()
            command = COMMAND.format(path=sys.path, listener=listener.fileno(), alive=reading)
            executable = spawn.get_executable()
            flags = _util._args_from_interpreter_flags()  # noqa: SLF001  as Python's own does
            words = [executable, *flags, "-c", command]
            try:
                pid = _util.spawnv_passfds(executable, words, [listener.fileno(), reading])
            except BaseException:
                os.close(writing)
                raise
            finally:
                os.close(reading)
        self._forkserver_address = address
        self._forkserver_alive_fd, self._forkserver_pid = writing, pid


class WarmPopen(popen_forkserver.Popen):
    """A run's process, forked from the warm one."""

    _fds: list[int]

    def _launch(self, process_obj: BaseProcess) -> None:
        """As Python does it, but the process is there before it learns what to do.

        So whatever goes wrong, no process is left that begins the run, and another one may.
        """
        sent = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            reduction.dump(spawn.get_preparation_data(process_obj.name), sent)
            reduction.dump(process_obj, sent)
        finally:
            context.set_spawning_popen(None)
        self.sentinel, orders = WARM_SERVER.connect_to_new_process(self._fds)
        watch = os.dup(orders)
        self.finalizer = util.Finalize(self, _util.close_fds, (watch, self.sentinel))
        try:
            with os.fdopen(orders, "wb") as pipe:
                self.pid = _answer(self.sentinel)
                pipe.write(sent.getbuffer())
        except BaseException:
            self.finalizer()
            raise


def _answer(sentinel: int) -> int:
    """The number of the process that the warm one has forked.

    Raises:
        TimeoutError: there is none by now.
        EOFError: the warm process has ended.
    """
    if not connection.wait([sentinel], PATIENCE):
        raise TimeoutError(f"no answer within {PATIENCE:.0f} s")
    return int(forkserver.read_signed(sentinel))


class WarmRun(context.SpawnProcess):
    """The process of a run. Its default way to begin processes of its own is Python's spawn."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        self._variables = dict(os.environ)

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  Python's name
        if not WARM_SERVER.given_up:
            try:
                return WarmPopen(process_obj)
            except Exception as error:  # noqa: BLE001  whatever it is, the run begins
                WARM_SERVER.given_up = True
                _log.warning(
                    "Runs of this code server begin cold until it is loaded again: the process "
                    "that they begin from did not answer (%r).",
                    error,
                )
        return popen_spawn_posix.Popen(process_obj)

    def run(self) -> None:
        """What Dagster asked for, begun and ended as by a Python of its own."""
        if forkserver.get_inherited_fds() is None:
            super().run()
            return
        if self._variables != dict(os.environ):
            os.environ.clear()
            os.environ.update(self._variables)
            time.tzset()
        try:
            super().run()
        finally:
            # A fork ends without them: threads that work are waited for, logs and files closed.
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
            atexit._run_exitfuncs()  # noqa: SLF001


class WarmContext(context.SpawnContext):
    """Dagster's context in all but the process."""

    Process = WarmRun


WARM_SERVER = WarmServer()
WARM = WarmContext()
