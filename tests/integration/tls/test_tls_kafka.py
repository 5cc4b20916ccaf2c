"""Kafka over TLS: with a certificate of the broker's, of the client's, and with a login."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.kafka.delivery import Message, delivery
from adapters.kafka.lag import consumer_lag
from adapters.kafka.reader import messages
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import cluster, provision
from adapters.probes import State
from adapters.probes.kafka import kafka_probe
from adapters.variables import read
from market_data.errors import StreamError
from tests.support.servers import KafkaBroker, private_server
from tests.support.tls import Authority

PASSWORD = "right-s3cret"
WRONG = "wrong-s3cret"
PROTOCOLS = {"tls": "SSL", "known": "SSL", "login": "SASL_SSL"}
LOGIN = {"sasl_mechanism": "PLAIN", "sasl_username": "emp", "sasl_password": PASSWORD}
_TLS = """\
ssl.keystore.type=PEM
ssl.keystore.location={shows}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.known.ssl.client.auth=required
listener.name.login.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_emp="{password}";
sasl.enabled.mechanisms=PLAIN
"""


class SealedBroker(KafkaBroker):
    """A broker with listeners for TLS, for TLS with a certificate, and for TLS with a login."""

    ports = ("port", "controller", *PROTOCOLS)
    authority: Authority

    def _configuration(self) -> Path:
        file = super()._configuration()
        pair = self.authority.server("localhost")
        shows = self.folder / "server.pem"
        shows.write_text(pair.key.read_text() + pair.certificate.read_text())
        addresses = "".join(f",{name.upper()}://localhost:{self.port(name)}" for name in PROTOCOLS)
        longer = {
            "listeners=": addresses,
            "advertised.listeners=": addresses,
            "listener.security.protocol.map=": "".join(
                f",{name.upper()}:{protocol}" for name, protocol in PROTOCOLS.items()
            ),
        }
        lines = [
            line + next((more for start, more in longer.items() if line.startswith(start)), "")
            for line in file.read_text().splitlines()
        ]
        tls = _TLS.format(shows=shows, authority=self.authority.file, password=PASSWORD)
        file.write_text("\n".join(lines) + "\n" + tls)
        return file


@pytest.fixture(scope="module")
def broker(authority: Authority) -> Iterator[SealedBroker]:
    SealedBroker.authority = authority
    with private_server(SealedBroker) as running:
        yield running


Make = Callable[..., KafkaSettings]


@pytest.fixture
def make(broker: SealedBroker, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Settings for a listener as a user makes them: by the variables, and by nothing else."""

    def settings(listener: str, host: str = "localhost", **more: object) -> KafkaSettings:
        variables = {
            "bootstrap_servers": f"{host}:{broker.port(listener)}",
            "security_protocol": PROTOCOLS.get(listener, "SSL"),
            "replay_topic": f"replay.{listener}",
            "ingest_default_topic": f"ingest.{listener}",
            **(LOGIN if listener == "login" else {}),
            **more,
        }
        for name, value in variables.items():
            monkeypatch.setenv(f"KAFKA_{name.upper()}", str(value))
        return read(KafkaSettings)

    return settings


@pytest.mark.parametrize("listener", PROTOCOLS)
def test_topics_are_made_and_messages_sent_and_read(
    make: Make, authority: Authority, listener: str
):
    own = authority.client("emp")
    shown = {"ssl_certfile": own.certificate, "ssl_keyfile": own.key}
    settings = make(listener, ssl_cafile=authority.file, **(shown if listener == "known" else {}))
    provision(settings)
    assert {spec.name for spec in settings.topic_specs()} <= set(cluster(settings).topics)
    with delivery(settings) as opened:
        sent = opened.send([Message(settings.replay_topic, b"k", b"v")])
    assert (sent.acknowledged, sent.error) == ([0], None)
    assert [m.value for m in messages(settings, [settings.replay_topic])] == [b"v"]
    assert consumer_lag(settings).total == 0
    assert kafka_probe(settings).look().state is State.OK


CHECKED = r"certificate of .* is refused, .*: KAFKA_SSL_CAFILE must be"
SHOWN = r"wants a client's certificate .*: check KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
UNREADABLE = r"KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE must be PEM"


@pytest.mark.parametrize(
    ("listener", "case", "said"),
    [
        ("tls", "authority", CHECKED),
        ("tls", "system", CHECKED),
        ("tls", "address", CHECKED + ".*KAFKA_BOOTSTRAP_SERVERS"),
        ("tls", "nonsense", UNREADABLE),
        ("login", "authority", CHECKED),
        ("login", "password", r"KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"),
        ("known", "nothing shown", SHOWN),
        ("known", "strange", SHOWN),
        ("known", "torn", UNREADABLE),
        ("port", "good", r"KAFKA_SECURITY_PROTOCOL \(SSL\) is what the listener speaks"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_told(
    make: Make,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    listener: str,
    case: str,
    said: str,
):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text(f"no certificate {WRONG}")
    one, other = authority.client("emp"), stranger.client("emp")
    good = {"ssl_cafile": authority.file}
    options = {
        "good": good,
        "nothing shown": good,
        "authority": {"ssl_cafile": stranger.file},
        "system": {},
        "address": {**good, "host": "127.0.0.1"},
        "nonsense": {"ssl_cafile": nonsense},
        "password": {**good, "sasl_password": WRONG},
        "strange": {**good, "ssl_certfile": other.certificate, "ssl_keyfile": other.key},
        "torn": {**good, "ssl_certfile": one.certificate, "ssl_keyfile": other.key},
    }[case]
    settings = make(listener, timeout_seconds=0.5, **options)
    told = []
    steps = [cluster, consumer_lag, lambda s: delivery(s).__enter__()]
    for step in steps if case == "authority" else steps[:1]:
        with pytest.raises(StreamError, match=said) as failure:
            step(settings)
        told.append(f"{failure.value!r}{failure.getrepr(style='short')}")
    everything = "".join(told) + caplog.text + repr(settings)
    assert PASSWORD not in everything
    assert WRONG not in everything


def test_a_key_with_a_password_is_an_error_and_no_question(make: Make, authority: Authority):
    own = authority.client("emp").lock()
    settings = make(
        "known",
        timeout_seconds=0.5,
        ssl_cafile=authority.file,
        ssl_certfile=own.certificate,
        ssl_keyfile=own.key,
    )
    assert settings.client_options()["ssl_password"] == ""  # None asks on the terminal.
    with pytest.raises(StreamError, match=UNREADABLE):
        cluster(settings)
