"""Launches backfills of what an outage of a vendor left behind, once the vendor answers again.

A backfill asks for the very sessions of each symbol that still lack an answer, as 'emp outages'
counts them, in stretches of neighbouring sessions. Outages that were over before the first tick are
left alone, and so is what is too large to be launched without a pilot.
"""

import json
from datetime import datetime

import dagster as dg

from market_data.backfill.policy import BackfillPolicy
from market_data.pipeline.outage_backfills import plans_after_outages
from resources.platform import PlatformResource
from sensors.cursors import remembered

NAME = "fill_after_outages"
EVERY_SECONDS = 120


def outage_sensor(policy: BackfillPolicy, *, on: bool) -> dg.SensorDefinition:
    """The sensor.

    Args:
        policy: how backfills are cut and guarded.
        on: whether it runs until somebody says otherwise in the UI.
    """
    running = dg.DefaultSensorStatus

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=running.RUNNING if on else running.STOPPED,
        description=__doc__,
    )
    def fill_after_outages(
        context: dg.SensorEvaluationContext, platform: PlatformResource
    ) -> dg.SensorResult:
        opened, kept = platform.open(), platform.operations.open().backfills
        now = opened.clock.now()
        seen, since = _remembered(context.cursor, now)
        vendors = [vendor.name for vendor in opened.universe.vendors]
        _, number = opened.journal.news(seen, vendors)
        cursor = json.dumps({"version": 1, "number": number, "since": since.isoformat()})
        if context.cursor and number == seen:
            return dg.SensorResult(skip_reason="nobody was asked since", cursor=cursor)
        plans = plans_after_outages(opened, policy, kept.since, since, context.log.warning)
        for plan in plans:
            added = kept.add(plan, at=now, author=NAME)
            context.log.info("backfill %s of %s", added, plan.request.dataset)
        told = f"launched {len(plans)} backfills" if plans else "no outage has left anything"
        return dg.SensorResult(skip_reason=told, cursor=cursor)

    return fill_after_outages


def _remembered(cursor: str | None, now: datetime) -> tuple[int, datetime]:
    """The newest attempt that was looked at, and since when outages count.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = remembered(cursor, 1)
    if not kept:
        return 0, now
    return int(kept["number"]), datetime.fromisoformat(kept["since"])
