"""`emp kafka` without a broker: what it refuses, and in which words."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from adapters.kafka.factory import open_target
from adapters.kafka.settings import KafkaSettings
from adapters.variables import variables_of
from emp.commands.kafka import app
from market_data.errors import ConfigurationError, StreamError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for variable in variables_of(KafkaSettings):
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))


def run(*words: str) -> None:
    CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.mark.parametrize(
    "words",
    [
        ("topics",),
        ("lag",),
        ("move", "earliest"),
        ("relay",),
        [
            "replay",
            "curated/bars_1d",
            "--symbols",
            "A",
            "--start",
            "2024-01-02",
            "--end",
            "2024-01-03",
        ],
    ],
)
def test_without_brokers_every_command_names_the_variable(words):
    with pytest.raises(ConfigurationError, match="KAFKA_BOOTSTRAP_SERVERS"):
        run(*words)


REPLAY = "replay curated/bars_1d --symbols A --start 2024-01-02 --end 2024-01-03"


@pytest.mark.parametrize("words", ["relay", REPLAY])
def test_with_streaming_off_nothing_is_sent(monkeypatch, words):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("KAFKA_INGEST_ENABLE_STREAMING", "false")
    with pytest.raises(ConfigurationError, match="KAFKA_INGEST_ENABLE_STREAMING"):
        run(*words.split())


def test_no_replay_has_a_target_with_streaming_off():
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), ingest_enable_streaming=False)
    with pytest.raises(ConfigurationError, match="nothing is sent"), open_target(settings):
        pass


def test_a_broker_that_is_away_is_told(monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "0.3")
    with pytest.raises(StreamError, match=r"no broker listens at 127\.0\.0\.1:1"):
        run("topics", "--dry-run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("move yesterday", "TIME='yesterday' is no date"),
        ("replay curated/bars_2d --symbols A --start 2024-01-02 --end 2024-01-03", "no dataset"),
        ("replay curated/bars_1d --symbols A --start 2024-01-02 --end 2024-01-01", "--end"),
        ("replay curated/bars_1d --symbols , --start 2024-01-02 --end 2024-01-03", "--symbols"),
        ("replay curated/bars_1d --symbols A --start soon --end 2024-01-03", "--start='soon'"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_opened(words, said):
    with pytest.raises(ConfigurationError, match=said):
        run(*words.split())
