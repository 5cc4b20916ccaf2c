"""KAFKA_* variables: what they mean together, and that none of them ever shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.kafka.settings import KafkaSettings, TopicSpec
from adapters.variables import read, variables_of
from market_data.errors import ConfigurationError
from market_data.ports.event_results import Dimension

SECRET = "s3cret-word"


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> KafkaSettings:
    for name, value in variables.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    return read(KafkaSettings)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables_of(KafkaSettings):
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)


def test_without_any_variable_there_is_no_kafka():
    found = read(KafkaSettings)
    assert (found.configured, found.streaming) == (False, False)
    with pytest.raises(ConfigurationError, match="KAFKA_BOOTSTRAP_SERVERS"):
        found.client_options()


def test_topics_by_default(monkeypatch):
    assert settings(monkeypatch).topics() == {
        Dimension.DAILY_BARS: "telemetry.ingest",
        Dimension.INTRADAY_BARS: "telemetry.ingest",
        Dimension.HEALTH: "telemetry.ingest.health",
        Dimension.METRICS: "telemetry.ingest.metrics",
        Dimension.QUALITY: "telemetry.ingest.quality",
        Dimension.OBSERVABILITY: "telemetry.ingest.observability",
        Dimension.TRENDS: "telemetry.ingest.trends",
        Dimension.SLOS: "telemetry.operational.slos",
        Dimension.CHECKLIST: "telemetry.operational.checklist",
        Dimension.RETENTION: "telemetry.data_backbone.retention",
    }


def test_a_topic_of_its_own_goes_before_the_map_and_the_map_before_the_default(monkeypatch):
    found = settings(
        monkeypatch,
        INGEST_DEFAULT_TOPIC="ours",
        INGEST_TOPICS=" daily_bars:days , health : pulse, slos:goals,",
        INGEST_TOPIC_DAILY_BARS="daily",
    )
    assert found.topics() == {
        Dimension.DAILY_BARS: "daily",
        Dimension.INTRADAY_BARS: "ours",
        Dimension.HEALTH: "pulse",
        Dimension.METRICS: "ours.metrics",
        Dimension.QUALITY: "ours.quality",
        Dimension.OBSERVABILITY: "ours.observability",
        Dimension.TRENDS: "ours.trends",
        Dimension.SLOS: "goals",
        Dimension.CHECKLIST: "ours.operational.checklist",
        Dimension.RETENTION: "ours.data_backbone.retention",
    }


def test_topics_that_are_made_get_partitions_copies_and_settings(monkeypatch):
    found = settings(
        monkeypatch,
        INGEST_DEFAULT_TOPIC_PARTITIONS="6",
        INGEST_DEFAULT_TOPIC_REPLICATION_FACTOR="2",
        INGEST_DEFAULT_TOPIC_CONFIG="cleanup.policy=compact,delete, retention.ms=1000",
        REPLAY_TOPIC="rows",
    )
    config = {"cleanup.policy": "compact,delete", "retention.ms": "1000"}
    assert TopicSpec("rows", 6, 2, config) in found.topic_specs()
    assert [s.name for s in found.topic_specs()] == sorted({*found.topics().values(), "rows"})


@pytest.mark.parametrize("name", ["INGEST_AUTO_CREATE_TOPICS", "AUTO_CREATE_TOPICS"])
@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_both_names_make_topics(monkeypatch, name, word):
    assert settings(monkeypatch, **{name: word}).ingest_auto_create_topics


def test_the_ingest_name_goes_first(monkeypatch):
    found = settings(monkeypatch, INGEST_AUTO_CREATE_TOPICS="no", AUTO_CREATE_TOPICS="yes")
    assert not found.ingest_auto_create_topics


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_streaming_can_be_switched_off(monkeypatch, word):
    found = settings(monkeypatch, BOOTSTRAP_SERVERS="a:9092", INGEST_ENABLE_STREAMING=word)
    assert (found.configured, found.streaming) == (True, False)


def test_empty_variables_are_as_if_unset(monkeypatch):
    found = settings(monkeypatch, BOOTSTRAP_SERVERS="", SASL_MECHANISM="", INGEST_TOPICS="")
    assert found == read(KafkaSettings)
    assert not found.configured


def test_a_login_over_tls(monkeypatch, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    found = settings(
        monkeypatch,
        BOOTSTRAP_SERVERS="a:9092, b.example:9093,[::1]:9094",
        SECURITY_PROTOCOL="sasl_ssl",
        SASL_MECHANISM="scram-sha-512",
        SASL_USERNAME="emp",
        SASL_PASSWORD=SECRET,
        SSL_CAFILE=str(authority),
    )
    options = found.client_options()
    assert options["bootstrap_servers"] == ["a:9092", "b.example:9093", "[::1]:9094"]
    assert (options["security_protocol"], options["sasl_mechanism"]) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
    )
    assert options["sasl_plain_password"] == SECRET
    assert options["ssl_cafile"] == str(authority)
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_PASSWORD": SECRET},
            ["KAFKA_SASL_MECHANISM is missing", "KAFKA_SASL_USERNAME is missing"],
        ),
        ({"SASL_USERNAME": "emp", "SASL_PASSWORD": SECRET}, ["would not be used", "SASL_SSL"]),
        ({"BOOTSTRAP_SERVERS": f"emp:{SECRET}@a:9092"}, ["host:port", "without a login"]),
        ({"BOOTSTRAP_SERVERS": "localhost"}, ["host:port"]),
        ({"INGEST_TOPICS": "weekly:x"}, ["'weekly:x'", "daily_bars"]),
        ({"INGEST_TOPICS": "health"}, ["'health'"]),
        ({"INGEST_DEFAULT_TOPIC": "no spaces"}, ["'no spaces' cannot name a topic"]),
        ({"INGEST_DEFAULT_TOPIC_CONFIG": "compact"}, ["name=value"]),
        ({"SSL_CAFILE": "/no/such/file", "SECURITY_PROTOCOL": "SSL"}, ["KAFKA_SSL_CAFILE"]),
        ({"SECURITY_PROTOCOL": "TLS"}, ["KAFKA_SECURITY_PROTOCOL"]),
        ({"SASL_MECHANISM": "GSSAPI"}, ["KAFKA_SASL_MECHANISM"]),
        ({"READINESS_LAG_WARN": "20000"}, ["KAFKA_READINESS_LAG_WARN"]),
        ({"READINESS_STALE_FAIL_SECONDS": "5"}, ["KAFKA_READINESS_STALE_WARN_SECONDS"]),
        ({"TIMEOUT_SECONDS": "soon"}, ["KAFKA_TIMEOUT_SECONDS"]),
    ],
)
def test_what_is_wrong_is_named_with_its_cure_and_without_a_secret(monkeypatch, variables, said):
    with pytest.raises(ConfigurationError) as failure:
        settings(monkeypatch, **variables)
    for words in said:
        assert words in str(failure.value)
    assert SECRET not in str(failure.value)
    assert failure.value.__cause__ is None


def test_every_fault_is_named_at_once(monkeypatch):
    with pytest.raises(ConfigurationError) as failure:
        settings(
            monkeypatch, BOOTSTRAP_SERVERS="x", SECURITY_PROTOCOL="SASL_SSL", INGEST_TOPICS="a:b"
        )
    for name in ("BOOTSTRAP_SERVERS", "SASL_MECHANISM", "SASL_PASSWORD", "INGEST_TOPICS"):
        assert f"KAFKA_{name}" in str(failure.value)


def test_a_certificate_without_its_key(monkeypatch, tmp_path: Path):
    certificate = tmp_path / "client.pem"
    certificate.write_text("")
    with pytest.raises(ConfigurationError, match="KAFKA_SSL_KEYFILE belong together"):
        settings(monkeypatch, SECURITY_PROTOCOL="SSL", SSL_CERTFILE=str(certificate))


def test_every_variable_says_what_it_means():
    found = {v.names[0]: v for v in variables_of(KafkaSettings)}
    assert all(v.meaning for v in found.values())
    assert [name for name, v in found.items() if v.secret] == ["KAFKA_SASL_PASSWORD"]
    assert found["KAFKA_INGEST_AUTO_CREATE_TOPICS"].names[1:] == ("KAFKA_AUTO_CREATE_TOPICS",)
