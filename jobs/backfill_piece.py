"""One piece of a backfill: its ranged run in this process, and the judgement of what it did.

What belongs here: what the run of a piece selects, executing it, telling whether all that was asked
for is there. What does not: which piece is next (market_data/backfill/machine.py), the processes
around it (emp/backfill_driver.py).

That Dagster calls a run a success is not enough: every session of the range must have been made by
every asset, and every symbol-session that was to be asked for must have an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg

from emp_assets.features.made import step_name
from emp_assets.naming import op_name, raw_key
from jobs.ranged_run import Hear, Selection, bars_selection, execute, features_selection
from jobs.step_failures import StepFailure, failure_of
from market_data.backfill.driving import Performed
from market_data.backfill.plans import CURATED, LOCAL, BackfillRequest, Piece
from market_data.backfill.records import Backfill, PieceState
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.pipeline.backfill_answers import Again, unanswered
from market_data.pipeline.feed import Feed
from market_data.pipeline.platform import Platform
from market_data.ports import IngestRun

TAG_BACKFILL, TAG_PIECE, TAG_TOKEN = "emp/backfill", "emp/backfill_piece", "emp/backfill_token"
_DAY = timedelta(days=1)
_TOLD = 3
"""How many reasons a sentence names."""


def tags_of(backfill: Backfill, piece: Piece) -> dict[str, str]:
    """The tags by which the runs of a piece are found."""
    return {TAG_BACKFILL: backfill.id, TAG_PIECE: str(piece.number)}


def end_lost_runs(instance: dg.DagsterInstance, tags: Mapping[str, str], *, but: str = "") -> None:
    """Record the end of runs of a piece whose processes are gone.

    Whoever holds the turn of the piece knows that they are: a run that a process left behind would
    be under way for ever.

    Args:
        instance: holds the runs.
        tags: of the piece.
        but: id of a run of the caller's own.
    """
    begun = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    for run in instance.get_runs(dg.RunsFilter(tags=dict(tags), statuses=begun)):
        if run.run_id != but:
            instance.report_run_failed(run, "Its process ended without a word.")


def selection_of(piece: Piece, request: BackfillRequest) -> Selection:
    """What the run of a piece makes.

    Args:
        piece: of a plan.
        request: that the plan was made for.
    """
    feeds = [
        Feed(vendor, symbols, refetch=request.refetch, spans=piece.spans_of(symbols))
        for vendor, symbols in piece.asked.items()
    ]
    sessions = (piece.first, piece.last)
    if request.layer == CURATED and piece.curated:
        whole = bars_selection(
            piece.timeframe,
            feeds,
            sessions,
            symbols=piece.symbols,
            also=piece.also,
            features=piece.features,
            features_of=piece.features_of,
        )
        return _with_engine(whole, request.engine)
    if request.layer == CURATED:
        made = piece.features_of or (request.timeframe,)
        whole = features_selection(made, sessions, symbols=piece.symbols, macro=False)
        return _with_engine(whole, request.engine)
    keys = {raw_key(feed.vendor, piece.timeframe): feed for feed in feeds}
    ops: dict[str, Any] = {op_name(key): {"config": feed.config} for key, feed in keys.items()}
    ops |= {
        f"{op_name(key)}__checks": {"config": {"symbols": list(feed.symbols)}}
        for key, feed in keys.items()
    }
    return Selection(frozenset(keys), ops, sessions)


def _with_engine(selection: Selection, engine: str) -> Selection:
    """The selection with the engine that curates and computes features."""
    steps = {op_name(key) for key in selection.keys if key.path[0] == CURATED}
    steps |= {step_name(timeframe) for timeframe in FEATURE_TIMEFRAMES}
    ops = {
        name: {"config": {**step["config"], "engine": engine}}
        if name in steps and engine != LOCAL
        else step
        for name, step in selection.ops.items()
    }
    return replace(selection, ops=ops)


def perform(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    platform: Platform,
    piece: Piece,
    request: BackfillRequest,
    *,
    run_id: str,
    tags: Mapping[str, str],
    hear: Hear | None = None,
) -> Performed:
    """Run a piece as one ranged run and judge it.

    Args:
        definitions: the graph and its resources.
        instance: records the run.
        platform: of the same installation.
        piece: of a plan.
        request: that the plan was made for.
        run_id: of the run.
        tags: of the run.
        hear: takes its events.
    """
    failures: list[StepFailure] = []

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.is_step_failure:
            failures.append(failure_of(event))
        if hear is not None:
            hear(entry)

    selection, began = selection_of(piece, request), platform.clock.now()
    succeeded = execute(definitions, instance, selection, run_id=run_id, tags=tags, hear=listen)
    interrupted = any(failure.interrupted for failure in failures)
    asked = [r for r in platform.journal.runs(since=began, limit=None) if r.run_id == run_id]
    outcome = _measured(asked)
    missing = unanswered(platform, piece, Again(began, asked) if request.refetch else None)
    told = Counter(
        f"{vendor}: {outcome_of or 'not asked'}{f': {detail}' if detail else ''}"
        for vendor, outcome_of, detail in missing.select("vendor", "outcome", "detail").iter_rows()
    )
    if told:
        outcome["unanswered"] = dict(told.most_common())
    held = bool(failures) and all(failure.by_check for failure in failures)
    if (failures and not held) or (not succeeded and not failures):
        reasons = [f"{f.step}: {f.reason}" for f in failures] or ["the run did not succeed"]
        away = any(failure.store_failed for failure in failures)
        return Performed(PieceState.FAILED, _told(reasons), outcome, interrupted, away)
    if told:
        reasons = [f"{count} symbol-sessions of {reason}" for reason, count in told.most_common()]
        return Performed(PieceState.FAILED, _told(reasons), outcome)
    if held:
        reasons = [f"{f.step}: {f.reason}" for f in failures]
        return Performed(PieceState.HELD, _told(reasons), outcome)
    if holes := _unmade(instance, run_id, selection):
        return Performed(PieceState.FAILED, _told(holes), outcome)
    return Performed(PieceState.SUCCEEDED, outcome=outcome)


def _told(reasons: list[str]) -> str:
    more = len(reasons) - _TOLD
    return "; ".join(reasons[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _measured(attempts: Sequence[IngestRun]) -> dict[str, Any]:
    """What the journal says of the run's questions."""
    seconds: Counter[str] = Counter()
    for attempt in attempts:
        seconds[attempt.vendor] += attempt.duration_seconds  # type: ignore[assignment]
    return {
        "vendor_seconds": {vendor: round(spent, 3) for vendor, spent in sorted(seconds.items())},
        "new_rows": sum(attempt.new_rows for attempt in attempts),
        "rejected_rows": sum(attempt.rejected_rows for attempt in attempts),
    }


def _unmade(instance: dg.DagsterInstance, run_id: str, selection: Selection) -> list[str]:
    """For each asset that did not make every session of the range, which ones."""
    if selection.sessions is None:
        return []
    first, last = selection.sessions
    wanted = {(first + n * _DAY).isoformat() for n in range((last - first).days + 1)}
    made: dict[dg.AssetKey, set[str]] = {key: set() for key in selection.keys}
    events = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    for record in events:
        event = record.event_log_entry.dagster_event
        if event is not None and event.asset_key in made and event.partition is not None:
            made[event.asset_key].add(event.partition)
    return [
        f"{key.to_user_string()} was not made for {len(lacking)} sessions, the first of them "
        f"{min(lacking)}"
        for key, found in sorted(made.items(), key=lambda item: item[0].to_user_string())
        if (lacking := wanted - found)
    ]
