"""What outages of vendors left behind, as backfills of exactly that.

What belongs here: from attempts that nobody answered to plans. What does not: what an outage is
(market_data/operations/outages.py), asking for the plans' runs (sensors/outages.py).

A plan names the very symbol-sessions that are lacking, as stretches of neighbouring sessions of one
symbol: of a symbol nothing is asked for that only another one lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from market_data.backfill.experience import rates_of, speaking_since
from market_data.backfill.guards import guarded
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest, Span
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill
from market_data.calendars import expected_bars
from market_data.operations.outages import Lacking, Outage, lacking, outages
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.platform import Platform, Progress
from market_data.timeframes import Timeframe
from market_data.universe import Universe

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
            launch = guarded(plan, known, policy, now, platform.universe.classes)
            if launch.refused:
                tell(f"{outage.vendor} {left.timeframe} is left to a person: {launch.refused}")
            elif plan.pieces:
                plans.append(launch.plan)
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
    served = universe.symbols_of(outage.vendor)
    rows = left.rows.filter(
        pl.col("symbol").is_in(served), pl.col("session") >= universe.first_session
    )
    stretches = _stretches(universe, left.timeframe, rows)
    if not stretches:
        return None
    return BackfillRequest(
        f"{CURATED}/bars_{left.timeframe}",
        tuple(dict.fromkeys(symbol for symbol, *_ in stretches)),
        min(first for _, first, _ in stretches),
        max(last for *_, last in stretches),
        vendors=(outage.vendor,),
        only=stretches,
    )


def _stretches(universe: Universe, timeframe: Timeframe, rows: pl.DataFrame) -> tuple[Span, ...]:
    """Symbol, first and last of sessions that follow upon each other in the symbol's calendar."""
    if rows.is_empty():
        return ()
    instruments = [universe.instrument(s) for s in rows["symbol"].unique().sort()]
    days = expected_bars(instruments, timeframe, rows["session"].min(), rows["session"].max())  # type: ignore[arg-type]
    place = pl.int_range(pl.len()).over("symbol")
    found = (
        days.sort("symbol", "session")
        .select("symbol", "session", place=place)
        .join(rows, on=["symbol", "session"], how="semi", maintain_order="left")
        .group_by("symbol", pl.col("place") - place, maintain_order=True)
        .agg(first=pl.col("session").min(), last=pl.col("session").max())
        .select("symbol", "first", "last")
    )
    return tuple(found.rows())
