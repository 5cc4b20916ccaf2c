"""A process that works on TimescaleDB and starts children, forked and spawned.

Run as `python -m tests.support.timescale_forks URL`; prints what became of each as JSON.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import threading
from typing import Any

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import MarketDataError
from tests.support.timescale_process import MINUTES


def rows_of(store: TimescaleStore) -> Any:
    """How many rows it tells of, or what it says instead."""
    try:
        return [store.scan(MINUTES).height, store.version(MINUTES) != ""]
    except MarketDataError as error:
        return f"{type(error).__name__}: {error}"


def into(queue: Any, store: TimescaleStore) -> None:
    queue.put(rows_of(store))


def opened_there(queue: Any, url: str) -> None:
    queue.put(rows_of(TimescaleStore(open_connections(TimescaleSettings(url=url)))))


def backends(connections: Connections) -> list[int]:
    """The server's processes behind the connections."""
    found = []
    for writing in (False, True):
        with connections.arrow(writing=writing) as cursor:
            cursor.execute("select pg_backend_pid()")
            found.append(cursor.fetchone()[0])
    with connections.small() as connection:
        found.append(connection.execute("select pg_backend_pid()").fetchone()[0])
    return found


def in_multiprocessing(method: str, target: Any, argument: Any) -> Any:
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=target, args=(queue, argument), daemon=True)
    try:
        process.start()
    except MarketDataError as error:
        return f"{type(error).__name__}: {error}"
    answer = queue.get(timeout=30)
    process.join(30)
    return answer


def in_fork_that_ends_in_order(stores: list[TimescaleStore]) -> int:
    """A child that frees everything and ends as programs do, not as multiprocessing does."""
    pid = os.fork()
    if pid == 0:
        stores.clear()
        gc.collect()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    url = sys.argv[1]
    connections = open_connections(TimescaleSettings(url=url))
    store = TimescaleStore(connections)
    told: dict[str, Any] = {"before": rows_of(store)}
    # Connections that another thread has used are at risk as well.
    other = threading.Thread(target=rows_of, args=(store,))
    other.start()
    other.join()
    there = backends(connections)
    told["forked"] = in_multiprocessing("fork", into, store)
    told["opened in a spawned one"] = in_multiprocessing("spawn", opened_there, url)
    told["sent to a spawned one"] = in_multiprocessing("spawn", into, store)
    stores = [store]
    del store
    told["ended in order"] = in_fork_that_ends_in_order(stores)
    told["after"] = rows_of(stores[0])
    told["same connections"] = backends(connections) == there
    print(json.dumps(told))


if __name__ == "__main__":
    main()
