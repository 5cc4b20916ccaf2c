"""The request budget under four processes that want more than it allows, for a minute each.

The ratio is what was granted against what the limits allow, or what arrived at a vendor at the end
of a slow way against what it allows; that no window of any length of theirs held more is not
measured but demanded. In a file always, and where REDIS_URL names a Redis, in a
namespace of its own there and in a file, as institutional mode counts. Run with
`python -m benchmarks request_budget`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.cache.redis_cache import client_of
from adapters.cache.settings import RedisSettings
from benchmarks.ratio import Ratio
from tests.support.request_hammer import Place, Window, hammer, most_arrived, most_at_once
from tests.support.slow_way import SlowWay

VARIABLE = "REDIS_URL"
SECONDS = 60.0
PROCESSES = 4
WINDOWS = [
    Window(name="second", requests=100, seconds=1.0),
    Window(name="minute", requests=6_000, seconds=60.0),
]
ALLOWED = 6_000


@contextmanager
def _file() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="emp-bench-") as folder:
        yield Place(path=str(Path(folder) / "requests.sqlite"), redis="", namespace="")


@contextmanager
def _redis() -> Iterator[Place]:
    namespace = f"emp:bench:{uuid.uuid4().hex[:12]}"
    try:
        with _file() as own:
            yield Place(path=own["path"], redis=os.environ[VARIABLE], namespace=namespace)
    finally:
        client = client_of(RedisSettings())
        for key in client.scan_iter(f"{namespace}:*"):
            client.delete(key)
        client.close()


def throughput(name: str, place: Place) -> Ratio:
    """What was granted in a minute against what is allowed."""
    granted = hammer(place, WINDOWS, processes=PROCESSES, seconds=SECONDS, costs=[1])
    most = {window["name"]: most_at_once(granted, window) for window in WINDOWS}
    for window in WINDOWS:
        assert most[window["name"]] <= window["requests"], most
    waits = sorted(grant.after - grant.at for grant in granted)
    return Ratio(
        f"Requests granted by {name}, of those allowed",
        len(granted) / ALLOWED,
        0.95,
        detail=f"{len(granted)} in {SECONDS:g} s by {PROCESSES} processes, at most "
        f"{most['second']} in any second and {most['minute']} in any minute; "
        f"{waits[len(waits) // 2] / 1e3:.2f} ms from a grant to its process",
    )


def arrivals(name: str, place: Place) -> Ratio:
    """What arrived in a minute at a vendor that counts what arrives, each after another delay."""
    with SlowWay() as vendor:
        hammer(place, WINDOWS, processes=PROCESSES, seconds=SECONDS, costs=[1], port=vendor.port)
    most = {window["name"]: most_arrived(vendor.arrived, window) for window in WINDOWS}
    for window in WINDOWS:
        assert most[window["name"]] <= window["requests"], most
    end = min(vendor.arrived) + SECONDS * 1e6
    arrived = sum(at < end for at in vendor.arrived)
    return Ratio(
        f"Requests that arrived over slow ways, counted by {name}, of those allowed",
        arrived / ALLOWED,
        0.95,
        detail=f"{arrived} in {SECONDS:g} s from {PROCESSES} processes, at most "
        f"{most['second']} in any second and {most['minute']} in any minute",
    )


def run() -> list[Ratio]:
    """Two minutes, four where there is a Redis."""
    found = []
    with _file() as place:
        found.append(throughput("the file", place))
    with _file() as place:
        found.append(arrivals("the file", place))
    if os.environ.get(VARIABLE):
        with _redis() as place:
            found.append(throughput("Redis and the file", place))
        with _redis() as place:
            found.append(arrivals("Redis and the file", place))
    else:
        print(f"{VARIABLE} is not set: the budget in Redis is not measured", file=sys.stderr)
    return found
