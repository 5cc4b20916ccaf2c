"""Counts what a process opens: files of SQLite, servers, whoever opens them.

What belongs here: watching. What does not: what is allowed (the tests).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_HEARD: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _HEARD and event in ("sqlite3.connect", "socket.connect"):
        _HEARD[-1].append(f"{event} {arguments[-1]}")


@contextmanager
def new_connections(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is opened meanwhile, each as a line."""
    if _hear not in _HOOKED:
        # An audit hook stays for good; without a listener it does nothing.
        sys.addaudithook(_hear)
        _HOOKED.append(_hear)
    _watch_drivers(patch)
    opened: list[str] = []
    _HEARD.append(opened)
    try:
        yield opened
    finally:
        _HEARD.pop()


_HOOKED: list[Callable[..., None]] = []


def _watch_drivers(patch: pytest.MonkeyPatch) -> None:
    """Drivers that open sockets on their own, below Python."""
    import psycopg
    from adbc_driver_postgresql import dbapi

    for module in (psycopg, dbapi):
        patch.setattr(module, "connect", _told(module.__name__, module.connect))


def _told(name: str, connect: Callable[..., Any]) -> Callable[..., Any]:
    def opening(*arguments: Any, **options: Any) -> Any:
        if _HEARD:
            _HEARD[-1].append(f"{name}.connect")
        return connect(*arguments, **options)

    return opening
