"""The client that vendors share, against a server with every kind of trouble."""

from __future__ import annotations

import gzip
import json
import logging
import logging.config
import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import quote, quote_plus

import pytest

from adapters.vendors.http import Answer, Patience, Secrets, VendorHttp
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports import Claim, Payload
from market_data.ports.known_secrets import without_secrets
from tests.support.replay_server import (
    ReplayServer,
    Reply,
    cut_off,
    dripping,
    failing,
    json_body,
    redirect,
    slow,
    too_many,
)

KEY = "k3y-nobody-may-see"
ODD_KEY = 'k/7+Qz %&=9"w'
GOOD = json_body({"bars": [1, 2, 3]})


class Notes:
    """A gate that grants everything and remembers what it heard."""

    def __init__(self) -> None:
        self.entered = 0
        self.heard: list[VendorError | None] = []

    def enter(self, claims: Sequence[Claim]) -> None:
        self.entered += 1

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        self.heard.append(trouble)


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as opened:
        yield opened


def client(server: ReplayServer | str, gate: Notes | None = None, **patience: float) -> VendorHttp:
    url = server if isinstance(server, str) else server.url
    waits = {"attempts": 1, "timeout": 0.5, "deadline": 1.0, **patience}
    return VendorHttp(
        "Acme",
        url,
        gate=gate,
        secrets=Secrets(params={"apikey": KEY}, headers={"Authorization": f"Bearer {KEY}"}),
        patience=Patience(**waits, sleep=lambda _: None),  # type: ignore[arg-type]
    )


def body(answer: Answer) -> object:
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise MalformedAnswerError(f"no JSON: {answer.text}") from error


