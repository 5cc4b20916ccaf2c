"""Snapshots at the launch of a backfill, and rolling one back, as commands do it.

What belongs here: from settings to the parts that work together, and what a person is shown. What
does not: the steps (adapters/rollback.py, adapters/snapshots.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from market_data.backfill.records import BackfillState

if TYPE_CHECKING:
    from adapters.rollback import Rollbacks, Rolled
    from adapters.settings import Settings
    from market_data.backfill.plans import BackfillPlan
    from market_data.backfill.policy import BackfillPolicy
    from market_data.pipeline.platform import Progress


def take_snapshot(
    settings: Settings, policy: BackfillPolicy, plan: BackfillPlan, tell: Progress
) -> None:
    """Keep what the stores hold of the scope of a plan under the name that it gives.

    Args:
        settings: of the installation.
        policy: how long it is kept.
        plan: that is about to be launched; one without a name for its snapshot keeps nothing.
        tell: hears of progress.

    Raises:
        StorageError: the disk takes no more.
        StoreUnavailableError: a server does not answer.
    """
    from adapters.snapshots import remove_old, snapshots_folder, take

    if not plan.snapshot:
        return
    with _rollbacks(settings, tell) as parts:
        now, in_use = parts.platform.clock.now(), parts.states.snapshots_in_use()
        remove_old(settings, policy.snapshots_keep, now, in_use)
        folder = snapshots_folder(settings) / plan.snapshot
        kept = take(parts.platform, parts.states, plan, folder, tell)
    tell(f"snapshot of {kept.rows:,} rows, to roll back to")


def roll(
    settings: Settings, beginning: str, tell: Progress, *, dry_run: bool, undo: bool
) -> dict[str, Any]:
    """Roll a backfill back, or forth again; what was done, for JSON.

    Args:
        settings: of the installation.
        beginning: of the id of the backfill.
        tell: hears of progress.
        dry_run: only say what would be done.
        undo: take a rollback back.

    Raises:
        ConfigurationError: it cannot be done; the message says why.
    """
    with _rollbacks(settings, tell) as parts:
        name = parts.kept.get(beginning).id
        if undo:
            done = parts.forth(name)
        else:
            runs = _runs(settings, name)
            done = parts.look(name, runs) if dry_run else parts.back(name, runs)
        layer = parts.kept.get(name).plan.request.layer
    return _json(name, done, "undo" if undo else "rollback", layer) | {"dry_run": dry_run}


def rolled_lines(told: dict[str, Any]) -> list[str]:
    """What was done, in sentences."""
    name, rolled_back = told["backfill"], str(BackfillState.ROLLED_BACK)
    if told["state"] == rolled_back and not told["done"] and told["action"] == "rollback":
        return [f"backfill {name} is rolled back already"]
    would = "would be " if told["dry_run"] else "are "
    withdrawn = "told again" if told["action"] == "undo" else "withdrawn"
    lines = [
        f"backfill {name}: {told['state'] if told['done'] else 'dry run'}",
        f"  {told['raw_rows']:,} raw rows of {told['fetches']:,} fetches {would}{withdrawn}; "
        "they stay in the raw logs",
        f"  {told['rows']:,} rows {would}put back into the stores",
    ]
    if told["actions"]:
        lines.append(f"  {told['actions']:,} splits and dividends {would}{withdrawn}")
    if told["made_anew"]:
        lines.append(
            f"  {told['made_anew']:,} symbol-sessions that others have fetched since {would}made "
            "anew of the raw logs"
        )
    if told["layer"] == "raw" and told["raw_rows"]:
        lines.append(
            "  bars that were curated of them since are made anew with 'emp backfill launch "
            "bars_<timeframe> --overwrite-curated'"
        )
    return lines


def _json(name: str, done: Rolled, action: str, layer: str) -> dict[str, Any]:
    return {
        "backfill": name,
        "action": action,
        "state": str(done.state),
        "done": done.done,
        "layer": layer,
        "rows": done.rows,
        "raw_rows": done.withdrawn,
        "fetches": done.fetches,
        "made_anew": done.made_anew,
        "actions": done.actions,
    }


def _runs(settings: Settings, name: str) -> set[str]:
    """Every run that Dagster knows of a backfill, lost ones included."""
    from emp.run import quiet_dagster

    quiet_dagster()
    import dagster as dg

    from emp.instance import open_instance
    from jobs.backfill_piece import TAG_BACKFILL

    with open_instance(settings) as instance:
        return {run.run_id for run in instance.get_runs(dg.RunsFilter(tags={TAG_BACKFILL: name}))}


@contextmanager
def _rollbacks(settings: Settings, tell: Progress) -> Iterator[Rollbacks]:
    from adapters.backend import open_platform
    from adapters.backfill_turns import open_turns
    from adapters.modes import decide
    from adapters.operations import open_database
    from adapters.operations.scope_state import SqlScopeStates
    from adapters.rollback import Rollbacks
    from adapters.stores.withdrawals import WithdrawnFetches
    from emp.reporting import operations_of

    found = decide(settings)
    operations = operations_of(found)
    engine = open_database(found.operations_url)
    try:
        yield Rollbacks(
            settings,
            open_platform(settings),
            operations.backfills,
            SqlScopeStates(engine),
            WithdrawnFetches(settings.lake_place),
            open_turns(settings, operations.turn_locks),
            tell,
        )
    finally:
        engine.dispose()
