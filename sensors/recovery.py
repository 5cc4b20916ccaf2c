"""Asks again for symbols whose bars are stale, alone and further back, before anything else.

A symbol whose newest bar is older than its calendar, its vendor's delay and the limit of staleness
allow becomes a backfill of its own, or with others that lack the same; `recovery` in
config/automation.yaml says how far back and how often. What is mended, and what is left to a
person, is in the report ingest_recovery. Between two sessions that are due a tick opens nothing.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from adapters.automation import load_automation
from market_data.pipeline.recovery import next_due, recover
from resources.platform import PlatformResource
from sensors.cursors import remembered

NAME = "recover_stale_symbols"
EVERY_SECONDS = 300
EARLIER = 200
"""How many of its newest backfills are looked through."""


def recovery_sensor(*, on: bool) -> dg.SensorDefinition:
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
    def recover_stale_symbols(
        context: dg.SensorEvaluationContext, platform: PlatformResource
    ) -> dg.SensorResult:
        look_at, before = _remembered(context.cursor)
        if look_at is not None and datetime.now(UTC) < look_at:
            told = f"nothing is due before {look_at:%Y-%m-%d %H:%M} UTC"
            return dg.SensorResult(skip_reason=told, cursor=context.cursor)
        opened, operations = platform.open(), platform.operations.open()
        policy, kept = load_automation(platform.settings()), operations.backfills
        known = kept.newest(EARLIER, author=NAME)
        found = recover(opened, policy.recovery, policy.backfill, known, kept.live())
        for key, plan in found.plans.items():
            added = kept.add(plan, at=found.at, author=NAME, key=key)
            symbols = ", ".join(plan.request.symbols)
            context.log.info("backfill %s of %s: %s", added, plan.request.dataset, symbols)
        if found.stale or before:
            operations.reports.keep(found.report(before))
        coming = None if found.pending() else next_due(opened)
        told = f"{len(found.stale)} symbols are stale, launched {len(found.plans)} backfills"
        return dg.SensorResult(
            skip_reason=told if found.stale else "no symbol is stale",
            cursor=_written(coming, [one.name for one in found.stale]),
        )

    return recover_stale_symbols


def _written(look_at: datetime | None, stale: Sequence[str]) -> str:
    at = look_at.isoformat() if look_at else None
    return json.dumps({"version": 1, "look_at": at, "stale": list(stale)})


def _remembered(cursor: str | None) -> tuple[datetime | None, list[str]]:
    """When to look next, and what was stale.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = remembered(cursor, 1)
    if not kept:
        return None, []
    at = datetime.fromisoformat(kept["look_at"]) if kept["look_at"] else None
    return at, kept["stale"]
