"""Snapshots: what the stores held of the scope of a backfill, in a folder of its own.

What belongs here: taking one, whole or not at all, opening it, removing old ones. What does not:
which slices it holds (market_data/backfill/reach.py), what is put back and when
(adapters/rollback.py).

They lie below EMP_DATA_DIR/snapshots in both modes, bars and what is made of them as Delta tables,
what the operations database said as Parquet. `snapshot.json` says which slices a snapshot holds: of
what lies outside of them nothing was kept, what lies inside and has no row there had none.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from adapters.disk import writing_to
from adapters.operations.scope_state import ScopeState, SqlScopeStates
from adapters.settings import Settings
from adapters.sides import copying_alone
from adapters.stores.delta_bar_store import DeltaBarStore
from market_data.backfill.plans import BackfillPlan
from market_data.backfill.reach import reach_of
from market_data.backfill.records import Backfill
from market_data.backfill.scope import Stored, scope_of
from market_data.datasets import STORED
from market_data.errors import ConfigurationError, StoreConflictError
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.platform import Platform, Progress
from market_data.pipeline.rollback import keep_slices
from market_data.ports import BarStore

_CONTENT = "snapshot.json"
_PARTIAL = ".partial"
_ABANDONED = timedelta(days=1)


@dataclass(frozen=True)
class Snapshot:
    """A whole snapshot.

    Attributes:
        folder: in which it lies.
        taken_at: when.
        rows: how many it holds.
        actions: number of the newest corporate action then; None where nobody kept it.
        slices: what it holds, of every dataset; None where an earlier version took it, which kept
            the sessions of the backfill alone.
    """

    folder: Path
    taken_at: datetime
    rows: int
    actions: int | None = None
    slices: tuple[Stored, ...] | None = None

    @property
    def bars(self) -> BarStore:
        """Bars, scores and flags."""
        return DeltaBarStore(self.folder / "warehouse")

    @property
    def state(self) -> ScopeState:
        """What the operations database said."""
        return ScopeState(
            pl.read_parquet(self.folder / "ledger.parquet"),
            pl.read_parquet(self.folder / "quarantine.parquet"),
            self.actions,
        )


def snapshots_folder(settings: Settings) -> Path:
    """Where the snapshots of an installation lie."""
    return settings.data_dir.resolve() / "snapshots"


def take(
    platform: Platform, states: SqlScopeStates, plan: BackfillPlan, folder: Path, tell: Progress
) -> Snapshot:
    """Keep what the stores hold of all that a backfill may change.

    Args:
        platform: configuration and ports.
        states: of its operations database.
        plan: of the backfill.
        folder: takes this name when all is in it; one of this name is replaced.
        tell: hears of progress.

    Raises:
        StorageError: the disk takes no more.
    """
    draft, slices = _draft_of(folder), reach_of(plan, partial(reached_until, platform))
    at = platform.clock.now()
    with writing_to(folder.parent):
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "warehouse").mkdir(parents=True)
        rows = keep_slices(platform.store, DeltaBarStore(draft / "warehouse"), slices, tell)
        said = states.read(scope_of(plan))
        said.ledger.write_parquet(draft / "ledger.parquet")
        said.quarantine.write_parquet(draft / "quarantine.parquet")
        content = {
            "taken_at": at.isoformat(),
            "rows": rows,
            "actions": said.actions,
            "slices": [_written(slice_) for slice_ in slices],
        }
        (draft / _CONTENT).write_text(json.dumps(content))
        os.sync()
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return Snapshot(folder, at, rows, said.actions, slices)


def ensure(
    settings: Settings,
    platform: Platform,
    states: SqlScopeStates,
    backfill: Backfill,
    keep: timedelta,
    tell: Progress,
) -> None:
    """Take the snapshot that a backfill names, where nobody has yet: before its first piece works.

    It is whole before any piece begins, so one that is not there was never taken or is lost. One
    that is lost is not taken anew, since it would hold what the backfill itself has made: the
    backfill goes on, and cannot be rolled back.

    Args:
        settings: of the installation.
        platform: its configuration and ports.
        states: of its operations database.
        backfill: a piece of which is about to begin: as it is kept since that piece was claimed.
        keep: how long snapshots stay.
        tell: hears of progress.

    Raises:
        StorageError: the disk takes no more.
        StoreUnavailableError: a server does not answer.
    """
    name, now = backfill.plan.snapshot, platform.clock.now()
    if not name or now - backfill.created_at > keep:
        return
    folder = snapshots_folder(settings) / name
    if (folder / _CONTENT).exists():
        return
    draft = _draft_of(folder)
    if _has_begun(backfill) and not draft.exists():
        tell(f"the snapshot {name} is lost: backfill {backfill.id} cannot be rolled back")
        return
    with writing_to(folder.parent):
        # As long as a draft is there, no piece has worked: who is killed leaves it.
        draft.mkdir(parents=True, exist_ok=True)
    remove_old(settings, keep, now, states.snapshots_in_use())
    kept = take(platform, states, backfill.plan, folder, tell)
    tell(f"snapshot of {kept.rows:,} rows, to roll back to")


def _has_begun(backfill: Backfill) -> bool:
    """Whether an attempt was made before the one that is about to begin."""
    return any(
        p.attempts > 1 if p.state.is_taken else p.attempts or p.run_id for p in backfill.pieces
    )


def _draft_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _PARTIAL)


def open_snapshot(folder: Path) -> Snapshot:
    """A whole snapshot.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        content = json.loads((folder / _CONTENT).read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            f"the snapshot {folder} is gone: it was removed after snapshots_keep "
            "(config/automation.yaml), by hand, or lost; a backup of that time has it"
        ) from None
    taken_at = datetime.fromisoformat(content["taken_at"])
    held = content.get("slices")
    slices = None if held is None else tuple(_slice(item) for item in held)
    return Snapshot(folder, taken_at, content["rows"], content.get("actions"), slices)


def _written(slice_: Stored) -> dict[str, Any]:
    return {
        "dataset": slice_.dataset.name,
        "symbols": list(slice_.symbols),
        "sessions": [day.isoformat() for day in slice_.sessions],
    }


def _slice(item: dict[str, Any]) -> Stored:
    known = {dataset.name: dataset for dataset in STORED}
    first, last = (date.fromisoformat(day) for day in item["sessions"])
    return Stored(known[item["dataset"]], tuple(item["symbols"]), (first, last))


def remove_old(
    settings: Settings, keep: timedelta, now: datetime, in_use: Collection[str]
) -> list[str]:
    """Remove snapshots that are older than this, and what killed ones left; their names.

    None goes while somebody copies or rolls back.

    Args:
        settings: of the installation.
        keep: how long snapshots stay.
        now: the moment.
        in_use: names of snapshots that stay: of rollbacks that have begun.
    """
    try:
        with copying_alone(settings):
            return list(_removed(snapshots_folder(settings), keep, now, in_use))
    except StoreConflictError:
        return []


def _removed(root: Path, keep: timedelta, now: datetime, in_use: Collection[str]) -> Iterator[str]:
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name in in_use:
            continue
        if folder.name.endswith(_PARTIAL):
            old = now.timestamp() - folder.stat().st_mtime > _ABANDONED.total_seconds()
        else:
            try:
                old = now - open_snapshot(folder).taken_at > keep
            except ConfigurationError:
                continue
        if old:
            with writing_to(root):
                shutil.rmtree(folder)
            yield folder.name
