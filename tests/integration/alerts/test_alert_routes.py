"""The contract of the routes, against local servers: what arrives, and what counts as taken."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from adapters.alerts.opening import open_route
from adapters.alerts.plain_routes import Console
from adapters.alerts.route import (
    DeliveryError,
    PartlyError,
    RefusedError,
    UnansweredError,
    UnfinishedError,
)
from market_data.alerts import Alert, Message, Phase, Severity, State, probe_message
from market_data.alerts.message import from_json, grouped
from market_data.alerts.rules import ConsoleRoute
from market_data.errors import ConfigurationError
from tests.support.alert_rows import START, rules, trouble
from tests.support.dagster_server import free_port
from tests.support.replay_server import ReplayServer, Reply, failing, json_body, redirect, slow
from tests.support.smtp_sink import SmtpSink

HOOK = "/services/T0/s3cr3t-path"
TOKEN = "t0ken-t0ken"
WEB: dict[str, dict[str, Any]] = {
    "webhook": {"url_env": "ALERT_URL", "token_env": "ALERT_TOKEN"},
    "slack": {"url_env": "ALERT_URL"},
    "pagerduty": {"routing_key_env": "ALERT_TOKEN"},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as found:
        found.reply(HOOK, json_body({"ok": True}))
        monkeypatch.setenv("ALERT_URL", f"{found.url}{HOOK}")
        monkeypatch.setenv("ALERT_TOKEN", TOKEN)
        yield found


def route(kind: str, server: ReplayServer, **changes: Any) -> Any:
    given = {"name": "out", "type": kind, **WEB[kind], **changes}
    if kind == "pagerduty":
        given["url"] = f"{server.url}{HOOK}"
    return open_route(rules(given).routes[0])


def message(state: State = State.OPENED, **more: Any) -> Message:
    troubles = [replace(trouble(), rows=number) for number in range(3)]
    alerts = [Alert(f"check|{t.rows}", t, Phase.OPEN, START, START, START) for t in troubles]
    return grouped("out", state, alerts, START, rules(), **more)


@pytest.mark.parametrize("kind", WEB)
def test_a_message_arrives_under_its_id(kind: str, server: ReplayServer):
    sent = message()
    route(kind, server).deliver(sent)
    (asked,) = server.asked
    assert asked.headers["idempotency-key"].startswith(sent.id)
    assert sent.id in asked.body.decode()
    assert "coverage" in asked.body.decode()


def test_the_json_form_of_a_webhook(server: ReplayServer):
    sent = message()
    route("webhook", server).deliver(sent)
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.json == sent.body
    assert from_json("out", asked.body.decode()) == sent


def test_pagerduty_triggers_and_resolves_incidents_under_one_key(server: ReplayServer):
    pager = route("pagerduty", server)
    opened = message()
    pager.deliver(opened)
    pager.deliver(message(State.RECOVERED, openings=[opened.id], resolved=[]))
    pager.deliver(message(State.RECOVERED, openings=[opened.id], resolved=[opened.id]))
    trigger, resolve = (asked.json for asked in server.asked)
    assert (trigger["event_action"], trigger["dedup_key"]) == ("trigger", opened.id)
    assert trigger["routing_key"] == TOKEN
    assert trigger["payload"]["severity"] == "error"
    assert trigger["payload"]["summary"] == opened.title
    assert (resolve["event_action"], resolve["dedup_key"]) == ("resolve", opened.id)


def test_an_escalation_triggers_the_incidents_of_its_openings_again(server: ReplayServer):
    first, second = "1" * 32, "2" * 32
    route("pagerduty", server).deliver(message(State.ESCALATED, openings=[first, second]))
    asked = [one.json for one in server.asked]
    assert [(a["event_action"], a["dedup_key"]) for a in asked] == [
        ("trigger", first),
        ("trigger", second),
    ]
    assert {a["payload"]["severity"] for a in asked} == {"error"}
    assert asked[0]["payload"]["summary"].startswith("[SEV-2] worse: ")


def test_slack_reads_no_mark_in_a_finding(server: ReplayServer):
    odd = replace(trouble(), title="<!channel> & more")
    alert = Alert("k", odd, Phase.OPEN, START, START, START)
    route("slack", server).deliver(grouped("out", State.OPENED, [alert], START, rules()))
    assert "&lt;!channel&gt; &amp; more" in server.asked[0].json["text"]


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failing(500), DeliveryError),
        (failing(503), DeliveryError),
        (failing(404), DeliveryError),
        (failing(401), DeliveryError),
        (failing(400), RefusedError),
        (failing(413), RefusedError),
        (redirect("http://example.invalid/"), DeliveryError),
        (slow(json_body({}), 1.0), UnansweredError),
        (Reply(status=429, headers={"Retry-After": "77"}), DeliveryError),
    ],
)
def test_only_2xx_in_time_counts_as_taken(
    kind: str, reply: Reply, error: type[DeliveryError], server: ReplayServer
):
    server.reply(HOOK, reply)
    with pytest.raises(DeliveryError) as failure:
        route(kind, server, timeout="0.3s").deliver(message())
    assert type(failure.value) is error
    if reply.status == 429:
        assert failure.value.after == 77


@contextmanager
def dripping(first: bytes, line: bytes, pause: float) -> Iterator[int]:
    """The port of a server that says something, then a line after every pause, without an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while not over.wait(pause):
                    connection.sendall(line)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.close()
        server.join(5)


