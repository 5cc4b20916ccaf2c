"""Making a backup while the installation goes on.

What belongs here: the parts and their order, the name that a backup has until it is whole, how many
are kept. What does not: reading it back (verifying.py).

What refers is copied before what it refers to: scores, then curated bars and reference tables, then
the operations database (ledger, journal, quarantine, actions), then the raw logs, and payloads at
last. Writers work the other way round, payload first, and of raw logs and payloads nothing is ever
removed, so that whatever a backup holds refers to what it holds as well, however long it took. Each
month of a dataset, each table of the operations database and each raw log is of one moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.backup import manifest as records
from adapters.backup.manifest import LAKE, SNAPSHOTS, WAREHOUSE, Manifest, PartRecord
from adapters.backup.parts import PARTS, columns_of, folder_side, held, installation_side
from adapters.backup.tree import Tree, tables, take_table, walked
from adapters.disk import writing_to
from adapters.installation import installation_of
from adapters.modes import Installation
from adapters.operations.migration import HEAD
from adapters.settings import Settings
from adapters.sides import Side, copying_alone
from market_data.errors import (
    ConfigurationError,
    CopyMismatchError,
    StoreConflictError,
    UnsupportedOperationError,
)
from market_data.pipeline.migration import Outcome, Tell

if TYPE_CHECKING:
    from filelock import FileLock

PATIENCE = timedelta(hours=2)
"""So long a backup waits for another that goes to the same folder."""


class NoReceipts:
    """Receipts of a copy whose target holds nothing of its own."""

    def knows(self, part: str, digest: str) -> bool:  # noqa: ARG002
        """Nothing is."""
        return False

    def note(self, part: str, digest: str) -> None:
        """Nothing is remembered."""


@dataclass(frozen=True)
class Wanted:
    """A backup that is to be made.

    Attributes:
        root: folder of backups.
        name: of this one.
        at: the moment, aware.
    """

    root: Path
    name: str
    at: datetime


def backup_folder(settings: Settings, to: Path | None = None) -> Path:
    """The folder of backups.

    Args:
        settings: of the installation.
        to: what a person named; None for EMP_BACKUP_DIR.

    Raises:
        ConfigurationError: nobody named one, or it lies where the installation's own data lie.
        UnsupportedOperationError: the lake lies on an object store.
    """
    _refuse_objects(settings)
    chosen = to or settings.backup_dir
    if chosen is None:
        raise ConfigurationError("say where backups go: set EMP_BACKUP_DIR, or give --to FOLDER")
    folder = chosen.resolve()
    for own in (settings.lake_root, settings.warehouse_root):
        if folder == own or own in folder.parents:
            raise ConfigurationError(
                f"backups cannot go to {folder}, which is a part of what is backed up: name a "
                "folder on another disk"
            )
    return folder


def _refuse_objects(settings: Settings) -> None:
    if settings.lake_uri:
        raise UnsupportedOperationError(
            f"a backup copies files, and the lake lies at {settings.lake_place}: switch on the "
            "versioning of the bucket and replicate it to another one, which keeps what is "
            "overwritten or removed; databases have their own tools (pg_dump, or the provider's "
            "snapshots)"
        )


def create(found: Installation, wanted: Wanted, tell: Tell) -> Manifest:
    """Make a backup, whole or not at all.

    Args:
        found: the installation with its mode decided.
        wanted: where to, and its name.
        tell: hears of progress.

    Raises:
        ConfigurationError: there is nothing to back up, or the name is taken.
        CopyMismatchError: what was read back is not what was written.
        StorageError: a disk takes no more.
        StoreConflictError: another copy of the installation is at work, or another backup goes to
            the folder and does not end.
        StoreUnavailableError: a server does not answer.
        UnsupportedOperationError: the lake lies on an object store.
    """
    _refuse_objects(found.settings)
    started = time.perf_counter()
    whole = wanted.root / records.checked_name(wanted.name)
    draft = whole.with_name(whole.name + records.PARTIAL)
    with _tidied(wanted.root, tell), copying_alone(found.settings), writing_to(wanted.root):
        if whole.exists():
            raise ConfigurationError(f"there is a backup {whole} already: give another --name")
        draft.mkdir(parents=True)
        with installation_side(found, making=False) as source, folder_side(draft) as target:
            mine = installation_of(found.settings)
            parts = tuple(_copied(source, target, name, tell) for name in PARTS)
        before = next(iter(_own(wanted.root, mine)), None)
        known = _manifest_or_none(before)
        tree = Tree(draft, before if known else None, known.files if known else {})
        for folder in (WAREHOUSE, records.OPERATIONS):
            tree.note(folder)
        made = Manifest(
            name=wanted.name,
            created_at=wanted.at,
            mode=str(found.mode),
            revision=HEAD,
            parts=parts,
            raw=(),
            payloads=0,
            files={},
            seconds=0.0,
            bytes_copied=0,
            installation=mine,
        )
        made = _with_lake(made, found.settings, tree, tell)
        made = replace(made, seconds=time.perf_counter() - started)
        records.write_manifest(draft, made)
        # The name says that it is whole: the files go before it, also in a power cut.
        os.sync()
        draft.rename(whole)
    return made


def planned(found: Installation, tell: Tell) -> dict[str, int]:
    """What a backup would hold: rows of each part that has any; nothing is written.

    Raises:
        ConfigurationError: there is nothing to back up.
    """
    tell("counting rows")
    with installation_side(found, making=False) as source:
        return held(source)


def forget(root: Path, keep: int, mine: str, tell: Tell) -> list[str]:
    """Remove the oldest whole backups of an installation; the names of those that went.

    Those of others that share the folder neither count nor go, nor do damaged ones.

    Args:
        root: folder of backups.
        keep: so many of the newest stay; 0 keeps all.
        mine: the installation, see `installation_of`.
        tell: hears of each.
    """
    gone: list[str] = []
    if not keep:
        return gone
    for folder in records.whole_backups(root):
        if _manifest_or_none(folder) is None:
            tell(f"{folder.name} is damaged, and left to you")
    for folder in _own(root, mine)[keep:]:
        tell(f"{folder.name} goes: {keep} are kept")
        records.remove(folder)
        gone.append(folder.name)
    return gone


def _own(root: Path, mine: str) -> list[Path]:
    """The whole backups of an installation, newest first.

    What an earlier version made does not say whose it is; where no other installation has a backup
    in the folder it counts as this one's.
    """
    held = [(folder, _manifest_or_none(folder)) for folder in records.whole_backups(root)]
    whose = {made.installation for _, made in held if made is not None}
    own = {mine} if whose - {mine, ""} else {mine, ""}
    return [folder for folder, made in held if made is not None and made.installation in own]


def _copied(source: Side, target: Side, name: str, tell: Tell) -> PartRecord:
    part = source.part(name, target, NoReceipts(), overwrite=True)
    return record_of(name, part.copy(tell), target)


def record_of(name: str, outcome: Outcome, target: Side) -> PartRecord:
    """What was copied of a part, as it was read back."""
    digests = {piece.piece: piece.target_digest for piece in outcome.pieces if piece.target_rows}
    rows = sum(piece.target_rows for piece in outcome.pieces)
    return PartRecord(name, columns_of(name, target), rows, digests)


def _with_lake(made: Manifest, settings: Settings, tree: Tree, tell: Tell) -> Manifest:
    """Raw logs, payloads, snapshots of backfills, and what command lines registered."""
    lake = settings.lake_root
    masks = lake / "withdrawals"
    for file in walked(masks):
        tree.take(file, f"{LAKE}/withdrawals/{file.relative_to(masks).as_posix()}")
    raw = []
    for table in tables(lake):
        name = table.relative_to(lake).as_posix()
        tell(f"{name}: copying its files")
        raw.append(take_table(tree, table, f"{LAKE}/{name}"))
    tell("payloads: copying files")
    payloads = 0
    for payloads, file in enumerate(walked(lake / "payloads"), 1):
        tree.take(file, f"{LAKE}/{file.relative_to(lake).as_posix()}")
        if payloads % 10_000 == 0:
            tell(f"payloads: {payloads} files")
    snapshots = settings.data_dir.resolve() / SNAPSHOTS
    for file in walked(snapshots):
        tree.take(file, f"{SNAPSHOTS}/{file.relative_to(snapshots).as_posix()}")
    if settings.registered_universe.exists():
        tree.take(settings.registered_universe, settings.registered_universe.name)
    return replace(
        made,
        raw=tuple(raw),
        payloads=payloads,
        files=dict(sorted(tree.files.items())),
        bytes_copied=tree.bytes_copied,
    )


def _wait(lock: FileLock, root: Path) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=PATIENCE.total_seconds())
    except Timeout:
        raise StoreConflictError(
            f"another backup goes to {root} for longer than {PATIENCE}: let it end"
        ) from None


@contextmanager
def _tidied(root: Path, tell: Tell) -> Iterator[None]:
    """Be alone in a folder of backups, without what killed ones left.

    Several installations may share the folder, and the clock of their schedules: who comes second
    waits.
    """
    from filelock import FileLock, Timeout

    with writing_to(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            tell(f"another backup goes to {root}: waiting for it")
            _wait(lock, root)
    try:
        for folder in records.unfinished(root):
            tell(f"{folder.name} was never finished and goes")
            records.remove(folder)
        yield
    finally:
        lock.release()


def _manifest_or_none(folder: Path | None) -> Manifest | None:
    if folder is None:
        return None
    try:
        return records.read_manifest(folder)
    except (ConfigurationError, CopyMismatchError):
        return None
