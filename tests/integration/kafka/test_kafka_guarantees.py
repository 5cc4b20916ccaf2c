"""What the library's producer made of what was asked for: every replica's word, nothing twice."""

from __future__ import annotations

from adapters.kafka.clients import producer
from adapters.kafka.settings import KafkaSettings


def test_the_librarys_producer_is_the_one_that_was_asked_for(settings: KafkaSettings):
    with producer(settings) as opened:
        assert opened.config["acks"] == -1
        assert opened.config["enable_idempotence"] is True
        # As often as the time-out allows.
        assert opened.config["retries"] > 1_000
        opened.send(settings.replay_topic, b"x").get(timeout=10)
        # The number under which the broker leaves out what it was sent before.
        assert opened._transaction_manager.producer_id_and_epoch.producer_id >= 0