@pytest.mark.parametrize("kind", WEB)
def test_an_answer_that_drips_ends_with_the_time_of_its_attempt(
    kind: str, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n", 0.05) as port:
        url = f"http://127.0.0.1:{port}{HOOK}"
        monkeypatch.setenv("ALERT_URL", url)
        sender = open_route(rules({
            "name": "out", "type": kind, **WEB[kind], "timeout": "0.4s",
            **({"url": url} if kind == "pagerduty" else {}),
        }).routes[0])  # fmt: skip
        before = time.monotonic()
        with pytest.raises(DeliveryError, match=r"route out: no answer within 0\.4 s"):
            sender.deliver(message())
    assert time.monotonic() - before < 5


def test_several_requests_of_a_message_end_before_the_lease_does(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.alerts.http_routes._SEVERAL", 0.0)
    server.reply(HOOK, slow(json_body({}), 0.3))
    openings = [f"opening-{number}" for number in range(10)]
    told = message(State.RECOVERED, openings=openings, resolved=openings)
    with pytest.raises(UnfinishedError) as stopped:
        route("pagerduty", server, timeout="0.8s").deliver(told)
    assert len(server.asked) == stopped.value.taken == 1


def test_what_is_left_of_several_requests_goes_on_where_it_stopped(server: ReplayServer):
    openings = [f"opening-{number}" for number in range(5)]
    told = message(State.RECOVERED, openings=openings, resolved=openings)
    server.reply(HOOK, json_body({}), json_body({}), failing(500), json_body({}))
    pager = route("pagerduty", server)
    with pytest.raises(DeliveryError) as stopped:
        pager.deliver(told)
    assert stopped.value.taken == 2
    pager.deliver(told.having(stopped.value.taken))
    keys = [asked.json["dedup_key"] for asked in server.asked]
    assert keys == [*openings[:3], *openings[2:]]


@pytest.mark.parametrize("kind", WEB)
def test_no_text_and_no_log_shows_a_secret(
    kind: str,
    server: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    shown = []
    with caplog.at_level(logging.DEBUG):
        for reply in (json_body({}), failing(500), failing(400)):
            server.reply(HOOK, reply)
            try:
                route(kind, server).deliver(message())
            except DeliveryError as error:
                shown.append(f"{error!r} {error} {error.__cause__}")
        monkeypatch.setenv("ALERT_URL", f"http://127.0.0.1:{free_port()}{HOOK}")
        gone = rules({"name": "out", "type": "slack", "url_env": "ALERT_URL"}).routes[0]
        with pytest.raises(DeliveryError) as failure:
            open_route(gone).deliver(message())
        shown += [f"{failure.value!r}", f"{open_route(gone)!r}"]
    text = "".join(shown) + caplog.text
    assert "s3cr3t" not in text
    assert TOKEN not in text


@pytest.mark.parametrize("kind", WEB)
def test_a_variable_that_is_not_set_is_named(
    kind: str, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ALERT_URL")
    monkeypatch.delenv("ALERT_TOKEN")
    with pytest.raises(ConfigurationError, match=r"ALERT_(URL|TOKEN) is not set"):
        route(kind, server).deliver(message())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALERT_TOKEN", "schlüssel"), ("ALERT_URL", f"http://{'a' * 70}.example/")],
)
def test_what_no_request_can_carry_is_a_setting_that_somebody_mends(
    variable: str, value: str, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match="names no host, or its token") as failure:
        route("webhook", server).deliver(message())
    assert failure.value.__cause__ is None
    assert value not in str(failure.value)
    assert not server.asked


def mail(port: int, **changes: Any) -> Any:
    given = {
        "name": "out",
        "type": "email",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "Alerts <alerts@example.com>",
        "recipients": ["ann@example.com", "bob@example.com"],
        "timeout": "2s",
    }
    return open_route(rules({**given, **changes}).routes[0])


def test_letters_of_one_story_belong_together():
    with SmtpSink() as sink:
        opened = message()
        mail(sink.port).deliver(opened)
        mail(sink.port).deliver(message(State.RECOVERED, openings=[opened.id]))
    first, second = sink.letters
    assert first["Subject"] == opened.title
    assert first["Message-ID"] == f"<{opened.id}@example.com>" == second["In-Reply-To"]
    assert first["X-Idempotency-Key"] == opened.id
    assert first["To"] == "ann@example.com, bob@example.com"
    assert opened.text.splitlines() == first.get_content().splitlines()


@pytest.mark.parametrize(
    ("reply", "error"), [("451 try later", DeliveryError), ("550 never", RefusedError)]
)
def test_what_a_mail_server_says_decides(reply: str, error: type[DeliveryError]):
    with SmtpSink() as sink:
        sink.replies = [reply]
        with pytest.raises(DeliveryError) as failure:
            mail(sink.port).deliver(message())
        assert type(failure.value) is error
        mail(sink.port).deliver(message())
    assert len(sink.letters) == 1


ANN, BOB = "ann@example.com", "bob@example.com"


def test_who_was_asked_to_wait_is_tried_again_alone():
    with SmtpSink() as sink:
        sink.refusals = {ANN: ["450 come back in a minute"] * 2}
        told = message()
        for _ in range(2):
            with pytest.raises(PartlyError, match="1 recipients were refused") as failure:
                mail(sink.port).deliver(told)
            assert failure.value.reached == (BOB,)
            told = from_json("out", told.having(0, failure.value.reached).to_json())
        mail(sink.port).deliver(told)
        # Who was the last to lack it may be no recipient any more.
        mail(sink.port, recipients=[BOB]).deliver(told)
    assert sink.envelopes == [[BOB], [ANN]]
    assert {letter["To"] for letter in sink.letters} == {f"{ANN}, {BOB}"}


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({ANN: ["550 nobody here"]}, RefusedError),
        ({ANN: ["550 nobody here"], BOB: ["550 nobody here"]}, RefusedError),
        ({ANN: ["550 nobody here"], BOB: ["450 wait"]}, DeliveryError),
        ({ANN: ["530 log in first"], BOB: ["530 log in first"]}, DeliveryError),
        ({ANN: ["530 log in first"]}, PartlyError),
    ],
)
def test_a_refusal_is_final_where_every_one_is(
    replies: dict[str, list[str]], error: type[DeliveryError]
):
    with SmtpSink() as sink:
        sink.refusals = replies
        with pytest.raises(DeliveryError) as failure:
            mail(sink.port).deliver(message())
    assert type(failure.value) is error


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("530 log in first", DeliveryError),
        ("553 no such sender here", DeliveryError),
        ("552 too large", RefusedError),
    ],
)
def test_a_sender_that_is_refused_is_a_setting_that_somebody_mends(
    reply: str, error: type[DeliveryError]
):
    with SmtpSink() as sink:
        sink.senders = [reply]
        with pytest.raises(DeliveryError) as failure:
            mail(sink.port).deliver(message())
        assert type(failure.value) is error
        mail(sink.port).deliver(message())
    assert len(sink.letters) == 1


