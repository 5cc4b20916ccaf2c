"""From the parts of a slice to requests of runs, tagged for whoever reads them afterwards.

What belongs here: tags, keys and jitter of scheduled runs. What does not: which parts there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import dagster as dg

from emp_assets.pacing import START_TAG
from emp_assets.retrying import RETRY_TAG, retry_waits
from jobs.automation.limits import run_limits
from jobs.failover import reduced
from jobs.ranged_run import bars_selection, checks_of, range_tags
from market_data.automation.policy import AutomationPolicy
from market_data.failover.state import Standing
from market_data.pipeline.market_slice import SlicePart

SCHEDULE_TAG = "emp/schedule"
"""Name of the schedule that asked for a run."""
PART_TAG = "emp/part"
"""Which of the runs of one tick: the timeframes that it makes."""
TICK_TAG = "emp/tick"
"""When the tick was due, ISO 8601, UTC."""


def slice_requests(
    checks: Iterable[dg.AssetCheckKey],
    policy: AutomationPolicy,
    name: str,
    at: datetime,
    parts: Sequence[SlicePart],
    standing: Standing = Standing.NORMAL,
    *,
    again: int = 1,
) -> list[dg.RunRequest]:
    """One ranged run per part.

    Args:
        checks: the checks of the graph.
        policy: pauses, jitter, limits.
        name: of the schedule.
        at: when its tick was due, UTC; the same tick asks for the same runs.
        parts: what is fetched.
        standing: of the warehouse; while it is away the runs fetch and do no more.
        again: see `run_limits`.
    """
    known, common = tuple(checks), tick_tags(policy, name, at, again=again)
    return [_request(known, common, part, standing) for part in parts]


def tick_tags(policy: AutomationPolicy, name: str, at: datetime, *, again: int) -> dict[str, str]:
    """The tags of every run that a schedule asks vendors with.

    Args:
        policy: pauses, jitter, limits.
        name: of the schedule.
        at: when its tick was due, UTC.
        again: see `run_limits`.
    """
    return {
        SCHEDULE_TAG: name,
        TICK_TAG: at.isoformat(),
        START_TAG: (at + jitter(name, at, policy.jitter)).isoformat(),
        RETRY_TAG: retry_waits(policy.retries),
        **run_limits(policy, again=again),
    }


def jitter(name: str, at: datetime, longest: timedelta) -> timedelta:
    """A pause that is the same for the same tick on every machine, and differs between ticks."""
    seconds = int(longest.total_seconds())
    return timedelta(seconds=crc32(f"{name} {at.isoformat()}".encode()) % (seconds + 1))


def _request(
    checks: Iterable[dg.AssetCheckKey],
    common: dict[str, str],
    part: SlicePart,
    standing: Standing,
) -> dg.RunRequest:
    sessions = (part.first, part.last)
    whole = bars_selection(
        part.timeframe,
        part.feeds,
        sessions,
        symbols=part.symbols,
        also=part.also,
        features=part.features,
    )
    chosen = reduced(whole, standing)
    # Two parts of one timeframe differ in what they are made for.
    made = ",".join(str(t) for t in (part.timeframe, *part.also))
    tags = {**common, PART_TAG: made}
    placed: dict[str, Any] = (
        {"partition_key": part.first.isoformat(), "tags": tags}
        if part.first == part.last
        else {"tags": {**tags, **range_tags(sessions)}}
    )
    return dg.RunRequest(
        run_key=f"{common[SCHEDULE_TAG]} {common[TICK_TAG]} {made}",
        run_config={"ops": dict(chosen.ops)},
        asset_selection=sorted(chosen.keys),
        asset_check_keys=sorted(checks_of(checks, chosen)),
        **placed,
    )
