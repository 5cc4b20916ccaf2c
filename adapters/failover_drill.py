"""A rehearsal of failover, beside the warehouse: nothing of the installation is changed.

What belongs here: a store and an operations database in a scratch folder, a store that stays away
for a while, and the steps of an outage. What does not: its rules (market_data/failover), its forms
(market_data/failover/drill.py).

The newest sessions that were really fetched are curated from the installation's own lake, by its
own policy, notes, comparison and replay. Only the server is not stopped: another store stands in
for it, so the seconds are those of making the slices, not of the server's start.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.failover import load_failover
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from adapters.stores.lazy import LazyBarStore
from adapters.stores.locks import NamedLocks
from adapters.stores.opening import open_warehouse
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.failover.decide import decide, seen
from market_data.failover.drill import Drill, Step
from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import Decision, Look, MissedSlice, Missing, Standing, Streak
from market_data.pipeline.from_lake import LakeStore
from market_data.pipeline.missed import Reconciled, reconcile, replay
from market_data.pipeline.platform import Platform, Unheard
from market_data.pipeline.read import read_bars
from market_data.ports import BarStore, IngestRun, Outcome
from market_data.ports.failover import Failover
from market_data.timeframes import Timeframe

_ATTEMPTS = 500
"""How many of the newest attempts are looked through for what was fetched."""
_SYMBOLS = 10
_EVERY = timedelta(seconds=30)
"""Between two looks, as the sensor takes them."""
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Of the looks that the policy is asked about; it counts spans alone."""


@dataclass
class _Outage:
    """Whether the store stays away."""

    on: bool = True


