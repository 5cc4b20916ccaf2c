"""Looks whether TimescaleDB answers, decides by config/failover.yaml, and makes what it missed.

While it is away, schedules fetch into the lake alone, and what they leave out is noted. Once it
answers again, each noted slice becomes one ranged run of curation, checks and scores, and is
compared with the lake: it is open until every bar and every score is the same. Features follow the
bars that they are made of, by runs of their own. Macro events and reference tables are small, and
made at once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import dagster as dg

from adapters.automation import load_automation
from adapters.failover import load_failover
from jobs.automation.limits import run_limits
from jobs.failover import going, replay_request, settle
from jobs.rebuild import NAME as REBUILD
from market_data.errors import MarketDataError, StoreUnavailableError
from market_data.failover.decide import decide, seen
from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import (
    REPORT,
    Decision,
    Look,
    MissedSlice,
    Missing,
    Standing,
    Streak,
)
from market_data.pipeline.missed import made_at_once, replay
from market_data.pipeline.missed_features import waits
from market_data.ports import Report
from resources.platform import PlatformResource
from resources.servers import TimescaleResource
from sensors.cursors import remembered

if TYPE_CHECKING:
    from adapters.timescale.settings import TimescaleSettings
    from adapters.timescale.watch import StoreWatch

EVERY_SECONDS = 30
SECONDS_PER_TICK = 20.0
"""After this long no further slice is compared. Dagster gives a tick a minute."""
STUCK_EVERY = timedelta(minutes=15)
"""Slices that have no attempts left are compared again so often: a person may have mended them."""
_GRADES = {Standing.NORMAL: "ok", Standing.BACK: "warn", Standing.AWAY: "fail"}
_WATCHES: "dict[TimescaleSettings, StoreWatch]" = {}


@dg.sensor(
    name="watch_the_store",
    job_name=REBUILD,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=__doc__,
)
def watch_the_store(
    context: dg.SensorEvaluationContext, platform: PlatformResource, timescale: TimescaleResource
) -> dg.SensorResult:
    """Look, decide, and ask for the runs of what was missed."""
    from adapters.clock import SystemClock

    now = SystemClock().now()
    return tick(context, platform, _watch(timescale).look(now))


def tick(
    context: dg.SensorEvaluationContext, platform: PlatformResource, look: Look
) -> dg.SensorResult:
    """What follows from a look.

    Args:
        context: of the sensor.
        platform: the installation.
        look: what was found now.
    """
    policy = load_failover(platform.settings())
    kept = platform.operations.open()
    memory = _Memory.read(context.cursor)
    memory.streak = seen(memory.streak, look, policy)
    decided, waiting = kept.failover.decisions(1), kept.failover.open()
    newest = decided[0] if decided else None
    standing = newest.became if newest else Standing.NORMAL
    found = decide(standing, memory.streak, _missing(waiting, policy), policy)
    if found is not None:
        number = kept.failover.take(found, after=newest.number if newest else 0)
        if number:
            _announce(context, kept.reports.keep, replace(found, number=number))
            if found.became is Standing.BACK:
                # What failed while the server came and went says nothing of the slice.
                kept.failover.again([missed.number for missed in waiting])
                waiting = kept.failover.open()
        standing = kept.failover.standing()
    requests: list[dg.RunRequest] = []
    if waiting and look.reachable and standing is not Standing.AWAY:
        requests = _replays(context, platform, policy, waiting, memory, look.at)
    told = f"{standing}; {len(waiting)} missed slices" if waiting else f"{standing}"
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=memory.written())
    return dg.SensorResult(skip_reason=told, cursor=memory.written())


def _watch(timescale: TimescaleResource) -> "StoreWatch":
    """The watch of a server, kept by the process: a tick opens no connection of its own."""
    from adapters.timescale.watch import StoreWatch

    settings = timescale.settings()
    if settings not in _WATCHES:
        _WATCHES[settings] = StoreWatch(settings)
    return _WATCHES[settings]


@dataclass
class _Memory:
    """What the sensor remembers.

    Attributes:
        streak: the newest looks.
        stuck_at: when slices without attempts were compared last; None where never.
        working: numbers of slices whose runs were asked for or under way: once such a run is over,
            its slice is compared, were it the last attempt.
    """

    streak: Streak | None = None
    stuck_at: datetime | None = None
    working: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, cursor: str | None) -> "_Memory":
        """From the cursor; what it does not hold comes anew with the next looks.

        Raises:
            ValueError: a newer program has written the cursor.
        """
        kept = remembered(cursor, 1)
        streak, stuck = kept.get("streak"), kept.get("stuck_at")
        return cls(
            Streak.from_json(streak) if streak else None,
            datetime.fromisoformat(stuck) if stuck else None,
            set(kept.get("working", ())),
        )

    def written(self) -> str:
        """As a cursor."""
        streak = self.streak.to_json() if self.streak else None
        stuck = self.stuck_at.isoformat() if self.stuck_at else None
        kept = {"streak": streak, "stuck_at": stuck, "working": sorted(self.working)}
        return json.dumps({"version": 1, **kept})


def _missing(waiting: list[MissedSlice], policy: FailoverPolicy) -> Missing:
    required = sum(policy.is_required(missed.dataset) for missed in waiting)
    return Missing(required, len(waiting) - required)


def _announce(
    context: dg.SensorEvaluationContext, keep: Callable[[Report], Any], decision: Decision
) -> None:
    context.log.warning("%s -> %s: %s", decision.was, decision.became, decision.reason)
    keep(Report(REPORT, decision.at, _GRADES[decision.became], decision.to_json()))


def _replays(
    context: dg.SensorEvaluationContext,
    platform: PlatformResource,
    policy: FailoverPolicy,
    waiting: list[MissedSlice],
    memory: _Memory,
    now: datetime,
) -> list[dg.RunRequest]:
    """Close what is whole, and ask for the runs of what is not; required datasets first."""
    opened, failover = platform.open(), platform.operations.open().failover
    checks = context.repository_def.asset_graph.asset_check_keys if context.repository_def else ()
    at_work = going(context.instance)
    with_stuck = memory.stuck_at is None or now - memory.stuck_at >= STUCK_EVERY
    if with_stuck:
        memory.stuck_at = now
    requests: list[dg.RunRequest] = []
    began = monotonic()
    for missed in sorted(waiting, key=lambda m: (not policy.is_required(m.dataset), m.number)):
        stuck = missed.attempts >= policy.replay.attempts
        if missed.number in at_work or waits(missed, waiting):
            continue
        if stuck and not with_stuck and missed.number not in memory.working:
            continue
        if monotonic() - began > SECONDS_PER_TICK:
            break
        memory.working.discard(missed.number)
        tell = context.log.info
        try:
            if made_at_once(missed.dataset):
                _make_small(context, platform, missed, policy)
                continue
            whole = settle(opened, failover, missed, policy, tell, tables=platform.reference)
        except StoreUnavailableError as error:
            context.log.warning("the server went away again: %s", error)
            break
        room = len(at_work) + len(requests) < policy.replay.at_once
        if not whole and not stuck and room and failover.attempt(missed):
            limits = run_limits(load_automation(platform.settings()), again=0)
            requests.append(replay_request(checks, missed, limits))
            memory.working.add(missed.number)
    memory.working |= at_work
    return requests


def _make_small(
    context: dg.SensorEvaluationContext,
    platform: PlatformResource,
    missed: MissedSlice,
    policy: FailoverPolicy,
) -> None:
    """Close a slice that is made without a run, or make it: the next tick compares it.

    One that cannot be made holds up no other; it alerts once it has no attempts left.
    """
    opened, failover = platform.open(), platform.operations.open().failover
    tables, tell = platform.reference, context.log.info
    try:
        whole = settle(opened, failover, missed, policy, tell, tables=tables)
        if not whole and missed.attempts < policy.replay.attempts:
            failover.attempt(missed)
            replay(opened, missed, tables=tables)
    except StoreUnavailableError:
        raise
    except MarketDataError as error:
        context.log.warning("missed slice %d cannot be made: %s", missed.number, error)
