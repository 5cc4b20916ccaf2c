"""Symbols whose bars are stale, as backfills of them alone that reach further back.

What belongs here: which symbols are stale and may still be mended, what each is asked for, what is
told of it. What does not: how far bars reach (ages.py), keeping backfills, the sensor
(sensors/recovery.py).

It comes before every other remedy: a symbol that its vendor answered too early, or with a hole, is
mended by asking again. What two answers do not mend is left to a person, or to failover.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import polars as pl

from market_data.automation.recovery import RecoveryRules
from market_data.backfill.experience import rates_of
from market_data.backfill.guards import guarded
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill
from market_data.calendars import trading_sessions
from market_data.errors import ConfigurationError
from market_data.operations.stale_symbols import REPORT
from market_data.pipeline.ages import ages, delay_of
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.backfill_feeds import askable
from market_data.pipeline.platform import Platform
from market_data.ports import Report
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
_HOLIDAYS = timedelta(days=14)
"""No market is closed for longer."""


class Step(StrEnum):
    """What is done about a stale symbol.

    asked: a backfill of it is launched now. waiting: one is under way, or was a moment ago.
    given_up: it was asked for often enough, or with so many others that they need a pilot. nobody:
    no vendor can be asked for it.
    """

    ASKED = "asked"
    WAITING = "waiting"
    GIVEN_UP = "given_up"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Stale:
    """A symbol whose newest bar is older than it should be.

    Attributes:
        timeframe: of the bars.
        symbol: whose.
        newest: session of the newest one.
        due: session that should be there.
        attempts: how often it was asked for since that session is due.
        step: what is done about it.
    """

    timeframe: Timeframe
    symbol: str
    newest: date
    due: date
    attempts: int
    step: Step

    @property
    def name(self) -> str:
        """By which it is known from look to look."""
        return f"{self.timeframe}|{self.symbol}"

    def to_json(self) -> dict[str, Any]:
        """As a report shows it."""
        return {
            "timeframe": str(self.timeframe),
            "symbol": self.symbol,
            "newest": self.newest.isoformat(),
            "due": self.due.isoformat(),
            "attempts": self.attempts,
            "step": str(self.step),
        }


@dataclass(frozen=True)
class Recovery:
    """One look at what is stale.

    Attributes:
        at: when.
        stale: every symbol that is.
        plans: what is launched, by a key under which it is launched once.
    """

    at: datetime
    stale: tuple[Stale, ...]
    plans: Mapping[str, BackfillPlan]

    def pending(self) -> bool:
        """Whether something changes before another session is due."""
        return any(one.step in (Step.ASKED, Step.WAITING) for one in self.stale)

    def report(self, before: Iterable[str]) -> Report:
        """What is told of the look.

        Args:
            before: names of what was stale at the look before.
        """
        still = {one.name for one in self.stale}
        over = [one for one in self.stale if one.step in (Step.GIVEN_UP, Step.NOBODY)]
        body = {
            "stale": [one.to_json() for one in self.stale],
            "launched": len(self.plans),
            "mended": sorted(set(before) - still),
            "given_up": sorted(one.name for one in over),
        }
        return Report(REPORT, self.at, "fail" if over else "warn" if still else "ok", body)


@dataclass(frozen=True)
class _Wish:
    """What several symbols are asked for alike."""

    timeframe: Timeframe
    first: date
    due: date
    attempt: int


def recover(
    platform: Platform,
    rules: RecoveryRules,
    policy: BackfillPolicy,
    known: Sequence[Backfill],
    live: Sequence[Backfill],
) -> Recovery:
    """Look at what is stale, and plan what is asked for again.

    Args:
        platform: configuration and ports.
        rules: how often, and how far back.
        policy: how backfills are cut and guarded.
        known: backfills that earlier looks launched, newest first.
        live: backfills that are under way, of whomever.

    Raises:
        StorageError: what is used of a vendor's limits cannot be read.
    """
    now = platform.clock.now()
    found: list[Stale] = []
    wishes: dict[_Wish, list[str]] = {}
    for age in ages(platform):
        timeframe = Timeframe(age.asset.rpartition("_")[2])
        served = _served(platform, timeframe)
        for symbol, due in age.due_warn.items():
            newest = age.newest.get(symbol)
            if newest is None or newest >= due or due - newest > rules.reach:
                continue
            tried = [b for b in known if _was_for(b.plan.request, timeframe, symbol, due)]
            first = newest - rules.days_back(len(tried))
            wish = _Wish(timeframe, max(first, platform.universe.first_session), due, len(tried))
            step = Step.NOBODY
            if symbol in served:
                step = _step(wish, symbol, tried, live, rules, now)
            if step is Step.ASKED:
                wishes.setdefault(wish, []).append(symbol)
            found.append(Stale(timeframe, symbol, newest, due, len(tried), step))
    plans, refused = _plans(platform, policy, wishes, known)
    stale = (replace(s, step=Step.GIVEN_UP) if s.name in refused else s for s in found)
    return Recovery(now, tuple(stale), plans)


def next_due(platform: Platform) -> datetime:
    """When the next session of any instrument is due, UTC; a day from now at the latest."""
    now = platform.clock.now()
    lags = {
        (
            instrument.calendar,
            platform.thresholds.rule(instrument.asset_class, timeframe).stale_warn
            + delay_of(platform, instrument, timeframe),
        )
        for timeframe in Timeframe
        for instrument in platform.universe.instruments
    }
    moments = [now + _DAY]
    for calendar, lag in lags:
        by = now - lag
        near = trading_sessions(calendar, by.date() - _DAY, by.date() + _HOLIDAYS)
        coming = near.filter(pl.col("close") > by)["close"]
        if not coming.is_empty():
            moments.append(coming.item(0) + lag)
    return min(moments)


def _served(platform: Platform, timeframe: Timeframe) -> frozenset[str]:
    try:
        return askable(platform, f"{CURATED}/bars_{timeframe}")
    except ConfigurationError:
        return frozenset()


def _was_for(request: BackfillRequest, timeframe: Timeframe, symbol: str, due: date) -> bool:
    return request.timeframe is timeframe and request.last == due and symbol in request.symbols


def _step(
    wish: _Wish,
    symbol: str,
    tried: Sequence[Backfill],
    live: Sequence[Backfill],
    rules: RecoveryRules,
    now: datetime,
) -> Step:
    if any(now - b.created_at < rules.pause for b in tried):
        return Step.WAITING
    dataset = f"{CURATED}/bars_{wish.timeframe}"
    for request in (b.plan.request for b in live):
        same = request.dataset == dataset and symbol in request.symbols
        if same and request.first <= wish.due <= request.last:
            return Step.WAITING
    return Step.GIVEN_UP if wish.attempt >= rules.attempts else Step.ASKED


def _plans(
    platform: Platform,
    policy: BackfillPolicy,
    wishes: Mapping[_Wish, list[str]],
    known: Sequence[Backfill],
) -> tuple[dict[str, BackfillPlan], set[str]]:
    """The plans by their keys, and the names of what needs a pilot first."""
    plans: dict[str, BackfillPlan] = {}
    refused: set[str] = set()
    for wish, symbols in wishes.items():
        dataset = f"{CURATED}/bars_{wish.timeframe}"
        request = BackfillRequest(dataset, tuple(symbols), wish.first, wish.due, refetch=True)
        plan = plan_backfill(platform, request, policy, rates_of(known, dataset)).plan
        now, classes = platform.clock.now(), platform.universe.classes
        launch = guarded(plan, known, policy, now, classes)
        if not plan.pieces or launch.refused:
            refused |= {f"{wish.timeframe}|{symbol}" for symbol in symbols}
            continue
        names = hashlib.sha256(",".join(sorted(symbols)).encode()).hexdigest()[:16]
        plans[f"recovery|{wish.timeframe}|{wish.due}|{wish.attempt}|{names}"] = launch.plan
    return plans, refused
