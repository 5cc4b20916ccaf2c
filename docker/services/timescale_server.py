"""TimescaleDB on PostgreSQL 17, from a Debian that lies in a folder.

What belongs here: making that folder, running the server's programs inside it.
What does not: what it has in common with any PostgreSQL (postgres_server.py), its settings
(docker/timescaledb/postgresql.conf), the platform's tables.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from services import packages
from services.folders import home, locked, make_folder, remove, say
from services.postgres_server import PostgresServer
from services.server import Command

SUITE = "trixie"
_PACKAGES = "postgresql-17,postgresql-17-timescaledb,locales"
_SETTINGS = Path(__file__).resolve().parents[1] / "timescaledb" / "postgresql.conf"
_USER = "postgres"
_PROGRAMS = Path("/usr/lib/postgresql/17/bin")
# The server's own folder, as seen from inside.
_HERE = Path("/srv")
# What is mounted belongs to the process alone and is gone with it: nothing to unmount, ever.
_ENTER = """
root=$1 folder=$2; shift 2
mount -t proc proc "$root/proc" &&
mount -t tmpfs tmpfs "$root/dev/shm" &&
mount --bind "$folder" "$root/srv" &&
exec chroot --userspec=postgres:postgres "$root" "$@"
"""


class TimescaleServer(PostgresServer):
    """A PostgreSQL 17 cluster with TimescaleDB, in a database `emp` that has the extension."""

    name = "timescaledb"

    @classmethod
    def unable(cls) -> str | None:
        """Only root can make a Debian in a folder and enter it."""
        if os.geteuid() == 0:
            return None
        return (
            "TimescaleDB runs in a folder that only root can make and enter: start this as root, "
            "or name the others (redis postgres kafka) and give TIMESCALEDB_URL yourself"
        )

    @classmethod
    def missing_packages(cls) -> list[str]:
        """The package debootstrap as long as the folder is not made."""
        return [] if cls.fetched() or shutil.which("debootstrap") else ["debootstrap"]

    @classmethod
    def fetched(cls) -> bool:
        """Whether the folder is made, to its end."""
        return cls.root().is_dir()

    @classmethod
    def fetch(cls) -> None:
        """Makes a small Debian with the server, whole or not at all."""
        with locked("timescaledb") as lock:
            if cls.fetched():
                return
            unfinished = home() / f"{cls.root().name}.unfinished"
            if unfinished.exists():
                say("removing a Debian that was not finished")
                remove(unfinished)
            mirror = packages.debian_mirror()
            say(f"making a Debian {SUITE} with TimescaleDB in {home()}")
            make_folder(home())
            packages.run(
                [
                    *("unshare", "--mount", "--propagation", "private"),
                    *("debootstrap", "--variant=minbase", f"--include={_PACKAGES}"),
                    *(SUITE, unfinished, mirror),
                ],
                "debootstrap",
                env={**os.environ, **packages.apt_proxy()},
                holding=[lock],
            )
            shutil.rmtree(unfinished / "var" / "cache" / "apt" / "archives", ignore_errors=True)
            unfinished.rename(cls.root())

    @classmethod
    def root(cls) -> Path:
        """The folder of that Debian."""
        return home() / f"debian-{SUITE}-postgresql-17"

    def configuration(self) -> dict[str, str]:
        """The shipped settings below those of this server."""
        return {"10-shipped.conf": _SETTINGS.read_text(), **super().configuration()}

    def provision(self) -> None:
        """Makes the database with the extension."""
        self.query(
            "select 'create database emp' "
            "where not exists (select from pg_database where datname = 'emp') \\gexec"
        )
        self.query("create extension if not exists timescaledb", "emp")

    @property
    def url(self) -> str:
        """postgresql:// of the superuser on the database `emp`."""
        return self.url_of("emp")

    def environment(self) -> dict[str, str]:
        """TIMESCALEDB_URL."""
        return {"TIMESCALEDB_URL": self.url}

    def _program(self, name: str, *arguments: str | Path) -> Command:
        wall = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh"]
        return Command([*wall, self.root(), self.folder, _PROGRAMS / name, *arguments])

    def _inside(self, path: Path) -> Path:
        return _HERE / path.relative_to(self.folder)

    def _user(self) -> str | None:
        """Nobody on this side of the wall; the server changes its user on the other."""
        return None

    def _owner(self) -> tuple[int, int]:
        lines = (self.root() / "etc" / "passwd").read_text().splitlines()
        user = next(line.split(":") for line in lines if line.startswith(f"{_USER}:"))
        return int(user[2]), int(user[3])
