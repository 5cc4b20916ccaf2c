"""Processes that outlive the program that starts them, and are ended by who they are.

What belongs here: starting a process with a record of its identity, signals, waiting.
What does not: what the process is (the servers).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# What a server knows of its starter's environment: nothing. PGPORT and its like would mislead it.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}

# The process notes its own line of /proc before it becomes the server: no server is ever without
# its record, whenever the starter dies.
_RECORD_AND_BECOME = 'read -r line </proc/$$/stat && echo "$line" && exec "$@" >&2'


@dataclass(frozen=True)
class Process:
    """One process for ever: a number is given out again, a number with its start is not."""

    pid: int
    started: int
    parent: int
    zombie: bool

    @classmethod
    def parse(cls, stat: str) -> Process:
        """Reads a line of /proc/<pid>/stat. The name in brackets may hold anything."""
        head, _, tail = stat.rpartition(")")
        fields = tail.split()
        return cls(int(head.split()[0]), int(fields[19]), int(fields[1]), fields[0] in "ZX")

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """The process that has a number now."""
        try:
            return cls.parse(Path(f"/proc/{pid}/stat").read_text())
        except (FileNotFoundError, ProcessLookupError):
            return None

    @classmethod
    def recorded(cls, record: Path) -> Process | None:
        """The process of a record, running or not."""
        try:
            line = record.read_text()
        except FileNotFoundError:
            return None
        return cls.parse(line) if line.strip() else None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        now = Process.find(self.pid)
        return now is not None and now.started == self.started and not now.zombie

    def family(self) -> list[Process]:
        """This process and all that descend from it, if it is alive."""
        if not self.alive:
            return []
        children: dict[int, list[Process]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            process = Process.find(int(entry.name))
            if process is not None:
                children.setdefault(process.parent, []).append(process)
        found, waiting = [], [self]
        while waiting:
            process = waiting.pop()
            found.append(process)
            waiting += children.get(process.pid, [])
        return found

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to this process and to no other that has its number."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle is of whoever has the number; from here on that cannot change.
            if self.alive:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def launch(
    argv: Sequence[str | Path],
    *,
    record: Path,
    log: Path,
    folder: Path,
    environment: Mapping[str, str],
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a server in a session of its own, and waits for its record; its output is logged.

    Args:
        argv: program and arguments. The program must not fork into the background.
        record: file that gets the identity of the process.
        log: file that its output is added to.
        folder: its working folder.
        environment: all of its environment.
        user: whom to run it as; the caller must be root then.
    """
    with record.open("w") as out, log.open("a") as err:
        child = subprocess.Popen(
            ["sh", "-c", _RECORD_AND_BECOME, "sh", *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    while child.poll() is None and not record.read_text().endswith("\n"):
        time.sleep(0.002)
    return child


def wait_until_gone(processes: Sequence[Process], seconds: float) -> bool:
    """Waits for the end of processes; says whether all have ended."""
    end = time.monotonic() + seconds
    while any(process.alive for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def kill(process: Process) -> None:
    """Ends a process and its descendants at once, as a loss of power would."""
    family = process.family()
    for member in family:
        member.send(signal.SIGKILL)
    wait_until_gone(family, 30)


def stop(process: Process, number: signal.Signals, seconds: float) -> None:
    """Asks a process to end; what is left of it and its descendants after a time is killed."""
    family = process.family()
    process.send(number)
    wait_until_gone([process], seconds)
    # Descendants normally end with it, and are given a moment.
    if not wait_until_gone(family, 2):
        for member in family:
            member.send(signal.SIGKILL)
        wait_until_gone(family, 30)
