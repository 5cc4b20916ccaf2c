"""A broker that asks for a login: with the right one all works, any other fault is told plainly."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kafka.delivery import Message, delivery
from adapters.kafka.lag import consumer_lag
from adapters.kafka.reader import messages
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import cluster, provision
from adapters.probes import run_probes
from adapters.probes.kafka import kafka_probe
from emp.commands.doctor import TIMEOUT_SECONDS
from market_data.errors import MarketDataError, StreamError
from tests.support.servers import KafkaBroker, private_server

PASSWORD = "right-s3cret"
WRONG = "wrong-s3cret"
_LOGIN = """\
listener.name.login.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_emp="{password}";
sasl.enabled.mechanisms=PLAIN
"""


class GuardedBroker(KafkaBroker):
    """A broker with a second listener that asks for a login."""

    ports = ("port", "controller", "login")

    def _configuration(self) -> Path:
        file = super()._configuration()
        login = f"LOGIN://127.0.0.1:{self.port('login')}"
        longer = {
            "listeners=": f",{login}",
            "advertised.listeners=": f",{login}",
            "listener.security.protocol.map=": ",LOGIN:SASL_PLAINTEXT",
        }
        lines = [
            line + next((more for start, more in longer.items() if line.startswith(start)), "")
            for line in file.read_text().splitlines()
        ]
        file.write_text("\n".join(lines) + "\n" + _LOGIN.format(password=PASSWORD))
        return file


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Address of the listener that asks for a login."""
    with private_server(GuardedBroker) as broker:
        yield f"127.0.0.1:{broker.port('login')}"


def settings(address: str, **changes: object) -> KafkaSettings:
    options = {
        "timeout_seconds": 10,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "emp",
        "sasl_password": PASSWORD,
        **changes,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return KafkaSettings(bootstrap_servers=(address,), **given)  # type: ignore[arg-type]


def test_the_right_login_opens_everything(guarded):
    own = settings(guarded)
    provision(own)
    with delivery(own) as opened:
        sent = opened.send([Message(own.replay_topic, b"k", b"v")])
    assert (sent.acknowledged, sent.error) == ([0], None)
    assert [m.value for m in messages(own, [own.replay_topic])] == [b"v"]
    assert consumer_lag(own).total == 0


NO_LOGIN = dict.fromkeys(("sasl_mechanism", "sasl_username", "sasl_password"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sasl_password": WRONG}, "KAFKA_SASL_PASSWORD"),
        ({"sasl_username": "nobody"}, "KAFKA_SASL_USERNAME"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "KAFKA_SASL_MECHANISM"),
        ({"security_protocol": "PLAINTEXT", **NO_LOGIN}, "KAFKA_SECURITY_PROTOCOL (PLAINTEXT)"),
        ({"security_protocol": "SASL_SSL"}, "KAFKA_SECURITY_PROTOCOL (SASL_SSL)"),
        ({"security_protocol": "SSL", **NO_LOGIN}, "KAFKA_SSL_CAFILE"),
    ],
)
def test_another_one_is_refused_plainly_and_without_the_password(guarded, changes, said, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    wrong = settings(guarded, timeout_seconds=0.7, **changes)
    told = []
    for step in (cluster, consumer_lag, lambda s: delivery(s).__enter__()):
        with pytest.raises(StreamError) as failure:
            step(wrong)
        told.append(failure)
        assert said in str(failure.value)
        assert guarded in str(failure.value)
    everything = caplog.text + "".join(f"{f.value!r}{f.getrepr(style='long')}" for f in told)
    assert PASSWORD not in everything
    assert WRONG not in everything


def test_the_password_is_in_no_log_of_a_good_login_either(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    assert cluster(settings(guarded)).brokers == 1
    assert PASSWORD not in caplog.text


def test_a_certificate_that_cannot_be_read(guarded, tmp_path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text(f"no certificate {WRONG}")
    wrong = settings(
        guarded, timeout_seconds=0.7, security_protocol="SASL_SSL", ssl_cafile=nonsense
    )
    with pytest.raises(MarketDataError, match="KAFKA_SSL_CAFILE") as failure:
        cluster(wrong)
    assert WRONG not in str(failure.value)


def test_a_wrong_login_is_told_within_the_limit_of_a_look(guarded):
    own = settings(guarded, sasl_password=WRONG)
    (found,) = run_probes([kafka_probe(own)], timeout=TIMEOUT_SECONDS)
    assert "KAFKA_SASL_PASSWORD" in found.detail
    assert WRONG not in str(found)
