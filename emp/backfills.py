"""Backfills as a person asks for them and sees them.

What belongs here: from the options of `emp backfill` to a plan, what lies downstream of it, and
both plan and progress as JSON and as sentences. What does not: planning
(market_data/pipeline/backfill.py), driving (emp/backfill_driver.py), the options themselves
(emp/commands/backfill.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from emp.moments import day
from emp.plans import cost_told
from market_data.backfill.plans import (
    CURATED,
    LOCAL,
    BackfillPlan,
    BackfillRequest,
    dataset_parts,
)
from market_data.backfill.records import Backfill, PieceState
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.backfill.policy import BackfillPolicy
    from market_data.pipeline.backfill import Planned
    from market_data.universe import Universe


@dataclass(frozen=True)
class Wish:
    """The options of a plan as they were typed."""

    dataset: str
    symbols: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    days: int | None = None
    vendors: tuple[str, ...] = ()
    refetch: bool = False
    overwrite_curated: bool = False
    outdated: bool = False
    overwrite_features: bool = False
    thorough: bool = False
    engine: str = LOCAL

    def request(self, universe: Universe, now: datetime) -> BackfillRequest:
        """The wish made definite.

        Args:
            universe: knows the first session.
            now: the moment, aware.

        Raises:
            ConfigurationError: the period is none, or is missing; the dataset is none.
        """
        dataset = self.dataset if "/" in self.dataset else f"{CURATED}/{self.dataset}"
        dataset_parts(dataset)
        first, last = self._period(universe, now)
        return BackfillRequest(
            dataset,
            self.symbols,
            first,
            last,
            self.vendors,
            self.refetch,
            self.overwrite_curated,
            self.outdated,
            overwrite_features=self.overwrite_features,
            thorough=self.thorough,
            engine=self.engine,
        )

    def _period(self, universe: Universe, now: datetime) -> tuple[date, date]:
        tomorrow = now.date() + timedelta(days=1)
        last = tomorrow if self.end is None else min(day(self.end, "--end"), tomorrow)
        if self.days is not None:
            if self.start is not None:
                raise ConfigurationError("say a period by --days, or by --start and --end")
            return last - timedelta(days=self.days), last
        if self.start is not None:
            return day(self.start, "--start"), last
        if self.outdated:
            return universe.first_session, last
        raise ConfigurationError("say a period: --days N, or --start and --end")


def planned(
    settings: Settings,
    policy: BackfillPolicy,
    wish: Wish,
    *,
    pilot: bool = False,
    off_peak: bool = False,
    snapshot: bool = True,
) -> tuple[Planned, str]:
    """The plan of a wish as it is launched, and why it may not be yet; nothing is written.

    Args:
        settings: of the installation.
        policy: how backfills are cut and guarded.
        wish: what is wanted.
        pilot: the newest sessions alone.
        off_peak: wanted off peak.
        snapshot: False where none is wanted.

    Raises:
        ConfigurationError: see `market_data.pipeline.backfill.plan_backfill`.
    """
    from adapters.clock import SystemClock
    from adapters.configuration import load_universe
    from emp.platforms import rehearsal
    from market_data.backfill.experience import rates_of, speaking_since
    from market_data.backfill.guards import guarded
    from market_data.pipeline.backfill import plan_backfill

    universe, now = load_universe(settings), SystemClock().now()
    request = wish.request(universe, now)
    known = _earlier(settings, speaking_since(policy, now))
    with rehearsal(settings, universe) as platform:
        found = plan_backfill(
            platform, request, policy, rates_of(known, request.dataset), pilot=pilot
        )
    launch = guarded(
        found.plan, known, policy, now, universe.classes, off_peak=off_peak, snapshot=snapshot
    )
    return replace(found, plan=launch.plan), launch.refused


def _earlier(settings: Settings, since: datetime) -> list[Backfill]:
    """The backfills of an installation since a moment; of one without a database yet, none."""
    from adapters.modes import decide
    from adapters.operations import SqlBackfills
    from adapters.operations.database import open_existing

    engine = open_existing(decide(settings).operations_url)
    return [] if engine is None else SqlBackfills(engine).since(since)


def downstream(settings: Settings, dataset: str) -> list[str]:
    """The assets that are made of a dataset, directly or not, sorted."""
    from emp.run import quiet_dagster

    quiet_dagster()
    import dagster as dg

    from definitions import build_definitions

    graph = build_definitions(settings).resolve_asset_graph()
    found: set[dg.AssetKey] = set()
    ahead = [dg.AssetKey(dataset.split("/"))]
    while ahead:
        children = graph.get(ahead.pop()).child_keys - found
        found |= children
        ahead += children
    return sorted(key.to_user_string() for key in found)


def plan_told(found: Planned, refused: str, below: list[str]) -> dict[str, Any]:
    """A plan for JSON."""
    plan = found.plan
    request = plan.request
    return {
        "dataset": request.dataset,
        "sessions": {"first": str(request.first), "last": str(request.last)},
        "pilot": plan.pilot,
        "symbol_sessions": plan.symbol_sessions,
        "complete": plan.complete,
        "not_begun": plan.not_begun,
        "runs": len(plan.pieces),
        "requests": plan.requests,
        "limits": {cost.vendor: cost_told(cost) for cost in found.costs},
        "rows": plan.rows,
        "bytes": plan.estimate.bytes,
        "seconds": round(plan.estimate.seconds, 1),
        "seconds_of": plan.estimate.to_json(),
        "pieces": [
            {
                "number": piece.number,
                "timeframe": str(piece.timeframe),
                "also": [str(timeframe) for timeframe in piece.also],
                "first": str(piece.first),
                "last": str(piece.last),
                "symbols": list(piece.symbols),
                "asked": {vendor: list(symbols) for vendor, symbols in piece.asked.items()},
                "symbol_sessions": piece.symbol_sessions,
                "curated": piece.curated,
                "features": piece.features,
                "bars": piece.bars,
                "requests": dict(piece.requests),
            }
            for piece in plan.pieces
        ],
        "downstream": below,
        "refused": refused,
    }


def _needless(plan: BackfillPlan) -> str:
    """Why sessions need no work."""
    return "not outdated" if plan.request.outdated else "complete"


def plan_lines(found: Planned, refused: str, below: list[str] | None) -> list[str]:
    """A plan in sentences; nothing of what lies downstream where that is None."""
    plan, estimate = found.plan, found.plan.estimate
    request = plan.request
    pilot = "pilot of " if plan.pilot else ""
    lines = [
        f"{pilot}{request.dataset}, sessions {request.first} to {request.last}: "
        f"{plan.symbol_sessions:,} symbol-sessions need work, {plan.complete:,} are "
        f"{_needless(plan)}, {plan.not_begun:,} have not begun",
    ]
    if request.outdated:
        lines.append("sessions that nobody was asked for are not outdated: plan without --outdated")
    if not plan.pieces:
        return [*lines, "there is nothing to do"]
    asked = ", ".join(f"{number:,} of {vendor}" for vendor, number in plan.requests.items())
    based = (
        f"measured on {estimate.pieces} earlier pieces"
        if estimate.pieces
        else "by rates of another machine; a pilot measures this one"
    )
    lines += [
        f"runs: {len(plan.pieces)}; requests: {asked or 'none'}",
        f"rows: about {plan.rows:,}, {size(estimate.bytes)} on disk",
        f"time: about {span(estimate.seconds)}, of which {span(estimate.vendors)} for vendors "
        f"({based})",
        *(sentence for cost in found.costs for sentence in cost.sentences()),
    ]
    if below is not None:
        lines.append(f"downstream: {', '.join(below) or 'nothing'}")
    if refused:
        lines.append(f"it would be refused: {refused}")
    return lines


def status_told(backfill: Backfill, now: datetime) -> dict[str, Any]:
    """Progress for JSON."""
    plan = backfill.plan
    planned_pieces = {piece.number: piece for piece in plan.pieces}
    return {
        "id": backfill.id,
        "dataset": plan.request.dataset,
        "sessions": {"first": str(plan.request.first), "last": str(plan.request.last)},
        "pilot": plan.pilot,
        "snapshot": plan.snapshot or None,
        "state": str(backfill.state),
        "author": backfill.author,
        "created_at": backfill.created_at.isoformat(),
        "changed_at": backfill.changed_at.isoformat(),
        "symbol_sessions": {"done": backfill.done(), "of": plan.symbol_sessions},
        "pieces": {str(state): count for state, count in backfill.counts().items()},
        "reasons": backfill.reasons(),
        "seconds_left": _rounded(seconds_left(backfill, now)),
        "runs": [
            {
                "number": record.number,
                "first": str(planned_pieces[record.number].first),
                "last": str(planned_pieces[record.number].last),
                "state": str(record.state),
                "run_id": record.run_id,
                "attempts": record.attempts,
                "claimed_at": record.claimed_at.isoformat() if record.claimed_at else None,
                "ended_at": record.ended_at.isoformat() if record.ended_at else None,
                "reason": record.reason,
                "outcome": dict(record.outcome),
            }
            for record in backfill.pieces
        ],
    }


def status_lines(backfill: Backfill, now: datetime) -> list[str]:
    """Progress in sentences."""
    plan = backfill.plan
    counts = ", ".join(f"{count} {state}" for state, count in backfill.counts().items())
    lines = [
        f"{backfill.id} {plan.request.dataset}{' (pilot)' if plan.pilot else ''}: "
        f"{backfill.state}; {backfill.done():,} of {plan.symbol_sessions:,} symbol-sessions; "
        f"pieces: {counts or f'none, {plan.complete:,} symbol-sessions are {_needless(plan)}'}"
    ]
    left = seconds_left(backfill, now)
    if left is not None:
        lines.append(f"  about {span(left)} left")
    lines += [f"  {count} x {reason}" for reason, count in backfill.reasons().items()]
    return lines


def seconds_left(backfill: Backfill, now: datetime) -> float | None:
    """How long it still takes, by what its own pieces took so far; None where it is over.

    Before the first piece is through, the plan's estimate stands for them.
    """
    if backfill.state.is_over:
        return None
    through = (PieceState.SUCCEEDED, PieceState.HELD)
    spent = sum(
        (p.ended_at - p.claimed_at).total_seconds()
        for p in backfill.pieces
        if p.state in through and p.claimed_at and p.ended_at
    )
    total, done = backfill.plan.symbol_sessions, backfill.done()
    rate = spent / done if done else backfill.plan.estimate.seconds / max(1, total)
    running = (p.claimed_at for p in backfill.pieces if p.state.is_taken and p.claimed_at)
    begun = max(((now - at).total_seconds() for at in running), default=0.0)
    return max(0.0, rate * (total - done) - begun)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def span(seconds: float) -> str:
    """Seconds for a person: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def size(number: int) -> str:
    """Bytes for a person: "12 kB", "3.4 MB"."""
    for unit, length in (("GB", 10**9), ("MB", 10**6)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number / 1000:.0f} kB"
