"""Sends the events that wait in the outbox to Kafka, as long as the daemon runs.

A tick launches nothing: it sends what waits and says how much. Of several senders one at a time
works; `emp kafka relay --follow` is another, for whoever wants events within seconds.
"""

import dagster as dg

from resources.platform import PlatformResource
from resources.servers import KafkaResource

EVERY_SECONDS = 30


@dg.sensor(
    name="relay_kafka_events",
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=__doc__,
)
def relay_kafka_events(kafka: KafkaResource, platform: PlatformResource) -> dg.SkipReason:
    """Send what waits."""
    from adapters.clock import SystemClock
    from adapters.kafka.factory import open_relay

    outbox = platform.operations.open().outbox
    relayed = open_relay(kafka.settings(), outbox, SystemClock()).drain()
    if relayed.busy:
        return dg.SkipReason("another sender is at work")
    return dg.SkipReason(f"{relayed.sent} events sent" if relayed.sent else "nothing waits")
