"""What all servers have in common: a folder, ports, a process, a life.

What belongs here: start, stop, kill, restart, discard, and the files in which that is remembered.
What does not: how a certain server is installed, configured and asked whether it answers.
"""

from __future__ import annotations

import json
import random
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from services import packages
from services.errors import ServiceError
from services.folders import make_folder, private_folder, remove, run_folder
from services.processes import ENVIRONMENT, Process, kill, launch, stop

# Below the ports that the system gives to clients: a server that is down for a while finds its
# port free when it comes back.
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Command:
    """How a server is started: program and arguments, and as whom."""

    argv: list[str | Path]
    user: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


class Server(ABC):
    """One server on 127.0.0.1, with a folder that holds its data, its settings and its log.

    The folder remembers everything, so that an object of another process with the same folder is
    the same server. As a context manager it is started, and discarded at the end.
    """

    name: ClassVar[str]
    """What the command line calls it."""
    ports: ClassVar[tuple[str, ...]] = ("port",)
    """The ports it needs."""
    patience: ClassVar[float] = 60
    """Seconds until it must answer, and until it must have stopped."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """What makes it stop in good order."""

    def __init__(self, folder: Path | None = None) -> None:
        """Opens the server of a folder, by default the one that this machine shares."""
        self.folder = folder or run_folder() / self.name
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def private(cls) -> Self:
        """A new server that nobody else knows, with a port and a folder of its own."""
        parent = make_folder(make_folder(run_folder()) / private_folder().name)
        folder = Path(tempfile.mkdtemp(prefix=f"{cls.name}-", dir=parent))
        folder.chmod(0o711)
        return cls(folder)

    # What differs.

    @classmethod
    def unable(cls) -> str | None:
        """Why it can never run for this user on this machine, None where it can."""
        return None

    @classmethod
    @abstractmethod
    def missing_packages(cls) -> list[str]:
        """The packages of the distribution that it lacks."""

    @classmethod
    def fetched(cls) -> bool:
        """Whether what no package holds is there."""
        return True

    @classmethod
    def fetch(cls) -> None:
        """Gets what no package holds; does nothing where it is there."""
        return

    def prepare(self) -> None:
        """Makes the data of a new server, in an empty folder `data`."""
        return

    def provision(self) -> None:
        """Makes what a running new server must hold. May be asked for again after a crash."""
        return

    @abstractmethod
    def command(self) -> Command:
        """How to start it; writes its configuration."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves clients now."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address, with the password, as clients are told."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The variables by which the platform finds it."""

    # Installation.

    @classmethod
    def lacking(cls) -> str | None:
        """What has to be installed before it can start here, None where all is there."""
        unable = cls.unable()
        if unable:
            return unable
        if cls.missing_packages():
            return f"{cls.name} lacks the packages {' '.join(cls.missing_packages())}"
        return None if cls.fetched() else f"{cls.name} has not been downloaded yet"

    @classmethod
    def install(cls) -> None:
        """Installs what is missing.

        Raises:
            ServiceError: it cannot run here, or cannot be installed; the message says what helps.
        """
        unable = cls.unable()
        if unable:
            raise ServiceError(unable)
        packages.install(cls.missing_packages())
        cls.fetch()

    # Life.

    def start(self) -> Self:
        """Starts it where it does not run, and waits until it answers.

        Raises:
            ServiceError: it cannot be installed, or does not come up; the message holds its log.
        """
        self.install()
        make_folder(self.folder)
        if not self.running:
            self._once("prepared", self._prepare)
            self._launch()
        self._await()
        self._once("provisioned", self.provision)
        return self

    def stop(self) -> None:
        """Stops it in good order; its data stays."""
        process = self.process
        if process:
            stop(process, self.stop_signal, self.patience)
        self._reap()

    def kill(self) -> None:
        """Ends it and all its processes at once, as kill -9 does; its data stays as it is."""
        process = self.process
        if process:
            kill(process)
        self._reap()

    def restart(self) -> Self:
        """Stops and starts it, with the same port and data."""
        self.stop()
        return self.start()

    def discard(self) -> None:
        """Stops it and removes its folder."""
        self.stop()
        remove(self.folder)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.discard()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    # Memory.

    @property
    def process(self) -> Process | None:
        """Its process as it was started last, whether it still runs or not."""
        return Process.recorded(self.folder / "process")

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        process = self.process
        return process is not None and process.alive

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    def port(self, name: str = "port") -> int:
        """A port of its own, chosen when it is asked for the first time."""
        return int(self._remembered()["ports"][name])

    def password(self, name: str = "password") -> str:
        """A random password of its own, made when it is asked for the first time."""
        state = self._remembered()
        if name not in state["passwords"]:
            state["passwords"][name] = secrets.token_hex(16)
            self._remember(state)
        return str(state["passwords"][name])

    def log_end(self) -> str:
        """The last lines that it wrote."""
        try:
            lines = (self.folder / "log").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-15:])

    def _remembered(self) -> dict[str, Any]:
        file = self.folder / "state.json"
        if file.exists():
            return dict(json.loads(file.read_text()))
        state = {"ports": dict(zip(self.ports, _free_ports(len(self.ports)), strict=True))}
        return self._remember({**state, "passwords": {}})

    def _remember(self, state: dict[str, Any]) -> dict[str, Any]:
        make_folder(self.folder)
        new = self.folder / "state.json.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(state))
        new.rename(self.folder / "state.json")
        return state

    def _once(self, mark: str, step: Any) -> None:
        """Takes a step that has not been taken to its end yet."""
        done = self.folder / mark
        if not done.exists():
            step()
            done.touch()

    def _prepare(self) -> None:
        remove(self.data)
        self.data.mkdir(mode=0o700)
        self.prepare()

    def _launch(self) -> None:
        command = self.command()
        self._child = launch(
            command.argv,
            record=self.folder / "process",
            log=self.folder / "log",
            folder=self.folder,
            environment={**ENVIRONMENT, **command.environment},
            user=command.user,
        )

    def _await(self) -> None:
        end = time.monotonic() + self.patience
        while not self.answers() or not self.running:
            if not self.running:
                raise ServiceError(f"{self.name} ended while it started:\n{self.log_end()}")
            if time.monotonic() > end:
                raise ServiceError(
                    f"{self.name} does not answer after {self.patience:.0f} s:\n{self.log_end()}"
                )
            time.sleep(0.05)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None


def _free_ports(count: int) -> list[int]:
    """Ports on which nobody listens now."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            # As servers do: a port that has only just been given up counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise ServiceError(f"no free port between {_PORTS.start} and {_PORTS.stop - 1}")