def test_an_answer_comes_with_its_source_and_without_the_key(server: ReplayServer) -> None:
    server.reply("/bars", GOOD)
    answer = client(server).get("/bars", {"symbol": "A&B"}, lambda answer: answer)
    assert json.loads(answer.content) == {"bars": [1, 2, 3]}
    assert answer.payload.content == answer.content
    assert answer.payload.source == f"{server.url}/bars?symbol=A%26B&apikey=%2A%2A%2A"
    (asked,) = server.asked
    assert dict(asked.query) == {"symbol": "A&B", "apikey": KEY}
    assert asked.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (too_many(), RateLimitedError, "429"),
        (failing(401), UnauthorisedError, "401"),
        (failing(403, f"no: {KEY}".encode()), UnauthorisedError, "403"),
        (failing(500), VendorUnavailableError, "500"),
        (failing(503), VendorUnavailableError, "503"),
        (slow(GOOD, 0.8), VendorUnavailableError, "within 0.5 s"),
        (dripping(GOOD, 0.2), VendorUnavailableError, "within 1 s"),
        (cut_off(GOOD), MalformedAnswerError, "broke off"),
        (redirect("/bars"), VendorUnavailableError, "loop"),
        (redirect("ftp://else.where/"), MalformedAnswerError, "broke off"),
        (redirect("http://127.0.0.1:1/bars"), UnreachableError, "cannot be reached"),
        (redirect(f"http://{'a' * 70}.example/bars"), MalformedAnswerError, "broke off"),
        (Reply(b"x" * 5_000), MalformedAnswerError, "longer than 1,000 bytes"),
        (
            Reply(gzip.compress(b"x" * 5_000), headers={"Content-Encoding": "gzip"}),
            MalformedAnswerError,
            "longer than 1,000 bytes",
        ),
        (
            Reply(b"no gzip", headers={"Content-Encoding": "gzip"}),
            MalformedAnswerError,
            "broke off",
        ),
        (Reply(f"your key {KEY} is".encode()), MalformedAnswerError, r"your key \*\*\* is"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_trouble_has_its_type_and_no_secret(
    server: ReplayServer,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
    kind: type[VendorError],
    words: str,
) -> None:
    server.reply("/bars", reply)
    gate = Notes()
    began = time.monotonic()
    with caplog.at_level(logging.DEBUG), pytest.raises(kind, match=words) as raised:
        client(server, gate, most_bytes=1_000).get("/bars", {}, body)
    assert time.monotonic() - began < 3.0
    assert KEY not in str(raised.value) + repr(raised.value) + caplog.text
    assert gate.heard == [raised.value]


def test_nobody_there_is_told_with_the_address() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
            client(url).get("/bars", {}, body)


def test_trouble_that_may_pass_is_asked_again_through_the_gate(server: ReplayServer) -> None:
    server.reply("/bars", failing(500), slow(GOOD, 0.8), dripping(GOOD, 0.2), GOOD)
    gate = Notes()
    assert client(server, gate, attempts=4).get("/bars", {}, body) == {"bars": [1, 2, 3]}
    assert gate.entered == 4
    assert [type(t) for t in gate.heard] == [VendorUnavailableError] * 3 + [type(None)]


def test_what_the_vendor_refuses_for_good_is_asked_once(server: ReplayServer) -> None:
    server.reply("/bars", failing(401), GOOD)
    with pytest.raises(UnauthorisedError):
        client(server, attempts=3).get("/bars", {}, body)
    assert len(server.asked) == 1


def test_a_pause_longer_than_a_minute_is_not_sat_out(server: ReplayServer) -> None:
    server.reply("/bars", too_many(retry_after=61), GOOD)
    with pytest.raises(RateLimitedError) as raised:
        client(server, attempts=3).get("/bars", {}, body)
    assert (raised.value.retry_after, len(server.asked)) == (61.0, 1)


def test_a_later_configuration_of_logging_shows_no_key(
    server: ReplayServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply("/bars", GOOD)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with caplog.at_level(logging.DEBUG):
        client(server).get("/bars", {}, body)
    assert KEY not in caplog.text


def test_a_token_is_taken_out_without_its_scheme_too(server: ReplayServer) -> None:
    server.reply("/bars", failing(403, f"who is {KEY}?".encode()))
    secrets = Secrets(headers={"Authorization": f"Bearer {KEY}"})
    acme = VendorHttp("Acme", server.url, secrets=secrets)
    with pytest.raises(UnauthorisedError, match=r"who is \*\*\*\?"):
        acme.get("/bars", {}, body)


@pytest.mark.parametrize("place", range(170, 205))
def test_no_half_of_a_key_is_left_where_a_text_is_cut(place: int) -> None:
    content = b"x" * place + KEY.encode() + b"y" * 300
    answer = Answer(500, content, Payload(content, "somewhere"), (KEY,))
    assert answer.text == ("x" * place + "***" + "y" * 300)[:200]


@pytest.mark.parametrize(
    "told",
    [
        quote_plus(ODD_KEY),
        quote(ODD_KEY, safe="").lower(),
        json.dumps(f"wrong key: {ODD_KEY}"),
        f"https://user:{quote(ODD_KEY, safe='')}@acme.example/",
        f"Authorization: Basic {b64encode(f'user:{ODD_KEY}'.encode()).decode()}",
    ],
)
@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_key_comes_back_in_no_other_form(server: ReplayServer, told: str, status: int) -> None:
    server.reply("/bars", Reply(told.encode(), status))
    acme = VendorHttp(
        "Acme",
        server.url,
        secrets=Secrets(params={"apikey": ODD_KEY}),
        patience=Patience(attempts=1, sleep=lambda _: None),
    )
    with pytest.raises(VendorError) as raised:
        acme.get("/bars", {}, lambda answer: refuse(answer.text))
    said = str(raised.value)
    assert "***" in said
    assert without_secrets(said, [ODD_KEY]) == said


def refuse(said: str) -> object:
    raise MalformedAnswerError(said)


def test_the_login_of_an_address_is_shown_nowhere(server: ReplayServer) -> None:
    server.reply("/bars", GOOD, failing(403, b"not you, p@ss/word-1"))
    with_login = server.url.replace("://", "://somebody:p%40ss%2Fword-1@")
    acme = VendorHttp("Acme", with_login)
    source = acme.get("/bars", {}, lambda answer: answer.payload.source)
    assert source.startswith(server.url.replace("://", "://***@"))
    with pytest.raises(UnauthorisedError, match=r"not you, \*\*\*"):
        acme.get("/bars", {}, body)


def test_a_pause_that_no_number_holds_is_the_usual_one(server: ReplayServer) -> None:
    server.reply("/bars", Reply(b"", 429, headers={"Retry-After": "9" * 400}), GOOD)
    assert client(server, attempts=2).get("/bars", {}, body) == {"bars": [1, 2, 3]}


def test_secrets_do_not_show() -> None:
    assert KEY not in repr(Secrets({"apikey": KEY}, {"Authorization": KEY}))
