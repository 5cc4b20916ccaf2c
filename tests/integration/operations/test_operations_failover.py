"""Decisions and missed slices on SQLite and PostgreSQL, and the mark of the journal."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from adapters.operations import SqlFailover, SqlJournal
from market_data.failover.state import Decision, MissedSlice, Standing
from market_data.ports import IngestRun
from market_data.timeframes import Timeframe

AT = datetime(2024, 3, 12, 1, 0, 0, 123_456, tzinfo=UTC)
DAYS = [date(2024, 3, day) for day in range(4, 12)]
AWAY = Decision(AT, Standing.NORMAL, Standing.AWAY, "no answer", {"looks": {"looks": 11}}, "policy")
DAILY = "curated/bars_1d"


def missed(first: int, last: int, *symbols: str, dataset: str = DAILY) -> MissedSlice:
    timeframe = Timeframe(dataset.rsplit("_", 1)[1]) if "bars" in dataset else None
    return MissedSlice(
        dataset, timeframe, symbols or ("AAA", "BBB"), DAYS[first], DAYS[last], "run", AT
    )


def test_of_two_watchers_one_decides(engine: sa.Engine):
    failover = SqlFailover(engine)
    assert failover.standing() is Standing.NORMAL
    taken: list[int] = []
    start = threading.Barrier(4)

    def watch() -> None:
        start.wait()
        taken.append(SqlFailover(engine).take(AWAY, after=0))

    threads = [threading.Thread(target=watch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == [0, 0, 0, 1]
    assert failover.decisions() == [replace(AWAY, number=1)]
    assert failover.standing() is Standing.AWAY
    back = replace(AWAY, was=Standing.AWAY, became=Standing.BACK)
    assert failover.take(back, after=0) == 0
    assert failover.take(back, after=1) == 2
    assert [d.number for d in failover.decisions()] == [2, 1]


def test_a_slice_is_noted_once_and_overlapping_notes_are_one(engine: sa.Engine):
    failover = SqlFailover(engine)
    assert failover.note(missed(1, 3)) == 1
    # The same, a part of it, one that adjoins it, other symbols of the same sessions.
    assert failover.note(missed(1, 3)) == 1
    assert failover.note(missed(2, 2, "BBB")) == 1
    assert failover.note(missed(4, 5)) == 1
    assert failover.note(missed(1, 5, "CCC")) == 1
    # Not these: together they would claim what nobody missed.
    assert failover.note(missed(4, 6, "DDD")) == 2
    assert failover.note(missed(7, 7, "AAA")) == 3
    assert failover.note(missed(1, 5, dataset="curated/bars_1m")) == 4
    assert failover.note(missed(1, 5, dataset="quality/scores")) == 5
    first, *others = failover.open()
    assert (first.symbols, first.sessions) == (("AAA", "BBB", "CCC"), (DAYS[1], DAYS[5]))
    assert [m.timeframe for m in others] == [Timeframe.D1, Timeframe.D1, Timeframe.M1, None]
    assert (first.noted_at, first.run_id, first.decision) == (AT, "run", None)


def test_a_slice_that_changed_meanwhile_is_neither_tried_nor_closed(engine: sa.Engine):
    failover = SqlFailover(engine)
    failover.note(missed(1, 1))
    (read,) = failover.open()
    assert failover.attempt(read)
    # Another daemon has read the same.
    assert not failover.attempt(read)
    (tried,) = failover.open()
    assert tried.attempts == 1
    failover.note(missed(2, 2))
    assert not failover.settle(tried, AT, digests=("a", "a"), rows=2)
    (wider,) = failover.open()
    # What is wider than what was tried is tried anew.
    assert (wider.attempts, wider.last) == (0, DAYS[2])
    assert failover.settle(wider, AT, digests=("ab", "ab"), rows=4, remark="held")
    assert not failover.settle(wider, AT, digests=("ab", "ab"), rows=4)
    assert failover.open() == []
    (closed,) = failover.newest()
    assert closed == replace(
        wider, replayed_at=AT, digest_lake="ab", digest_store="ab", rows=4, remark="held"
    )
    # A slice that is missed anew is another one.
    assert failover.note(missed(1, 1)) == 2
    (again,) = failover.open()
    assert failover.attempt(again)
    assert failover.again([2]) == 1
    assert failover.open() == [again]


def test_the_journal_is_marked_while_the_warehouse_is_away(engine: sa.Engine):
    failover, journal = SqlFailover(engine), SqlJournal(engine)

    def fetched(name: str, hour: int) -> None:
        at = AT + timedelta(hours=hour)
        journal.add(
            IngestRun(
                name,
                "run",
                "yahoo",
                Timeframe.D1,
                ("AAA",),
                (DAYS[0], DAYS[0]),
                "ok",
                1,
                1,
                0,
                at,
                at,
            )
        )

    fetched("before", 0)
    failover.take(AWAY, after=0)
    fetched("during", 1)
    failover.note(missed(0, 0))
    failover.take(replace(AWAY, was=Standing.AWAY, became=Standing.BACK), after=1)
    fetched("after", 2)
    assert {run.fetch_id: run.failover for run in journal.runs()} == {
        "before": None,
        "during": 1,
        "after": None,
    }
    assert [m.decision for m in failover.open()] == [1]
