"""From the outbox to the routes: outages, pauses, two senders, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.alerts.sender import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PARTLY_ATTEMPTS,
    PATIENT_ATTEMPTS,
    AlertSender,
    pause_after,
    timeout_after,
)
from adapters.clock import FixedClock, SystemClock
from adapters.operations import SqlAlerts, open_database
from market_data.alerts import AlertRules, Message, Phase, Severity
from tests.support.alert_rows import START, bad, console, good, minutes, rules
from tests.support.operations_file import open_new
from tests.support.replay_server import ReplayServer, failing, json_body, slow
from tests.support.smtp_sink import SmtpSink

ROOT = Path(__file__).resolve().parents[3]
HOOK = {"name": "hook", "type": "webhook", "url_env": "ALERT_URL", "timeout": "0.5s"}
PATH = "/hook"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An operations database, once per engine; empty where no test has it opened."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operations.sqlite"
    opened = "engine" in request.fixturenames
    return request.getfixturevalue("operations_postgres_url" if opened else "empty_postgres_url")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_new(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> SqlAlerts:
    return SqlAlerts(engine)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as found:
        found.reply(PATH, json_body({}))
        monkeypatch.setenv("ALERT_URL", f"{found.url}{PATH}")
        yield found


def tell(store: SqlAlerts, number: int, told: AlertRules) -> list[Message]:
    """Something breaks and is mended, so many times."""
    messages: list[Message] = []
    for minute in range(2 * number):
        seen = (good if minute % 2 else bad)(minutes(minute))
        messages += store.evaluate(lambda _, s=seen: [s], told, minutes(minute)).messages
    return messages


def ids(server: ReplayServer) -> list[str]:
    return [asked.headers["idempotency-key"] for asked in server.asked]


def test_states_and_messages_are_kept_together(store: SqlAlerts, engine: sa.Engine):
    (opened,) = store.evaluate(lambda _: [bad(START)], rules(), START).messages
    waiting = store.outbox.first("all")
    assert waiting is not None
    assert waiting.message == opened
    again = SqlAlerts(engine)
    assert again.evaluate(lambda _: [bad(minutes(1))], rules(), minutes(1)).messages == ()
    (alert,) = again.newest()
    assert (alert.phase, alert.sightings, dict(alert.told)) == (Phase.OPEN, 2, {"all": opened.id})
    assert alert.trouble == bad(START).trouble

    def look(live: Any) -> Any:
        assert set(live) == {"check|a"}
        raise RuntimeError("the process dies")

    with pytest.raises(RuntimeError):
        again.evaluate(look, rules(), minutes(2))
    assert len(again.outbox.messages()) == 1


def test_a_recovery_names_what_was_told_though_the_trouble_grew(store: SqlAlerts):
    more = {"symbols": ("AAPL", "MSFT"), "symbol_count": 2}
    looks = [bad(START), bad(minutes(1), **more), bad(minutes(2), **more), good(minutes(3))]
    for look in looks[:-1]:
        store.evaluate(lambda _, s=look: [s], rules(), look.at)
    (alert,) = store.newest()
    assert alert.trouble.symbols == ("AAPL", "MSFT")
    assert alert.heard == {"all": bad(START).trouble}
    (over,) = store.evaluate(lambda _: looks[-1:], rules(), minutes(3)).messages
    assert over.body["alerts"][0]["symbols"] == ["AAPL"]
    assert store.newest(closed=True)[0].heard == {}


def test_an_error_while_messages_are_kept_undoes_the_states(
    store: SqlAlerts, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store.outbox, "add", fail)
        with pytest.raises(RuntimeError):
            store.evaluate(lambda _: [bad(START)], rules(), START)
    assert store.newest() == []
    assert len(store.evaluate(lambda _: [bad(START)], rules(), START).messages) == 1


def test_ten_thousand_findings_are_one_row_of_the_outbox(store: SqlAlerts):
    looks = [bad(START, f"check|{n}") for n in range(10_000)]
    began = time.monotonic()
    (message,) = store.evaluate(lambda _: looks, rules(), START).messages
    assert message.body["alerts_total"] == 10_000
    over = [good(minutes(1), look.fingerprint) for look in looks]
    (recovered,) = store.evaluate(lambda _: over, rules(), minutes(1)).messages
    assert recovered.body["resolved"] == [message.id]
    assert time.monotonic() - began < 60
    assert store.newest() == []
    assert len(store.newest(closed=True, limit=20_000)) == 10_000
    assert store.purge(before=minutes(5)) == 10_000


def test_an_hour_down_500s_and_time_outs_lose_nothing_and_keep_the_order(
    store: SqlAlerts, server: ReplayServer
):
    told = rules(HOOK)
    messages = tell(store, 3, told)
    server.reply(PATH, failing(500), failing(503), slow(json_body({}), 2.6), failing(500))
    now = START
    attempts = 0
    while now < START + timedelta(hours=1):
        done = AlertSender(store.outbox, told, FixedClock(now)).drain()
        attempts += len(done)
        assert not any(d.sent for d in done)
        now += timedelta(seconds=20)
    assert 12 < attempts < 30, "the pauses grow, and end"
    (health,) = store.outbox.health(["hook"])
    assert (health.waiting, health.down_since) == (6, START)
    assert "status 500" in health.error
    server.reply(PATH, json_body({}))
    (done,) = AlertSender(store.outbox, told, FixedClock(now + timedelta(minutes=6))).drain()
    assert (done.sent, done.error) == (6, "")
    assert ids(server)[-6:] == [m.id for m in messages]
    # What timed out may have arrived: it came again under the same id.
    assert set(ids(server)) == {m.id for m in messages}
    assert store.outbox.health(["hook"])[0].down_since is None


def test_an_answer_that_comes_too_late_is_one_message_under_one_id(
    store: SqlAlerts, server: ReplayServer
):
    told = rules(HOOK)
    (message, _) = tell(store, 1, told)
    server.reply(PATH, slow(json_body({}), 0.8), json_body({}))
    sender = AlertSender(store.outbox, told, SystemClock())
    (first,) = sender.drain()
    assert "no answer within" in first.error
    store.outbox.hurry("hook")
    (second,) = sender.drain()
    assert second.sent == 2
    assert ids(server)[:2] == [message.id, message.id]


def test_a_slow_answer_is_waited_for_longer_with_every_attempt(
    store: SqlAlerts, server: ReplayServer
):
    """What one message needed is what the next ones get at once."""
    told = rules(HOOK)
    messages = tell(store, 1, told)
    server.reply(PATH, slow(json_body({}), 0.8))
    sender = AlertSender(store.outbox, told, SystemClock())
    assert sender.drain()[0].sent == 0
    store.outbox.hurry("hook")
    assert sender.drain()[0].sent == 2
    assert ids(server) == [messages[0].id, messages[0].id, messages[1].id]


def test_a_route_that_never_answers_gets_every_message_and_none_is_lost(
    store: SqlAlerts, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    attempts = 3
    monkeypatch.setattr("adapters.alerts.sender.PATIENT_ATTEMPTS", attempts)
    monkeypatch.setattr("adapters.alerts.sender.LONGEST_TIMEOUT", timedelta(seconds=0.5))
    told = rules(HOOK)
    messages = tell(store, 1, told)
    server.reply(PATH, slow(json_body({}), 1.0))
    sender = AlertSender(store.outbox, told, FixedClock(START))
    for _ in range(attempts * len(messages)):
        store.outbox.hurry("hook")
        sender.drain()
    # In their order, each so often as it is worth, and no word that the route were well.
    assert ids(server) == [m.id for m in messages for _ in range(attempts)]
    (health,) = store.outbox.health(["hook"])
    assert (health.waiting, health.refused, health.down_since) == (0, len(messages), START)
    kept = store.outbox.messages(undelivered=True)
    assert all("set aside, it may have arrived" in m.error for m in kept)
    server.reply(PATH, json_body({}))
    assert store.outbox.replay(refused=True) == len(messages)
    store.outbox.hurry("hook")
    assert sender.drain()[0].sent == len(messages)
    assert ids(server)[-len(messages) :] == [m.id for m in messages]
    assert store.outbox.health(["hook"])[0] == type(health)("hook")


def test_what_cannot_be_handed_over_is_never_set_aside(
    store: SqlAlerts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ALERT_URL", "http://127.0.0.1:9/hook")
    told = rules(HOOK)
    messages = tell(store, 1, told)
    for _ in range(2 * PATIENT_ATTEMPTS):
        store.outbox.hurry("hook")
        AlertSender(store.outbox, told, SystemClock()).drain()
    (health,) = store.outbox.health(["hook"])
    assert (health.waiting, health.refused) == (len(messages), 0)


def test_a_pass_begins_no_message_that_might_outlast_the_tick(
    store: SqlAlerts, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.alerts.sender._GRACE", 0.0)
    told = rules({**HOOK, "timeout": "5s"})
    tell(store, 1, told)
    sender = AlertSender(store.outbox, told, SystemClock())
    assert [done.sent for done in sender.drain(seconds=3.0)] == [1]
    assert [done.sent for done in sender.drain(seconds=30.0)] == [1]


def test_an_answer_may_take_half_a_minute():
    """By the third attempt at the latest, whatever the first one was given."""
    first = rules({**HOOK, "timeout": "10s"}).routes[0].timeout
    times = [timeout_after(n, first).total_seconds() for n in range(PATIENT_ATTEMPTS)]
    assert times == [10, 20, 40, 40, 40, 40]
    assert rules({**HOOK, "timeout": "40s"}).routes[0].timeout == timedelta(seconds=40)


def test_a_recipient_who_is_asked_to_wait_gets_the_letter_once_and_holds_up_nobody_for_long(
    store: SqlAlerts,
):
    ann, bob = "ann@example.com", "bob@example.com"
    with SmtpSink() as sink:
        mail = {"name": "mail", "type": "email", "host": "127.0.0.1", "port": sink.port}
        mail |= {"security": "none", "sender": "a@example.com", "recipients": [ann, bob]}
        told = rules({**mail, "timeout": "5s"})
        tell(store, 1, told)
        sender = AlertSender(store.outbox, told, FixedClock(START))
        sink.refusals = {ann: ["450 wait"] * (2 + PARTLY_ATTEMPTS)}
        for _ in range(2):
            store.outbox.hurry("mail")
            assert sender.drain()[0].sent == 0
        assert sink.envelopes == [[bob]]
        waiting = store.outbox.first("mail")
        assert waiting is not None
        assert (waiting.message.reached, waiting.attempts) == ((bob,), 2)
        for _ in range(PARTLY_ATTEMPTS - 2):
            store.outbox.hurry("mail")
            sender.drain()
        (kept,) = store.outbox.messages(undelivered=True)[1:]
        assert f"{PARTLY_ATTEMPTS} attempts: set aside" in kept.error
        # The recovery reaches both.
        sink.refusals = {}
        assert sender.drain()[0].sent == 1
        assert sink.envelopes == [[bob], [ann, bob]]
        # Who sends the first one again sends it to everybody.
        store.outbox.replay(refused=True)
        sender.drain()
        assert sink.envelopes[2:] == [[ann, bob]]


def test_a_message_that_is_refused_for_good_holds_up_no_other(
    store: SqlAlerts, server: ReplayServer
):
    told = rules(HOOK)
    first, second = tell(store, 1, told)
    server.reply(PATH, failing(400), json_body({}))
    sender = AlertSender(store.outbox, told, SystemClock())
    (done,) = sender.drain()
    assert (done.sent, done.refused) == (1, 1)
    (kept,) = store.outbox.messages(undelivered=True)
    assert (kept.message_id, kept.error) == (first.id, "route hook: answered with status 400")
    assert sender.facts()[0].refused == 1
    assert store.outbox.replay(refused=True, dry_run=True) == 1
    assert store.outbox.replay(refused=True) == 1
    sender.drain()
    assert ids(server) == [first.id, second.id, first.id]
    assert store.outbox.messages(undelivered=True) == []


def test_a_recovery_of_many_incidents_goes_on_where_it_was_stopped(
    store: SqlAlerts, engine: sa.Engine, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    """Its time runs out, then the other side fails, then the sender is another."""
    pager = {"name": "pager", "type": "pagerduty", "routing_key_env": "ALERT_URL"}
    told = rules({**pager, "url": f"{server.url}{PATH}"})
    for number in range(8):
        seen = bad(minutes(number), f"check|{number}")
        store.evaluate(lambda _, s=seen: [s], told, seen.at)
    over = [good(minutes(60), f"check|{number}") for number in range(8)]
    store.evaluate(lambda _: over, told, minutes(60))
    monkeypatch.setattr("adapters.alerts.http_routes._SEVERAL", 0.0)
    server.reply(PATH, *[json_body({})] * 13, failing(500), json_body({}))
    (first,) = AlertSender(store.outbox, told, FixedClock(START)).drain()
    assert (first.sent, "status 500" in first.error) == (8, True)
    again = AlertSender(SqlAlerts(engine).outbox, told, FixedClock(minutes(90)))
    assert [done.sent for done in again.drain()] == [1]
    events = [(asked.json["event_action"], asked.json["dedup_key"]) for asked in server.asked]
    triggered, resolved = events[:8], events[8:]
    # What the failure met comes again; nothing before it does.
    assert resolved[5] == resolved[6]
    once = [*resolved[:6], *resolved[7:]]
    assert sorted(once) == sorted(("resolve", key) for _, key in triggered)
    assert store.outbox.replay() == 9
    AlertSender(store.outbox, told, FixedClock(minutes(91))).drain()
    seen = [(asked.json["event_action"], asked.json["dedup_key"]) for asked in server.asked]
    assert seen[17:] == [*triggered, *once]


def test_a_route_that_is_down_holds_up_no_other_and_the_others_hear_of_it(
    store: SqlAlerts, server: ReplayServer, capfd: pytest.CaptureFixture[str]
):
    from market_data.alerts.platform_sources import sightings_of_routes

    told = rules(HOOK, console("all"))
    tell(store, 1, told)
    server.reply(PATH, failing(500))
    now = datetime.now(UTC)
    done = AlertSender(store.outbox, told, FixedClock(now)).drain()
    assert {d.route: d.sent for d in done} == {"hook": 0, "all": 2}
    late = now + timedelta(minutes=11)
    facts = AlertSender(store.outbox, told, FixedClock(late)).facts()
    looks = list(sightings_of_routes(facts, told.watch, late))
    (message,) = store.evaluate(lambda _: looks, told, late).messages
    assert message.route == "all"
    assert "route hook" in message.title
    assert "recovered" in capfd.readouterr().err


def test_pauses_grow_from_seconds_to_minutes():
    pauses = [pause_after(n) for n in range(30)]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE == 300


def test_two_senders_send_nothing_twice(store: SqlAlerts, server: ReplayServer, url: str):
    told = rules(HOOK)
    messages = tell(store, 5, told)
    server.reply(PATH, slow(json_body({}), 0.05))
    engines = [open_database(url) for _ in range(2)]
    senders = [AlertSender(SqlAlerts(engine).outbox, told, SystemClock()) for engine in engines]
    threads = [threading.Thread(target=s.drain) for s in senders for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    senders[0].drain()
    assert ids(server) == [m.id for m in messages]
    for engine in engines:
        engine.dispose()


def test_a_sender_that_was_killed_loses_nothing_and_repeats_at_most_one(
    store: SqlAlerts, server: ReplayServer, url: str
):
    """kill -9 while a message is under way: between its arrival and the word of it."""
    told = rules(HOOK)
    messages = tell(store, 10, told)
    # The third is under way for as long as it takes to kill its sender.
    server.reply(PATH, json_body({}), json_body({}), slow(json_body({}), 20), json_body({}))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.alert_process", url],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(server.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(server.asked) == 3 < len(messages)
    with pytest.MonkeyPatch.context() as patched:
        # The dead sender's lease has run out.
        patched.setattr(
            "adapters.operations.leases._now", lambda _: time.time_ns() // 1_000 + 10**9
        )
        AlertSender(store.outbox, told, SystemClock()).drain()
    seen = list(dict.fromkeys(ids(server)))
    assert seen == [m.id for m in messages]
    assert len(ids(server)) - len(seen) <= 1


def test_a_dead_sender_blocks_its_route_no_longer_than_its_lease(
    store: SqlAlerts, server: ReplayServer
):
    told = rules(HOOK)
    tell(store, 1, told)
    assert store.outbox.lease("hook", term=timedelta(milliseconds=300)).take()
    sender = AlertSender(store.outbox, told, SystemClock())
    assert [d.busy for d in sender.drain()] == [True]
    time.sleep(0.4)
    assert [d.sent for d in sender.drain()] == [2]


def test_an_error_of_a_route_that_nobody_thought_of_ends_the_pass_and_frees_the_route(
    store: SqlAlerts, server: ReplayServer
):
    class Broken:
        name = "hook"

        def deliver(self, message: Message) -> None:
            raise ZeroDivisionError

    told = rules(HOOK)
    tell(store, 1, told)
    with pytest.raises(ZeroDivisionError):
        AlertSender(store.outbox, told, SystemClock(), lambda _: Broken()).drain()
    (done,) = AlertSender(store.outbox, told, SystemClock()).drain()
    assert done.sent == 2


def test_silences_end_by_themselves_or_by_hand(store: SqlAlerts):
    made = store.silence("raw/*", until=minutes(60), author="ann", reason="new", now=START)
    assert [s.number for s in store.silences(minutes(1))] == [made.number]
    assert store.silences(minutes(60)) == []
    assert store.end_silence(made.number, minutes(5))
    assert store.silences(minutes(6)) == []
    assert not store.end_silence(made.number, minutes(7))


def test_secrets_are_in_no_row(
    store: SqlAlerts, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
):
    from adapters.alerts.secrets import cleaner

    monkeypatch.setenv("ALERT_URL", "https://hooks.example.com/services/s3cr3t-path")
    told = rules(HOOK)
    detail = "POST https://hooks.example.com/services/s3cr3t-path and postgresql://u:pa55@db/x"
    seen = bad(START, detail=detail, severity=Severity.ERROR)
    store.evaluate(lambda _: [seen], told, START, clean=cleaner(told))
    with engine.connect() as connection:
        for table in ("alerts", "alert_outbox"):
            # Whole values: a row's own form cuts long ones short.
            found = connection.execute(sa.text(f"select * from {table}")).all()
            rows = str([tuple(row) for row in found])
            assert "s3cr3t" not in rows
            assert "pa55" not in rows


def test_what_a_message_holds_survives_the_database(store: SqlAlerts):
    odd = bad(START, title="Ünïcode “quotes” \\ 'x'", detail="line\nbreak\x00nul")
    (message,) = store.evaluate(lambda _: [odd], rules(), START).messages
    waiting = store.outbox.first("all")
    assert waiting is not None
    assert json.loads(waiting.message.to_json())["title"] == message.title
