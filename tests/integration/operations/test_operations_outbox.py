"""Events that wait and leases, in SQLite and in PostgreSQL."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapters.operations import Lease, SqlLedger, SqlOutbox, open_database
from adapters.operations.database import writing
from market_data.ports.event_results import Dimension, IngestMetrics
from market_data.ports.events import Event, EventPublisher
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe

Start = Callable[..., subprocess.Popen[str]]
NOW = datetime(2024, 1, 2, 12, 0, 0, 7, tzinfo=UTC)
LONG = timedelta(minutes=5)


def event(number: int = 0, symbol: str = "AAA", at: datetime = NOW) -> Event:
    result = IngestMetrics(
        vendor="yahoo",
        timeframe=Timeframe.D1,
        symbols=(symbol,),
        sessions=(date(2024, 1, 2), date(2024, 1, 2)),
        run_id="",
        figures={"number": number},
    )
    return Event(result, at, event_id=f"e{number}")


def test_events_wait_in_their_order_until_they_are_sent(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    publisher: EventPublisher = outbox
    publisher.publish([event(2), event(1)])
    publisher.publish([event(3, "Ü\x00")] if engine.dialect.name == "sqlite" else [event(3, "Ü")])
    waiting = outbox.pending(10)
    assert [p.event_id for p in waiting] == ["e2", "e1", "e3"]
    assert [p.sequence for p in waiting] == sorted(p.sequence for p in waiting)
    assert (waiting[0].dimension, waiting[0].key) == (Dimension.METRICS, "AAA")
    assert Event.from_json(waiting[0].body) == event(2)
    assert [p.event_id for p in outbox.pending(2)] == ["e2", "e1"]
    outbox.mark_sent([waiting[1].sequence], at=NOW)
    assert [p.event_id for p in outbox.pending(10)] == ["e2", "e3"]


def test_the_same_event_is_taken_once_also_after_it_was_sent(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    outbox.publish([event(1), event(1)])
    outbox.publish([event(1)])
    (waiting,) = outbox.pending(10)
    outbox.mark_sent([waiting.sequence], at=NOW)
    outbox.publish([event(1)])
    assert outbox.pending(10) == []


def test_the_backlog(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    assert (outbox.backlog().waiting, outbox.backlog().oldest) == (0, None)
    outbox.publish([event(1, at=NOW - LONG), event(2)])
    first, _ = outbox.pending(10)
    assert (outbox.backlog().waiting, outbox.backlog().oldest) == (2, NOW - LONG)
    outbox.mark_sent([first.sequence], at=NOW + LONG)
    backlog = outbox.backlog()
    assert (backlog.waiting, backlog.oldest, backlog.last_sent) == (1, NOW, NOW + LONG)


def test_only_what_was_sent_is_forgotten_and_sent_again(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    outbox.publish([event(n) for n in range(4)])
    old, new, *_ = outbox.pending(10)
    outbox.mark_sent([old.sequence], at=NOW - LONG)
    outbox.mark_sent([new.sequence], at=NOW)
    assert outbox.purge(before=NOW) == 1
    assert outbox.resend(since=NOW) == 1
    assert [p.event_id for p in outbox.pending(10)] == ["e1", "e2", "e3"]
    assert outbox.purge(before=NOW + LONG) == 0


def test_the_first_time_of_sending_stays(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    outbox.publish([event(1)])
    (waiting,) = outbox.pending(1)
    outbox.mark_sent([waiting.sequence], at=NOW)
    outbox.mark_sent([waiting.sequence], at=NOW + LONG)
    assert outbox.backlog().last_sent == NOW


def test_an_event_is_gone_with_the_transaction_it_was_added_in(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    with pytest.raises(RuntimeError), writing(engine) as connection:
        outbox.add(connection, [event(1)])
        raise RuntimeError
    assert outbox.pending(10) == []


def test_the_ledger_keeps_events_only_where_somebody_listens(engine: sa.Engine) -> None:
    outbox = SqlOutbox(engine)
    SqlLedger(engine).record(LEDGER.empty(), events=[event(1)])
    assert outbox.pending(10) == []
    SqlLedger(engine, outbox).record(LEDGER.empty(), events=[event(1)])
    assert [p.event_id for p in outbox.pending(10)] == ["e1"]


def test_a_lease_has_one_holder_who_may_prolong_it(engine: sa.Engine) -> None:
    mine, other = (Lease(engine, "work", term=LONG) for _ in range(2))
    assert mine.take()
    assert not other.take()
    assert mine.take()
    assert Lease(engine, "other work", term=LONG).take()
    other.give_back()
    assert not other.take()
    mine.give_back()
    assert other.take()
    assert not mine.take()


def test_a_lease_runs_out(engine: sa.Engine) -> None:
    silent = Lease(engine, "work", term=timedelta(milliseconds=50))
    assert silent.take()
    time.sleep(0.1)
    other = Lease(engine, "work", term=LONG)
    assert other.take()
    assert not silent.take()
    silent.give_back()
    assert not silent.take()


_PUBLISH = """
import sys
from datetime import UTC, date, datetime, timedelta
from adapters.operations import Lease, SqlOutbox, open_database
from market_data.ports.event_results import IngestMetrics
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
held = Lease(engine, "race", term=timedelta(minutes=1)).take()
for number in range(40):
    span = (date(2024, 1, 2), date(2024, 1, 2))
    result = IngestMetrics(vendor="v", timeframe=Timeframe.D1, symbols=(sys.argv[2],),
                           sessions=span, run_id="", figures={"number": number})
    both = f"both-{number}"
    SqlOutbox(engine).publish([Event(result, datetime.now(UTC)),
                               Event(result, datetime.now(UTC), event_id=both)])
print(held)
"""


def test_processes_that_publish_at_once_lose_and_repeat_nothing(url: str, start: Start) -> None:
    open_database(url).dispose()
    processes = [start(_PUBLISH, url, symbol) for symbol in ("A", "B", "C")]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    held = []
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert (errors, process.returncode) == ("", 0)
        held.append(output.strip())
    assert sorted(held) == ["False", "False", "True"]
    engine = open_database(url)
    waiting = SqlOutbox(engine).pending(1_000)
    assert len(waiting) == 3 * 40 + 40
    for symbol in ("A", "B", "C"):
        own = [Event.from_json(p.body) for p in waiting if p.key == symbol]
        numbers = [e.result.figures["number"] for e in own if not e.event_id.startswith("both")]
        assert numbers == list(range(40))
    engine.dispose()
