"""Processes that ask for requests as fast as they can, what they were granted, what they sent.

What belongs here: the process (`python -m tests.support.request_hammer`), starting several, and
judging what they got. What does not: limits that a test or a benchmark chooses.
"""

from __future__ import annotations

import json
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

from adapters.cache.presence import Presence
from adapters.cache.settings import RedisSettings
from adapters.clock import SystemClock
from adapters.requests.gate import MARGIN, SharedGate
from adapters.requests.layered_store import LayeredRequestStore
from adapters.requests.redis_store import RedisRequestStore
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.requests.store import Full, Granted, RequestStore
from market_data.ports import Allowance, Claim
from tests.support.slow_way import Sender
from tests.support.warm_python import StartedPython


class Place(TypedDict):
    """Where requests are counted: a file, a namespace of a Redis, or both, as several machines do.

    What is empty is not there.
    """

    path: str
    redis: str
    namespace: str


class Window(TypedDict):
    """A limit."""

    name: str
    requests: int
    seconds: float


@dataclass(frozen=True)
class Grant:
    """One request that was let through; instants in microseconds.

    Attributes:
        at: by the place's own clock.
        before: by the machine's clock, when the process began to ask.
        after: the same, when it was let through.
        cost: how many requests it counted as.
    """

    at: int
    before: int
    after: int
    cost: int


class _Recording:
    """A place that remembers its last grant for the process that asked."""

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self.last = Granted(0)

    def take(self, account: str, claims: Sequence[Claim], hold: int = 0) -> Granted | Full:
        found = self._store.take(account, claims, hold)
        if isinstance(found, Granted):
            self.last = found
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def open_place(place: Place) -> RequestStore:
    """The place."""
    own = SqliteRequestStore(Path(place["path"]))
    if not place["redis"]:
        return own
    settings = RedisSettings(url=place["redis"])
    shared = RedisRequestStore(settings, namespace=place["namespace"])
    return LayeredRequestStore(shared, own, Presence(settings.shown)) if place["path"] else shared


def hammer(
    place: Place,
    windows: Sequence[Window],
    *,
    processes: int,
    seconds: float,
    costs: Sequence[int],
    port: int = 0,
    margin: float = MARGIN,
) -> list[Grant]:
    """What so many processes were granted, in order, within a time after the first.

    Args:
        place: where they meet.
        windows: every request claims each of them.
        processes: how many.
        seconds: how long.
        costs: of one request after the other, again and again.
        port: of a vendor at the end of a slow way, to whom each request is sent; 0 for nobody.
        margin: seconds that a request occupies its windows while it is on its way, at most.
    """
    wish = {
        "place": place,
        "windows": list(windows),
        "seconds": seconds,
        "costs": list(costs),
        "port": port,
        "margin": margin,
    }
    running = [StartedPython(["-m", __name__]) for _ in range(processes)]
    # They begin together, when the slowest has started.
    for process in running:
        assert process.stdout.readline() == "ready\n"
    wish["start"] = time.time() + 0.05
    granted: list[Grant] = []
    for process in running:
        process.stdin.write(json.dumps(wish) + "\n")
        process.stdin.flush()
    for process in running:
        told, errors = process.communicate(timeout=seconds + 60)
        assert process.returncode == 0, errors
        granted += [Grant(*row) for row in json.loads(told)]
    granted.sort(key=lambda grant: grant.at)
    return [g for g in granted if g.at < granted[0].at + round(seconds * 1e6)]


def most_arrived(arrived: Sequence[int], window: Window) -> int:
    """The most arrivals in any window of that length, wherever it begins."""
    return most_at_once([Grant(at, at, at, 1) for at in sorted(arrived)], window)


def most_at_once(granted: Sequence[Grant], window: Window) -> int:
    """The largest sum of costs in any window of that length, wherever it begins."""
    instants = [grant.at for grant in granted]
    sums = [0]
    for grant in granted:
        sums.append(sums[-1] + grant.cost)
    length = round(window["seconds"] * 1e6)
    return max(
        sums[bisect_left(instants, at + length)] - sums[first] for first, at in enumerate(instants)
    )


def _work() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    wish = json.loads(sys.stdin.readline())
    recording = _Recording(open_place(wish["place"]))
    gate = SharedGate("hammered", lambda: recording, SystemClock(), margin=wish["margin"])
    sender = Sender(wish["port"]) if wish["port"] else None
    allowances = [
        Allowance(w["name"], w["requests"], timedelta(seconds=w["seconds"]))
        for w in wish["windows"]
    ]
    time.sleep(max(0.0, wish["start"] - time.time()))
    ends, rows = time.time() + wish["seconds"] + 0.2, []
    while time.time() < ends:
        cost = wish["costs"][len(rows) % len(wish["costs"])]
        before = time.time_ns() // 1_000
        gate.enter([Claim(allowance, cost=cost) for allowance in allowances])
        rows.append((recording.last.at, before, time.time_ns() // 1_000, cost))
        if sender:
            sender.send()
        gate.report(None)
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    _work()
