"""A process that keeps its reader of refresh messages ends, and so do its children."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision

ROOT = Path(__file__).resolve().parents[3]
ENDS_WITHIN = 20.0

KEEPS = """
import os, sys
from adapters.kafka.refresh import kept_reader
from adapters.kafka.settings import KafkaSettings

settings = KafkaSettings()
with kept_reader(settings, lambda topic: {}) as reader:
    assert reader is not None and reader.look(10) is not None
"""
FORKS = """
sys.stdout.flush()
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
with kept_reader(settings, lambda topic: {}) as own:
    assert own is not reader and own.look(10) is not None
"""


@pytest.mark.parametrize("script", [KEEPS, KEEPS + FORKS], ids=["alone", "with_a_forked_child"])
def test_a_process_that_keeps_its_reader_ends(
    kafka_bootstrap: str,
    kafka_prefix: str,
    script: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = f"{kafka_prefix}{len(script)}"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("KAFKA_REFRESH_TOPIC", topic)
    monkeypatch.setenv("KAFKA_REFRESH_GROUP", f"{topic}-group")
    kafka = KafkaSettings()
    provision(kafka, [s for s in kafka.topic_specs(topic) if s.name == topic])
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=ROOT,
        timeout=ENDS_WITHIN,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
