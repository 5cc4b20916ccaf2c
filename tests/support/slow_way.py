"""A vendor at the end of a slow way: it counts requests when they arrive, each after another delay.

What belongs here: the ways, the server on the loopback, and asking it. What does not: who asks, and
how often (request_hammer.py).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_USUAL, _SLOW = 0.01, 0.12
"""Seconds of the way to the vendor, at most; and those of every tenth request."""
_BACK = 0.005
_AT_FIRST, _FIRST_ONES = 0.5, 0.3

Ways = Callable[[float], tuple[float, float]]
"""From the seconds since the first request to those of the way there, and those of the way back."""


def any_way(seed: int = 7) -> Ways:
    """Each way takes another time."""
    chance = random.Random(seed)

    def way(_: float) -> tuple[float, float]:
        slow = chance.random() < 0.1
        return chance.uniform(0.0, _SLOW if slow else _USUAL), chance.uniform(0.0, _BACK)

    return way


def slow_at_first(since: float) -> tuple[float, float]:
    """Requests of the first half second arrive late, those after them at once.

    Windows that count from the grant let more of them arrive within their length than they allow.
    """
    return (_FIRST_ONES if since < _AT_FIRST else 0.0), 0.0


class SlowWay:
    """Use as a context manager.

    Attributes:
        arrived: instants at which requests arrived, in microseconds, in no order.
        port: where it listens.
    """

    def __init__(self, ways: Ways | None = None) -> None:
        self.arrived: list[int] = []
        way, guard, sent = self, threading.Lock(), list[float]()
        ways = ways or any_way()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with guard:
                    sent.append(time.monotonic())
                    there, back = ways(sent[-1] - sent[0])
                time.sleep(there)
                with guard:
                    way.arrived.append(time.monotonic_ns() // 1_000)
                time.sleep(back)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_port

    def __enter__(self) -> SlowWay:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class Sender:
    """Sends requests to such a vendor over one connection, and waits for each answer."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def send(self) -> None:
        self._connection.request("GET", "/")
        self._connection.getresponse().read()
