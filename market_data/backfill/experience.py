"""What earlier backfills tell of how long a new one takes, and whether it may be launched.

What belongs here: rates from pieces that went through, and the guard of large backfills.
What does not: the formula of an estimate (estimate.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from market_data.backfill.estimate import Measured, Rates
from market_data.backfill.plans import BackfillPlan, BackfillRequest, Piece
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.timeframes import Timeframe

RATES_FROM = timedelta(days=90)
"""Machines and vendors change: pieces of earlier backfills are no measure any more."""


def speaking_since(policy: BackfillPolicy, now: datetime) -> datetime:
    """From when on backfills tell anything of the next one, see `rates_of` and `refusal`."""
    return now - max(RATES_FROM, policy.pilot_valid)


def rates_of(earlier: Iterable[Backfill], dataset: str) -> Rates:
    """What the pieces of earlier backfills of a dataset tell.

    Args:
        earlier: backfills, over or not.
        dataset: of which the next one is.
    """
    return Rates.of(
        measured
        for backfill in earlier
        if backfill.plan.request.dataset == dataset
        for measured in _measured(backfill)
    )


def _measured(backfill: Backfill) -> Iterable[Measured]:
    layer = backfill.plan.request.layer
    planned = {piece.number: piece for piece in backfill.plan.pieces}
    for record in backfill.pieces:
        through = record.state in (PieceState.SUCCEEDED, PieceState.HELD)
        if not through or record.claimed_at is None or record.ended_at is None:
            continue
        piece = planned[record.number]
        vendors = record.outcome.get("vendor_seconds", {})
        # Earlier versions measured nothing but the whole, queues included.
        whole = (record.ended_at - record.claimed_at).total_seconds()
        rest = max(0.0, record.outcome.get("seconds", whole) - sum(vendors.values()))
        yield Measured(piece.work(layer), rest, vendors, piece.requests)


def refusal(
    plan: BackfillPlan,
    earlier: Iterable[Backfill],
    policy: BackfillPolicy,
    now: datetime,
    classes: Mapping[str, str] | None = None,
) -> str:
    """Why a plan may not be launched yet, in a sentence; empty where it may.

    A large backfill is launched once one pilot of it has passed: of the same dataset by the same
    options, over sessions of its range, which asked each vendor that would be asked, for bars of
    the same timeframe, for `pilot_symbols` symbols of each asset class, or as many as there are.

    Args:
        plan: what would be launched.
        earlier: backfills, over or not.
        policy: what is large, and how long a pilot counts.
        now: the moment, aware.
        classes: symbol to asset class; without them all symbols are alike.
    """
    if plan.pilot or plan.symbol_sessions <= policy.guard_symbol_sessions:
        return ""
    if any(_speaks_for(one, plan, policy, now, classes or {}) for one in earlier):
        return ""
    return (
        f"{plan.symbol_sessions:,} symbol-sessions are more than "
        f"{policy.guard_symbol_sessions:,} (guard_symbol_sessions in config/automation.yaml), and "
        "no pilot of it, with its vendors, has passed lately; launch the same with --pilot first, "
        f"which takes its newest {policy.pilot_sessions} sessions"
    )


def _speaks_for(
    pilot: Backfill,
    plan: BackfillPlan,
    policy: BackfillPolicy,
    now: datetime,
    classes: Mapping[str, str],
) -> bool:
    return (
        pilot.plan.pilot
        and pilot.state is BackfillState.SUCCEEDED
        and _kind(pilot.plan.request) == _kind(plan.request)
        and now - pilot.changed_at <= policy.pilot_valid
        and _samples(pilot.plan, plan, policy, classes)
    )


def _samples(
    pilot: BackfillPlan, plan: BackfillPlan, policy: BackfillPolicy, classes: Mapping[str, str]
) -> bool:
    """Whether a pilot tried enough of everything that is planned.

    What it did is complete since, and need not be a part of the plan: it counts where it lies in
    the range and among the symbols that were asked for.
    """
    request = plan.request
    inside = [p for p in pilot.pieces if p.first <= request.last and request.first <= p.last]
    tried = _ways(inside, classes)
    for way, symbols in _ways(plan.pieces, classes).items():
        wished = tried.get(way, set())
        if request.symbols:
            wished = wished & set(request.symbols)
        if len(wished) < min(policy.pilot_symbols, len(symbols)):
            return False
    return bool(tried)


def _ways(
    pieces: Iterable[Piece], classes: Mapping[str, str]
) -> dict[tuple[str, Timeframe, str], set[str]]:
    """By vendor (empty: whoever has them), timeframe and asset class, the symbols of pieces."""
    found: dict[tuple[str, Timeframe, str], set[str]] = {}
    for piece in pieces:
        for vendor, symbols in {"": piece.symbols, **piece.asked}.items():
            for symbol in symbols:
                way = vendor, piece.timeframe, classes.get(symbol, "")
                found.setdefault(way, set()).add(symbol)
    return found


def _kind(request: BackfillRequest) -> tuple[object, ...]:
    """What a backfill does, wherever and about whom; whom it asks, its pieces say."""
    return (
        *(request.dataset, request.refetch, request.overwrite_curated, request.outdated),
        *(request.overwrite_features, request.thorough),
    )