def drill(
    settings: Settings,
    platform: Platform,
    symbols: Sequence[str] = (),
    *,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Drill:
    """Rehearse an outage of the warehouse with what was fetched last.

    Args:
        settings: of the installation.
        platform: its stores and ports; its lake and ledger are read.
        symbols: whose bars; those of the policy, or that were fetched last, where empty.
        stopwatch: seconds, for the recovery.

    Raises:
        ConfigurationError: nothing was fetched yet, or a symbol is not configured.
    """
    policy = load_failover(settings)
    wanted = _newest(platform, symbols or policy.drill.symbols, policy.drill.sessions)
    outage = _Outage()
    with _scratch(platform, outage) as (there, failover):
        steps = [*_away(there, failover, policy, wanted)]
        outage.on = False
        began = stopwatch()
        found = _back(there, failover)
        seconds = stopwatch() - began
        steps += _afterwards(failover, policy, found)
    rows = sum(each.rows_store for _, each in found)
    told = [_told(missed) for missed, _ in found]
    away_after = policy.trigger.unreachable_for.total_seconds()
    now = platform.clock.now()
    return Drill(now, told, rows, away_after, seconds, steps, policy.drill)


@contextmanager
def _scratch(platform: Platform, outage: _Outage) -> Iterator[tuple[Platform, Failover]]:
    """The platform with a store, a quarantine and records of its own."""
    with tempfile.TemporaryDirectory(prefix="emp-failover-drill-") as name:
        folder = Path(name)

        def opened() -> BarStore:
            if outage.on:
                raise StoreUnavailableError("the drill keeps the store away")
            return open_warehouse(str(folder / "warehouse"))

        own = open_operations(f"sqlite:///{folder / 'operations.sqlite'}")
        there = replace(
            platform,
            store=LazyBarStore(opened),
            quarantine=own.quarantine,
            locks=NamedLocks(folder / "locks"),
            events=Unheard(),
        )
        yield there, own.failover


def _newest(platform: Platform, symbols: Sequence[str], sessions: int) -> list[MissedSlice]:
    """One slice per timeframe of what was fetched last."""
    for symbol in symbols:
        platform.universe.instrument(symbol)
    known = {i.symbol for i in platform.universe.instruments}
    runs = [run for run in platform.journal.runs(limit=_ATTEMPTS) if run.rows]
    found = [
        _slice(platform, timeframe, runs, [*symbols] or sorted(known), sessions)
        for timeframe in Timeframe
    ]
    slices = [missed for missed in found if missed is not None]
    if not slices:
        whose = f" of {', '.join(symbols)}" if symbols else ""
        raise ConfigurationError(
            f"a drill makes again what was fetched, and no bars{whose} were fetched lately: run "
            "'emp ingest' first"
        )
    return slices


def _slice(
    platform: Platform,
    timeframe: Timeframe,
    runs: Sequence[IngestRun],
    symbols: Sequence[str],
    sessions: int,
) -> MissedSlice | None:
    of_it = [run for run in runs if run.timeframe is timeframe and {*run.symbols} & {*symbols}]
    if not of_it:
        return None
    fetched = dict.fromkeys(s for run in of_it for s in run.symbols if s in {*symbols})
    chosen = tuple(sorted([*fetched][:_SYMBOLS]))
    span = min(run.sessions[0] for run in of_it), max(run.sessions[1] for run in of_it)
    answers = platform.ledger.read(timeframe=timeframe, symbols=chosen, sessions=span)
    days = answers.filter(outcome=str(Outcome.ROWS))["session"].unique().sort().tail(sessions)
    if days.is_empty():
        return None
    name, now = curated_bars(timeframe).name, platform.clock.now()
    return MissedSlice(name, timeframe, chosen, days.item(0), days.item(-1), "", now)


def _away(
    platform: Platform, failover: Failover, policy: FailoverPolicy, wanted: Sequence[MissedSlice]
) -> Iterator[Step]:
    """The outage: what cannot be written is noted, the policy decides, readers are served."""
    refused = 0
    for missed in wanted:
        try:
            replay(platform, missed)
        except StoreUnavailableError:
            refused += 1
            failover.note(missed)
            # Tried again, as a step with attempts left is.
            failover.note(missed)
    yield Step("every write is refused", f"{refused} of {len(wanted)}", refused == len(wanted))
    noted = len(failover.open())
    yield Step("each slice is noted once", f"{noted} notes", noted == len(wanted))
    decision = _decided(failover, policy, Standing.AWAY, reachable=False)
    yield Step(
        "the policy counts the warehouse as away",
        decision.reason if decision else "no decision",
        decision is not None,
    )
    lake = LakeStore(platform, "the drill keeps the store away").platform
    read = sum(
        read_bars(
            lake,
            m.symbols,
            timeframe=m.timeframe or Timeframe.D1,
            sessions=m.sessions,
            quality="all",
        ).height
        for m in wanted
    )
    yield Step("readers are served from the lake", f"{read} bars", read > 0)


def _back(platform: Platform, failover: Failover) -> list[tuple[MissedSlice, Reconciled]]:
    """Make every open slice, twice, as two daemons would, and compare it."""
    found = []
    for missed in failover.open():
        replay(platform, missed)
        replay(platform, missed)
        result = reconcile(platform, missed)
        if result.whole:
            digests = (result.digest_lake, result.digest_store)
            failover.settle(missed, platform.clock.now(), digests=digests, rows=result.rows_store)
        found.append((missed, result))
    return found


def _afterwards(
    failover: Failover,
    policy: FailoverPolicy,
    found: Sequence[tuple[MissedSlice, Reconciled]],
) -> Iterator[Step]:
    lake = sum(result.rows_lake for _, result in found)
    store = sum(result.rows_store for _, result in found)
    whole = sum(result.whole for _, result in found)
    yield Step(
        "none is lost, none is doubled",
        f"{lake} bars in the lake, {store} in the store",
        lake == store,
    )
    yield Step("digests and scores agree", f"{whole} of {len(found)} slices", whole == len(found))
    back = _decided(failover, policy, Standing.BACK, reachable=True)
    normal = _decided(failover, policy, Standing.NORMAL, reachable=True)
    told = normal.reason if normal else "no decision"
    yield Step("the policy ends the failover", told, back is not None and normal is not None)


def _decided(
    failover: Failover, policy: FailoverPolicy, wanted: Standing, *, reachable: bool
) -> Decision | None:
    """Looks, one every half minute, until the policy decides what is wanted; an hour at most."""
    streak: Streak | None = None
    newest = failover.decisions(1)
    standing = newest[0].became if newest else Standing.NORMAL
    missing = Missing(sum(policy.is_required(m.dataset) for m in failover.open()))
    longest = max(policy.trigger.unreachable_for, policy.back_for) + timedelta(hours=1)
    at = newest[0].at if newest else _BEGINNING
    for _ in range(int(longest / _EVERY)):
        at += _EVERY
        streak = seen(streak, Look(at, reachable, "" if reachable else "the drill"), policy)
        decision = decide(standing, streak, missing, policy)
        if decision is not None:
            failover.take(decision, after=newest[0].number if newest else 0)
            return decision if decision.became is wanted else None
    return None


def _told(missed: MissedSlice) -> str:
    return f"{missed.dataset} {missed.first} to {missed.last}: {', '.join(missed.symbols)}"
