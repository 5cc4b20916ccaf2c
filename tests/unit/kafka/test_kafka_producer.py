"""What is asked of the broker with every message: its word on it, from every replica, once.

Against a real broker: tests/integration/kafka/test_kafka_guarantees.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.kafka import clients
from adapters.kafka.settings import KafkaSettings


def test_a_message_counts_when_every_replica_has_it_once(monkeypatch: pytest.MonkeyPatch):
    built: dict[str, Any] = {}

    class Recording:
        def __init__(self, **options: Any) -> None:
            built.update(options)

        def close(self, timeout: float) -> None:
            built["closed"] = timeout

    monkeypatch.setattr(clients, "_producer_class", lambda: Recording)
    settings = KafkaSettings(bootstrap_servers=("nowhere:1",), timeout_seconds=7)
    with clients.producer(settings, batch_bytes=1_000):
        assert built["acks"] == "all"
        assert built["enable_idempotence"] is True
        # The library's own number of retries: the time-out ends them.
        assert "retries" not in built
        assert built["delivery_timeout_ms"] >= built["request_timeout_ms"] == 7_000
        assert built["max_block_ms"] == 7_000
        assert built["batch_size"] == 1_000
    assert built["closed"] == 0
