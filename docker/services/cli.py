"""The command line: up, down, status, env.

What belongs here: which servers, in what order, what is printed.
What does not: how a server is started (server.py and the servers).

Usage:
    python3 docker/services up [NAME ...]     start what does not run, print KEY=VALUE lines
    python3 docker/services env [NAME ...]    print the lines of what runs
    python3 docker/services status            say what runs; status 3 unless everything does
    python3 docker/services down [--purge]    stop everything and remove its data
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services import SERVERS, Server, ServiceError, packages
from services.folders import home, locked, private_folder, remove, run_folder, say

NOT_RUNNING = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        # A second caller waits here and then finds everything as the first has left it.
        with locked("services"):
            return int(options.run(options))
    except ServiceError as error:
        say(str(error))
        return 1


def up(options: argparse.Namespace) -> int:
    """Installs and starts servers, all at once, and prints the settings of those that run."""
    servers = _named(options.names)
    unable = [text for server in servers if (text := server.unable())]
    if unable:
        raise ServiceError("\n".join(unable))
    packages.install(name for server in servers for name in server.missing_packages())
    with ThreadPoolExecutor(len(servers)) as pool:
        failures = [text for text in pool.map(_start, servers) if text]
    if failures:
        raise ServiceError("\n".join(failures))
    return env(options)


def env(options: argparse.Namespace) -> int:
    """Prints the settings of the named servers; status 3 where one of them does not run."""
    servers = _named(options.names)
    running = [server for server in servers if server.running]
    for server in running:
        for key, value in server.environment().items():
            print(f"{key}={value}")
    return 0 if running == servers else NOT_RUNNING


def status(options: argparse.Namespace) -> int:
    """Says of each server whether it runs, and where."""
    servers = _named(options.names)
    healthy = True
    for server in servers:
        process = server.process
        alive = process is not None and process.alive
        answering = alive and server.answers()
        healthy = healthy and answering
        state = "running" if answering else "not answering" if alive else "stopped"
        where = f"127.0.0.1:{server.port()} pid {process.pid}" if alive and process else ""
        print(f"{server.name:<12} {state:<14} {where}".rstrip())
    return 0 if healthy else NOT_RUNNING


def down(options: argparse.Namespace) -> int:
    """Stops all servers of this tool, the private ones too, and removes their data."""
    with ThreadPoolExecutor(8) as pool:
        failures = [text for text in pool.map(_discard, _existing()) if text]
    if failures:
        raise ServiceError("\n".join(failures))
    for folder in (private_folder(), run_folder()):
        # Only what is empty: a folder that somebody has named may hold more than servers.
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if options.purge:
        for folder in (*home().glob("debian-*"), *home().glob("kafka-*")):
            say(f"removing {folder}")
            remove(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 docker/services",
        description="Real servers on loopback without Docker. Downloads lie below "
        "EMP_SERVICES_DIR, data below EMP_SERVICES_RUN_DIR.",
    )
    commands = parser.add_subparsers(required=True, metavar="up|down|status|env")
    for action, text in (
        (up, "start what does not run and print KEY=VALUE lines"),
        (env, "print the lines of what runs"),
        (status, "say what runs"),
    ):
        command = commands.add_parser(action.__name__, help=text)
        names = [server.name for server in SERVERS]
        command.add_argument(
            "names", nargs="*", metavar="NAME", help=f"{', '.join(names)}; all by default"
        )
        command.set_defaults(run=action)
    command = commands.add_parser("down", help="stop everything and remove its data")
    command.add_argument("--purge", action="store_true", help="remove what was downloaded too")
    command.set_defaults(run=down)
    return parser


def _named(names: Sequence[str]) -> list[Server]:
    known = {server.name: server for server in SERVERS}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ServiceError(f"no server is called {', '.join(unknown)}: {', '.join(known)}")
    return [server() for name, server in known.items() if not names or name in names]


def _existing() -> list[Server]:
    """Every server that has a folder, whoever has started it."""
    private = private_folder()
    folders = [run_folder() / kind.name for kind in SERVERS]
    folders += sorted(private.iterdir()) if private.is_dir() else []
    return [_server_of(folder) for folder in folders if folder.is_dir()]


def _server_of(folder: Path) -> Server:
    kind = folder.name.partition("-")[0]
    return next(server for server in SERVERS if server.name == kind)(folder)


def _start(server: Server) -> str | None:
    """Starts a server; what went wrong, if anything."""
    try:
        if not server.running:
            say(f"starting {server.name}")
        server.start()
    except ServiceError as error:
        return f"{server.name}: {error}"
    say(f"{server.name} answers on 127.0.0.1:{server.port()}")
    return None


def _discard(server: Server) -> str | None:
    """Stops a server and removes its folder; what went wrong, if anything."""
    if server.running:
        say(f"stopping {server.name}")
    try:
        server.discard()
    except ServiceError as error:
        return f"{server.name}: {error}"
    return None
