"""What the Kafka commands stand on: settings, stored rows, waiting events.

What belongs here: opening each part only when a command needs it.
What does not: the commands (emp/commands/kafka.py), Kafka itself (adapters/kafka).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.clock import SystemClock
from adapters.modes import decide
from adapters.variables import read

if TYPE_CHECKING:
    from adapters.kafka.relay import Relay
    from adapters.kafka.settings import KafkaSettings
    from adapters.operations import SqlOutbox
    from adapters.operations.messages import SqlRefreshMessages
    from adapters.settings import Settings
    from market_data.ports import BarStore


@dataclass(frozen=True)
class Streaming:
    """The parts, opened on demand."""

    settings: Settings

    @property
    def kafka(self) -> KafkaSettings:
        """The KAFKA_* variables.

        Raises:
            ConfigurationError: naming every variable that is wrong.
        """
        from adapters.kafka.settings import KafkaSettings

        return read(KafkaSettings)

    def store(self) -> BarStore:
        """Where stored rows lie."""
        from adapters.backend import open_platform

        return open_platform(self.settings).store

    def outbox(self) -> SqlOutbox:
        """Where events wait."""
        from adapters.operations import SqlOutbox, open_database

        return SqlOutbox(open_database(decide(self.settings).operations_url))

    def messages(self) -> SqlRefreshMessages:
        """How far messages were taken, and which were parked."""
        from adapters.operations import open_database
        from adapters.operations.messages import SqlRefreshMessages

        return SqlRefreshMessages(open_database(decide(self.settings).operations_url))

    def relay(self) -> Relay:
        """What sends them."""
        from adapters.kafka.factory import open_relay

        return open_relay(self.kafka, self.outbox(), SystemClock())
