"""What comes from Debian: packages of this machine, and the mirror they come from.

What belongs here: apt. What does not: Maven (kafka_broker.py), debootstrap (timescale_server.py).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable

from services.errors import ServiceError
from services.folders import locked, say

# A package must not start a server of its own while it is installed: policy-rc.d forbids it.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 0755 "$policy"
fi
apt-get -o DPkg::Lock::Timeout=600 update -qq
apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$@"
"""


def install(packages: Iterable[str]) -> None:
    """Installs packages of the distribution.

    Raises:
        ServiceError: this user may not install, or apt failed.
    """
    wanted = sorted(set(packages))
    if not wanted:
        return
    command = f"apt-get install {' '.join(wanted)}"
    if shutil.which("apt-get") is None:
        raise ServiceError(f"not a Debian system: install what '{command}' installs there")
    prefix = _as_root()
    if prefix is None:
        raise ServiceError(f"packages are missing and only root can install them: {command}")
    say(f"installing {' '.join(wanted)}")
    with locked("install") as lock:
        run([*prefix, "sh", "-c", _INSTALL, "sh", *wanted], "apt-get", holding=[lock])


def debian_mirror() -> str:
    """The address of the Debian archive that apt uses here.

    Raises:
        ServiceError: apt uses none.
    """
    fields = "$(ORIGIN) $(CODENAME) $(REPO_URI)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        origin, codename, *address = line.split()
        # bookworm-security and its like are archives of their own.
        if origin == "Debian" and "-" not in codename and address:
            return address[0]
    raise ServiceError(
        "apt knows no Debian archive: see /etc/apt/sources.list*, then run apt-get update"
    )


def apt_proxy() -> dict[str, str]:
    """The proxy that apt uses here, as environment variables for others."""
    done = subprocess.run(
        ["apt-config", "shell", "PROXY", "Acquire::http::Proxy"],
        capture_output=True,
        text=True,
        check=False,
    )
    words = shlex.split(done.stdout)
    return {"http_proxy": words[0].removeprefix("PROXY=")} if words else {}


def run(
    argv: Iterable[object],
    what: str,
    *,
    cwd: object = None,
    env: dict[str, str] | None = None,
    holding: Iterable[int] = (),
) -> None:
    """Runs a program to its end; what it says is shown when it fails.

    Args:
        argv: program and arguments.
        what: what it does, for the message.
        cwd: its working folder.
        env: all of its environment; this one's by default.
        holding: descriptors of locks that it holds as long as it lives.

    Raises:
        ServiceError: it failed; the message holds the end of what it said.
    """
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=None if cwd is None else str(cwd),
        env=env,
        pass_fds=tuple(holding),
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise ServiceError(f"{what} failed with status {done.returncode}:\n{end}")


def _as_root() -> list[str] | None:
    """What to put before a command that needs root, None where nothing helps."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None