def test_a_mail_server_whose_name_is_none_is_a_setting_that_somebody_mends():
    with pytest.raises(ConfigurationError, match="host names none"):
        mail(25, host="mail..example").deliver(message())


def test_a_mail_server_that_is_down_or_silent():
    with pytest.raises(DeliveryError, match="ConnectionRefusedError"):
        mail(free_port()).deliver(message())
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DeliveryError):
        mail(silent.getsockname()[1], timeout="0.2s").deliver(message())


@pytest.mark.parametrize("greeting", [b"", b"220 at your service\r\n"])
def test_a_mail_server_that_drips_ends_with_the_time_of_its_conversation(
    greeting: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.alerts.email_route._SEVERAL", 0.1)
    before = time.monotonic()
    with (
        dripping(greeting, b"250-more\r\n" if greeting else b"220-more\r\n", 0.05) as port,
        pytest.raises(DeliveryError, match="no end of the conversation"),
    ):
        mail(port, timeout="0.3s").deliver(message())
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_goes_over_tls_alone_and_its_password_shows_nowhere(
    security: str, monkeypatch: pytest.MonkeyPatch
):
    import ssl

    import trustme

    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    create = ssl.create_default_context

    def trusting(*arguments: Any, **options: Any) -> ssl.SSLContext:
        made = create(*arguments, **options)
        authority.configure_trust(made)
        return made

    monkeypatch.setattr("adapters.alerts.email_route.ssl.create_default_context", trusting)
    login = {"security": security, "username": "me", "password_env": "ALERT_PASSWORD"}
    with SmtpSink(tls=tls, wrapped=security == "tls", password="hunter22") as sink:
        monkeypatch.setenv("ALERT_PASSWORD", "wrong-one")
        with pytest.raises(DeliveryError) as failure:
            mail(sink.port, **login).deliver(message())
        assert "ALERT_PASSWORD" in str(failure.value)
        assert "wrong-one" not in f"{failure.value!r}{failure.value.__cause__}"
        monkeypatch.setenv("ALERT_PASSWORD", "schlüssel")
        with pytest.raises(ConfigurationError, match="not ASCII"):
            mail(sink.port, **login).deliver(message())
        monkeypatch.setenv("ALERT_PASSWORD", "hunter22")
        mail(sink.port, **login).deliver(message())
    assert sink.logins[-1] == "me"
    assert len(sink.letters) == 1


def test_the_console_and_a_console_that_is_gone():
    (console,) = [r for r in rules().routes if isinstance(r, ConsoleRoute)]
    stream = io.StringIO()
    Console(console, stream).deliver(probe_message("all", Severity.WARN, START))
    assert "[test]" in stream.getvalue()
    stream.close()
    with pytest.raises(DeliveryError):
        Console(console, stream).deliver(message())


def test_kafka_without_a_broker_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "1")
    bus = open_route(rules({"name": "out", "type": "kafka"}).routes[0])
    with pytest.raises(DeliveryError, match="KAFKA_BOOTSTRAP_SERVERS"):
        bus.deliver(message())
