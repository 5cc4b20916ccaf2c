"""Where everything lies, and how it is removed again.

What belongs here: the folder of this tool, its lock, what is mounted below it.
What does not: what a single server keeps in its folder (server.py).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.errors import ServiceError


def home() -> Path:
    """The folder of all downloads and data: EMP_SERVICES_DIR.

    By default ~/.cache/emp-services. Root's own folder is closed to the users as whom servers run,
    so root has /var/cache/emp-services.
    """
    named = os.environ.get("EMP_SERVICES_DIR")
    if named:
        return Path(named).resolve()
    if os.geteuid() == 0:
        return Path("/var/cache/emp-services")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emp-services"


def run_folder() -> Path:
    """The throw-away part: the data of every server, one folder each. EMP_SERVICES_RUN_DIR.

    By default below `home`. Another one holds another set of servers, of the same downloads.
    """
    named = os.environ.get("EMP_SERVICES_RUN_DIR")
    return Path(named).resolve() if named else home() / "run"


def private_folder() -> Path:
    """Below `run_folder`, the servers that tests have for themselves."""
    return run_folder() / "private"


@contextmanager
def locked(name: str) -> Iterator[int]:
    """Holds a lock between the processes of this machine; a dead holder's lock is free.

    Yields:
        The descriptor that holds it. A child that inherits it holds the lock for as long as it
        lives, even when its parent is killed.
    """
    make_folder(home())
    with (home() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def make_folder(folder: Path) -> Path:
    """Makes a folder that others can pass through but not list, where it does not exist yet."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    return folder


def require_passage(folder: Path, user: str) -> None:
    """Sees to it that other users can reach a folder.

    Raises:
        ServiceError: naming the folder above it that is closed to them.
    """
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & 0o001:
            raise ServiceError(
                f"the server runs as the user {user}, who cannot enter {parent}: "
                "set EMP_SERVICES_RUN_DIR to a folder that everyone can enter"
            )


def mounts_below(folder: Path) -> list[Path]:
    """What is mounted inside a folder, innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    inside = [point for point in points if point.is_relative_to(folder)]
    return sorted(inside, key=lambda point: len(point.parts), reverse=True)


def remove(folder: Path) -> None:
    """Removes a folder with everything in it, never what is mounted there.

    Raises:
        ServiceError: something in it is mounted and cannot be unmounted.
    """
    for point in mounts_below(folder):
        done = subprocess.run(["umount", point], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"cannot unmount {point}: {done.stderr.strip()}")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def say(text: str) -> None:
    """Tells the user what goes on; standard output is kept for settings."""
    # One write, so that lines of two threads stay two lines.
    sys.stderr.write(f"services: {text}\n")
    sys.stderr.flush()
