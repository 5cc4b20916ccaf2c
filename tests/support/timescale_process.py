"""A process beside the test that works on TimescaleDB, and can be told to die in the middle.

Run as `python -m tests.support.timescale_process`. Each line on stdin is a JSON list of a function
of this module and its named arguments; its answer is a JSON line on stdout. `Worker` starts one and
speaks to it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import polars as pl

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections
from adapters.timescale.locks import AdvisoryLocks
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import curated_bars
from market_data.errors import MarketDataError
from market_data.timeframes import Timeframe
from tests.support.warm_python import StartedPython

MINUTES = curated_bars(Timeframe.M1)


def rows(value: float, first: date, last: date, symbols: Sequence[str], each: int = 1) -> Any:
    """So many bars per symbol and session, all of one price."""
    days = pl.DataFrame({"session": pl.date_range(first, last, eager=True)})
    minutes = pl.DataFrame({"minute": range(each)})
    names = pl.DataFrame({"symbol": list(symbols)}, schema={"symbol": pl.String})
    midnight = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = pl.lit("")
    return MINUTES.schema.conform(
        names.join(days, how="cross")
        .join(minutes, how="cross")
        .with_columns(
            *(pl.lit(value).alias(name) for name in ("open", "high", "low", "close")),
            ts=midnight + timedelta(hours=14) + pl.duration(minutes="minute"),
            source=pl.lit("yahoo"), filled=text, flags=text, final=pl.lit(value=True),
            dq_status=pl.lit("ok"), rule_version=pl.lit("1"),
        )
    ).sort("symbol", "ts")  # fmt: skip


class _Watched:
    """A cursor after each of whose statements one may die."""

    def __init__(self, cursor: Any, passed: Callable[[], None]) -> None:
        self._cursor, self._passed = cursor, passed

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._cursor, name)
        if name not in ("execute", "adbc_ingest"):
            return attribute

        def watched(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            self._passed()
            return result

        return watched


class Mortal(Connections):
    """Counts the boundaries of a write, and dies by kill -9 at one of them."""

    def __init__(self, settings: TimescaleSettings, die_at: int | None) -> None:
        super().__init__(settings)
        self.passed = 0
        self._die_at = die_at

    @contextmanager
    def arrow(self, *, writing: bool) -> Iterator[Any]:
        with super().arrow(writing=writing) as cursor:
            self._pass()
            yield _Watched(cursor, self._pass)
        self._pass()

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


# What a worker does.


def replace(
    url: str, value: float, first: str, last: str, symbols: list[str], die_at: int | None = None
) -> int:
    """Replaces a slice; returns how many boundaries it passed."""
    connections = Mortal(TimescaleSettings(url=url), die_at)
    sessions = date.fromisoformat(first), date.fromisoformat(last)
    frame = rows(value, *sessions, symbols)
    TimescaleStore(connections).replace(MINUTES, frame, sessions=sessions, symbols=symbols)
    connections.close()
    return connections.passed


def migrate(url: str) -> None:
    """Opens a database, which migrates it."""
    open_connections(TimescaleSettings(url=url)).close()


def replace_and_die(**arguments: Any) -> int:
    """Replaces in a fork, which starts faster than a process; returns how that ended.

    Nothing but forks may use Polars in a worker that does this: its threads do not outlive a fork.
    """
    pid = os.fork()
    if pid == 0:
        replace(**arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def hold(url: str, names: list[str]) -> None:
    """Takes locks and keeps them until this process ends."""
    from adapters.operations import open_database

    held = AdvisoryLocks(open_database(url)).hold(names)
    held.__enter__()
    _HELD.append(held)


_HELD: list[Any] = []
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (replace, replace_and_die, migrate, hold)
}


def main() -> None:
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"found": _FUNCTIONS[name](**arguments)}
        except MarketDataError as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


# The other end.


class Worker:
    """A worker process, as a test sees it."""

    def __init__(self) -> None:
        self.process = StartedPython(["-m", "tests.support.timescale_process"])

    def ask(self, name: str, **arguments: Any) -> None:
        """Begins something."""
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Waits for its end."""
        line = self.process.stdout.readline()
        assert line, "the worker has ended"
        told = json.loads(line)
        assert "error" not in told, told["error"]
        return told["found"]

    def do(self, name: str, **arguments: Any) -> Any:
        """Does something and waits for its end."""
        self.ask(name, **arguments)
        return self.answer()

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(count: int) -> Iterator[list[Worker]]:
    """So many workers, ended at the end."""
    started = [Worker() for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


if __name__ == "__main__":
    main()
