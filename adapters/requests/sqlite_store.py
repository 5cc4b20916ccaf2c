"""The request budget in an SQLite file, shared by the processes of one machine.

What belongs here: tables, transactions, what the disk refuses.
What does not: what is done about a full window (gate.py).

Each grant is one short transaction that holds the write lock from its beginning, and the time is
read within it: grants are ordered as their instants are. A process that dies leaves its grants,
which were used, and no lock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from adapters.disk import refusal
from adapters.requests.breaker_text import breaker_of, text_of
from adapters.requests.shared_time import Mark, Reading, advanced, instant, machine_reading
from adapters.requests.store import (
    Change,
    Full,
    Granted,
    Standing,
    WindowUse,
    length_of,
    merged,
)
from market_data.errors import StorageError
from market_data.ports import Claim
from market_data.requests.breaker import Breaker

BUSY_SECONDS = 30.0
"""How long a transaction waits for those of other processes; each takes less than a millisecond."""

_TABLES = """
create table if not exists grants (
    account text not null, allowance text not null, subject text not null,
    expires integer not null, cost integer not null, requests integer not null,
    receipt integer not null
) strict;
create index if not exists grants_of_window on grants (account, allowance, subject, expires);
create index if not exists grants_by_end on grants (expires);
create index if not exists grants_by_receipt on grants (receipt);
create table if not exists breakers (
    account text primary key, breaker text not null
) strict, without rowid;
create table if not exists mark (
    one integer primary key check (one = 1),
    at integer not null, wall integer not null, steady integer, boot text not null,
    receipts integer not null
) strict;
create table if not exists peak (
    one integer primary key check (one = 1), wall integer not null, at integer not null
) strict;
"""


class SqliteRequestStore:
    """Keeps grants and breakers in a file."""

    def __init__(self, path: Path, reading: Callable[[], Reading] = machine_reading) -> None:
        """Name the file; it is made when it is used first.

        Args:
            path: the file.
            reading: the clocks of the machine.
        """
        self._path = path
        self._reading = reading
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def __repr__(self) -> str:
        return f"SqliteRequestStore({self._path})"

    def take(self, account: str, claims: Sequence[Claim], hold: int = 0) -> Granted | Full:
        """Grant all of the claims, or none; see the protocol."""
        wanted = merged(claims)
        with self._transaction() as connection:
            now, receipt = self._tick(connection)
            connection.execute("delete from grants where expires <= ?", (now,))
            full = [f for c in wanted if (f := _full(connection, account, c, now)) is not None]
            if full:
                return max(full, key=lambda f: f.until)
            connection.executemany(
                "insert into grants values (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        claim.allowance.name,
                        claim.subject,
                        now + length_of(claim) + hold,
                        claim.cost,
                        claim.allowance.requests,
                        receipt,
                    )
                    for claim in wanted
                ],
            )
            return Granted(now, str(receipt))

    def settle(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Let the windows of a request end their length after now."""
        with self._transaction() as connection:
            now, _ = self._tick(connection)
            connection.executemany(
                "update grants set expires = min(expires, ?) "
                "where receipt = ? and account = ? and allowance = ? and subject = ?",
                [
                    (
                        now + length_of(claim),
                        int(granted.receipt),
                        account,
                        claim.allowance.name,
                        claim.subject,
                    )
                    for claim in merged(claims)
                ],
            )

    def give_back(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:  # noqa: ARG002
        """Forget what was granted to some claims and not used."""
        with self._transaction() as connection:
            connection.execute(
                "delete from grants where account = ? and receipt = ?",
                (account, int(granted.receipt)),
            )

    def standing(self, account: str) -> Standing:
        """The breaker; without the windows."""
        if self._is_new():
            return Standing(Breaker(), self._reading().wall)
        with self._opened() as connection:
            return Standing(_breaker(connection, account), self._now(connection))

    def look(self, account: str) -> Standing:
        """The breaker and every window in which something is remembered."""
        if self._is_new():
            return self.standing(account)
        with self._opened() as connection:
            now = self._now(connection)
            rows = connection.execute(
                "select allowance, subject, max(requests), sum(cost), min(expires) from grants "
                "where account = ? and expires > ? group by allowance, subject order by 1, 2",
                (account, now),
            ).fetchall()
            uses = tuple(WindowUse(*row) for row in rows)
            return Standing(_breaker(connection, account), now, uses)

    def change(self, account: str, change: Change) -> Breaker:
        """Replace the breaker in one step."""
        with self._transaction() as connection:
            now, _ = self._tick(connection)
            breaker = change(_breaker(connection, account), now)
            connection.execute(
                "insert into breakers values (?, ?) on conflict do update set breaker = "
                "excluded.breaker",
                (account, text_of(breaker)),
            )
            return breaker

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _is_new(self) -> bool:
        """Whether nothing was ever granted; looking makes no file."""
        return self._connection is None and not self._path.exists()

    def _tick(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """The present instant and a new receipt; the mark moves with every transaction."""
        reading = self._reading()
        mark, receipts = _mark(connection)
        new = advanced(mark, reading)
        connection.execute(
            "insert or replace into mark values (1, ?, ?, ?, ?, ?)",
            (new.at, reading.wall, reading.steady, reading.boot, receipts + 1),
        )
        if new.peak is not None:
            connection.execute("insert or replace into peak values (1, ?, ?)", new.peak)
        elif mark is not None and mark.peak is not None:
            connection.execute("delete from peak")
        return new.at, receipts + 1

    def _now(self, connection: sqlite3.Connection) -> int:
        return instant(_mark(connection)[0], self._reading())

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The connection of this process, for one thread at a time.

        Raises:
            StorageError: the file cannot be read or written.
        """
        with self._guard:
            try:
                yield self._connected()
            except sqlite3.Error as error:
                raise StorageError(self._told(error)) from None
            except OSError as error:
                told = refusal(error, self._path.parent)
                raise StorageError(told or f"{self._path.parent}: {error}") from None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            # A connection of a parent process must not be used, not even closed.
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # SQLite waits for nobody while it changes the way in which a file is written.
            with FileLock(f"{self._path}.lock").acquire(BUSY_SECONDS, poll_interval=0.005):
                connection.execute("pragma journal_mode = wal")
                connection.executescript(_TABLES)
            # A crash of the machine may lose the last grants, never the file.
            connection.execute("pragma synchronous = normal")
            self._connection, self._process = connection, os.getpid()
        return self._connection

    def _told(self, error: sqlite3.Error) -> str:
        if told := refusal(error, self._path.parent):
            return told
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        ):
            return f"another program has held {self._path} for {BUSY_SECONDS:g} s: end it"
        return (
            f"the request budget in {self._path} cannot be used ({error}): move the file away, and "
            "a new one is made, in which nothing is used up"
        )


def _mark(connection: sqlite3.Connection) -> tuple[Mark | None, int]:
    row = connection.execute("select at, wall, steady, boot, receipts from mark").fetchone()
    if row is None:
        return None, 0
    at, wall, steady, boot, receipts = row
    peak = connection.execute("select wall, at from peak").fetchone()
    return Mark(at, Reading(wall, steady, boot), peak), receipts


def _breaker(connection: sqlite3.Connection, account: str) -> Breaker:
    row = connection.execute(
        "select breaker from breakers where account = ?", (account,)
    ).fetchone()
    return breaker_of(row[0] if row else None)


def _full(connection: sqlite3.Connection, account: str, claim: Claim, now: int) -> Full | None:
    """Until when a claim has to wait; None where there is room for it."""
    window = (account, claim.allowance.name, claim.subject)
    used = connection.execute(
        "select coalesce(sum(cost), 0) from grants "
        "where account = ? and allowance = ? and subject = ?",
        window,
    ).fetchone()[0]
    excess = used + claim.cost - claim.allowance.requests
    if excess <= 0:
        return None
    for expires, cost in connection.execute(
        "select expires, cost from grants "
        "where account = ? and allowance = ? and subject = ? order by expires",
        window,
    ):
        excess -= cost
        if excess <= 0:
            # One that is under way is remembered for its length from its end, which nobody knows.
            return Full(claim, min(expires, now + length_of(claim)), now)
    raise AssertionError("a claim within its limit finds room when all grants are forgotten")
