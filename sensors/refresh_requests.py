"""Takes messages of the refresh topic and launches backfills of what they name.

Many messages become few backfills, which the sensor drive_backfills runs. What is launched, what is
parked, and how far the topic was read is kept in one step of the operations database, and the
offsets are committed after it: a daemon that dies, or a second one, loses and doubles nothing. A
message that says nothing that can be done is parked ('emp messages parked'). The connection is kept
from tick to tick; a tick that finds nothing opens nothing else.
"""

from time import monotonic

import dagster as dg

from adapters.automation import load_automation
from resources.platform import PlatformResource
from resources.servers import KafkaResource

NAME = "refresh_requests"
EVERY_SECONDS = 10
SECONDS = 30.0
"""No batch is begun after this long; Dagster gives a tick a minute."""
OVER_BY = 50.0
"""Nor one that would not be over by then, if it took as long as the longest before it."""


def refresh_sensor(*, on: bool) -> dg.SensorDefinition:
    """The sensor.

    Args:
        on: whether it runs until somebody says otherwise in the UI.
    """
    running = dg.DefaultSensorStatus

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=running.RUNNING if on else running.STOPPED,
        description=__doc__,
    )
    def refresh_requests(
        context: dg.SensorEvaluationContext, platform: PlatformResource, kafka: KafkaResource
    ) -> dg.SkipReason:
        return dg.SkipReason(_tick(context, platform, kafka))

    return refresh_requests


def _tick(
    context: dg.SensorEvaluationContext, platform: PlatformResource, kafka: KafkaResource
) -> str:
    from adapters.kafka.refresh import kept_reader
    from adapters.operations.messages import Parked, Taken
    from market_data.pipeline.refreshing import answer

    settings = kafka.settings()
    topic, began, messages, launched, parked = settings.refresh_topic, monotonic(), 0, 0, 0

    def places(log: str) -> dict[int, int]:
        return platform.operations.open().messages.places(log)

    complete, longest = 0, 0.0
    with kept_reader(settings, places) as reader:
        if reader is None:
            return "the tick before is still at it"
        policy = load_automation(platform.settings())
        rules = policy.messages
        while (spent := monotonic() - began) < SECONDS and spent + longest <= OVER_BY:
            batch = reader.look(rules.batch)
            if batch is None:
                return f"there is no topic {topic}: 'emp kafka topics' makes it"
            if not batch.messages:
                break
            opened, operations = platform.open(), platform.operations.open()
            bodies = [message.body for message in batch.messages]
            live = operations.backfills.live()
            pilots_from = opened.clock.now() - policy.backfill.pilot_valid
            over = operations.backfills.since(pilots_from)
            found = answer(opened, bodies, rules, policy.backfill, live, over)
            poison = [
                Parked(m.partition, m.place, (m.body or b"").decode(errors="replace"), reason)
                for m, reason in ((batch.messages[n], why) for n, why in found.poison.items())
            ]
            made = found.plans, poison, batch.log, found.complete
            taken = Taken(topic, batch.was, batch.becomes, *made)
            added = operations.messages.take(taken, at=opened.clock.now(), author=NAME)
            if added is None:
                reader.lost()
                return "another daemon took these messages"
            for name, plan in zip(added, found.plans, strict=True):
                context.log.info("backfill %s of %s", name, plan.request.dataset)
            reader.recorded(batch)
            messages += len(bodies)
            launched += len(added)
            parked += len(poison)
            complete += len(found.complete)
            longest = max(longest, monotonic() - began - spent)
    if not messages:
        return "no message"
    nothing = f", nothing to do for {complete}" if complete else ""
    return f"{messages} messages: launched {launched} backfills, parked {parked}{nothing}"
