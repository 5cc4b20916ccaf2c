"""What outages of vendors left behind, as backfills of exactly that.

What belongs here: from attempts that nobody answered to plans. What does not: what an outage is
(market_data/operations/outages.py), asking for the plans' runs (sensors/outages.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from market_data.backfill.experience import rates_of, refusal, speaking_since
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill
from market_data.operations.outages import Lacking, Outage, lacking, outages
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.platform import Platform, Progress

ATTEMPTS = 5_000
"""How many of the newest attempts are looked through."""


def plans_after_outages(
    platform: Platform,
    policy: BackfillPolicy,
    launched_since: Callable[[datetime], Sequence[Backfill]],
    since: datetime,
    tell: Progress,
) -> list[BackfillPlan]:
    """Plans of what is still lacking after outages that are over.

    What a backfill was launched for since the end of an outage is not planned again, however that
    backfill went: a person looks at it.

    Args:
        platform: configuration and ports.
        policy: how backfills are cut and guarded.
        launched_since: gives the backfills that were launched, or changed, since a moment.
        since: outages that ended before are left alone.
        tell: is told of what is left to a person.

    Raises:
        StorageError: what is used of a vendor's limits cannot be read.
    """
    now = platform.clock.now()
    over = [
        (outage, outage.ended)
        for outage in reversed(outages(platform.journal.runs(limit=ATTEMPTS)))
        if outage.ended is not None and outage.ended > since
    ]
    if not over:
        return []
    plans: list[BackfillPlan] = []
    known = launched_since(min(speaking_since(policy, now), *(ended for _, ended in over)))
    for outage, ended in over:
        for left in left_by(platform, outage):
            request = _request(platform, outage, left)
            planned = [p.request for p in plans]
            launched = [b.plan.request for b in known if b.created_at >= ended]
            # What is left grows less while a backfill works.
            if request is None or any(r.covers(request) for r in (*planned, *launched)):
                continue
            rates = rates_of(known, request.dataset)
            plan = plan_backfill(platform, request, policy, rates).plan
            if why := refusal(plan, known, policy, now):
                tell(f"{outage.vendor} {left.timeframe} is left to a person: {why}")
            elif plan.pieces:
                plans.append(plan)
    return plans


def left_by(platform: Platform, outage: Outage) -> list[Lacking]:
    """What the ledger still lacks of what was asked for in an outage, by timeframe."""
    found = []
    for timeframe in outage.timeframes:
        symbols, sessions = outage.asked(timeframe)
        ledger = platform.ledger.read(
            timeframe=timeframe, vendors=[outage.vendor], symbols=symbols, sessions=sessions
        )
        if left := lacking(outage, ledger, timeframe):
            found.append(left)
    return found


def _request(platform: Platform, outage: Outage, left: Lacking) -> BackfillRequest | None:
    """None where the vendor serves nothing of it any more, or cannot be asked."""
    universe = platform.universe
    serving = next(
        (v for v in universe.vendors_of(left.timeframe) if v.name == outage.vendor), None
    )
    if serving is None or platform.vendors.why_off(outage.vendor):
        return None
    symbols = tuple(s for s in left.symbols if s in universe.symbols_of(outage.vendor))
    if not symbols:
        return None
    dataset = f"{CURATED}/bars_{left.timeframe}"
    first, last = left.sessions
    first = max(first, universe.first_session)
    return BackfillRequest(dataset, symbols, first, last, vendors=(outage.vendor,))
