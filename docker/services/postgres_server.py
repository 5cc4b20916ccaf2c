"""PostgreSQL from the distribution: the operations database and Dagster's records.

What belongs here: a cluster of its own, its configuration, users and databases.
What does not: TimescaleDB (timescale_server.py), tables (the platform's migrations).
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

from services import packages
from services.errors import ServiceError
from services.folders import require_passage
from services.processes import ENVIRONMENT
from services.server import Command, Server

ADMIN = "emp"
_SYSTEM_USER = "postgres"
_INCLUDE = "include_dir = 'conf.d'"
_DATABASES = """\
select 'create database operations'
    where not exists (select from pg_database where datname = 'operations') \\gexec
select 'create role dagster login'
    where not exists (select from pg_roles where rolname = 'dagster') \\gexec
select 'create database dagster owner dagster'
    where not exists (select from pg_database where datname = 'dagster') \\gexec
"""
_INSTANCE = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = scram-sha-256
max_connections = 200
# The data is thrown away: it must survive a dead server, not a dead machine.
fsync = off
# Nothing outside the data folder that a killed server could leave behind.
dynamic_shared_memory_type = mmap
"""


class PostgresServer(Server):
    """A PostgreSQL cluster with one superuser and databases `operations` and `dagster`."""

    name = "postgres"
    # Ends the sessions of clients instead of waiting for them.
    stop_signal = signal.SIGINT

    @classmethod
    def missing_packages(cls) -> list[str]:
        """The package postgresql where no server is installed."""
        return [] if _programs() else ["postgresql"]

    def prepare(self) -> None:
        """Makes the cluster; passwords are checked by SCRAM from the start."""
        user = self._user()
        if user:
            require_passage(self.folder, user)
        password = self.folder / "first-password"
        password.touch(mode=0o600)
        password.write_text(self.password())
        self._give(self.data)
        self._give(password)
        try:
            self._run(
                *("initdb", "-D", self._inside(self.data), "-U", ADMIN, "-A", "scram-sha-256"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync"),
                f"--pwfile={self._inside(password)}",
            )
        finally:
            password.unlink()

    def command(self) -> Command:
        """Starts it in the foreground, with its port and the shipped settings."""
        folder = self.data / "conf.d"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give(folder)
        for name, text in self.configuration().items():
            file = folder / name
            file.write_text(text)
            self._give(file)
        main = self.data / "postgresql.conf"
        text = main.read_text()
        if _INCLUDE not in text.splitlines():
            main.write_text(f"{text}\n{_INCLUDE}\n")
        return self._program("postgres", "-D", self._inside(self.data))

    def configuration(self) -> dict[str, str]:
        """Files of settings by name; a later name goes before an earlier one."""
        return {"90-instance.conf": _INSTANCE.format(port=self.port())}

    def provision(self) -> None:
        """Makes the databases, Dagster's with a user of its own."""
        self.query(_DATABASES)
        self.query(f"alter role dagster password '{self.password('dagster')}'")

    def answers(self) -> bool:
        """Whether it takes connections."""
        command = self._program("pg_isready", "-q", "-t", "2", *self._address("postgres"))
        return self._call(command).returncode == 0

    def query(self, sql: str, database: str = "postgres") -> str:
        """Runs SQL as superuser, each statement by itself; returns unaligned rows.

        Raises:
            ServiceError: with the server's words.
        """
        command = self._program("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *self._address(database))
        done = self._call(command, sql, PGPASSWORD=self.password())
        if done.returncode:
            raise ServiceError(f"{self.name} refused a statement: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self) -> None:
        """Stops it in good order, and takes back what a killed one left in the kernel."""
        super().stop()
        self._release_memory()

    @property
    def url(self) -> str:
        """postgresql:// of the superuser on the database `operations`."""
        return self.url_of("operations")

    def url_of(self, database: str) -> str:
        """postgresql:// of the superuser on a database."""
        return f"postgresql://{ADMIN}:{self.password()}@127.0.0.1:{self.port()}/{database}"

    def environment(self) -> dict[str, str]:
        """EMP_OPERATIONS_URL and DAGSTER_POSTGRES_*."""
        return {
            "EMP_OPERATIONS_URL": self.url,
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.port()),
            "DAGSTER_POSTGRES_USER": "dagster",
            "DAGSTER_POSTGRES_PASSWORD": self.password("dagster"),
            "DAGSTER_POSTGRES_DB": "dagster",
        }

    # How programs of the cluster run: here as they are, TimescaleDB's behind a wall.

    def _program(self, name: str, *arguments: str | Path) -> Command:
        folder = _programs()
        if folder is None:
            raise ServiceError(f"PostgreSQL is not installed: {self.lacking()}")
        return Command([folder / name, *arguments], user=self._user())

    def _inside(self, path: Path) -> Path:
        """A path as the programs see it."""
        return path

    def _user(self) -> str | None:
        """PostgreSQL refuses to run as root, and runs as anyone else."""
        return _SYSTEM_USER if os.geteuid() == 0 else None

    def _owner(self) -> tuple[int, int] | None:
        """Number and group of the user as whom it runs, None where that is the caller."""
        if self._user() is None:
            return None
        entry = pwd.getpwnam(_SYSTEM_USER)
        return entry.pw_uid, entry.pw_gid

    def _give(self, path: Path) -> None:
        owner = self._owner()
        if owner:
            os.chown(path, *owner)

    def _address(self, database: str) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port()), "-U", ADMIN, "-d", database)

    def _call(
        self, command: Command, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command.argv,
            input=text,
            capture_output=True,
            text=True,
            cwd="/",
            env={**ENVIRONMENT, **command.environment, **environment},
            check=False,
            user=command.user,
            group=command.user,
            extra_groups=[] if command.user else None,
        )

    def _run(self, name: str, *arguments: str | Path) -> None:
        done = self._call(self._program(name, *arguments))
        if done.returncode:
            raise ServiceError(f"{name} failed:\n{done.stdout}{done.stderr}".strip())

    def _release_memory(self) -> None:
        """Removes the shared memory of a server that was killed and never came back.

        PostgreSQL marks its data folder as taken by a few bytes of System V memory, which outlive
        it when it is killed.
        """
        process = self.process
        if process is None or process.alive:
            return
        for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
            _, number, _, _, creator, _, attached, *_ = line.split()
            if int(creator) == process.pid and attached == "0":
                packages.run(["ipcrm", "-m", number], "removing shared memory")


def _programs() -> Path | None:
    """The folder of the newest PostgreSQL server that is installed."""
    found = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if (path.parent / "initdb").exists()
    ]
    if found:
        return max(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)])
    onpath = shutil.which("postgres")
    return Path(onpath).resolve().parent if onpath and shutil.which("initdb") else None
