"""Sides of a copy: what an installation, or a folder, keeps beside the lake.

What belongs here: opening the warehouse and the operations database of a mode, the copy of a part
from one side to another, and the lock of those who copy.
What does not: which sides are copied and why (emp/store_migration.py, adapters/backup), how a part
is copied (market_data/pipeline/copying.py, adapters).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.disk import writing_to
from adapters.modes import Servers
from adapters.operations import open_database
from adapters.operations.copying import TableCopy, typed_errors
from adapters.operations.database import open_existing
from adapters.operations.models import metadata
from adapters.settings import Mode, Settings
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.object_settings import options_of
from adapters.stores.reference_copying import ReferenceCopy
from adapters.stores.reference_tables import ReferenceStore, ReferenceTables
from market_data.datasets import STORED
from market_data.errors import StoreConflictError
from market_data.pipeline.copying import DatasetCopy
from market_data.pipeline.migration import Part, Receipts
from market_data.ports import BarStore

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

READ_LIMIT_MS = 3_600_000
"""A copy reads whole months; the limit of readers who wait for an answer is not for it."""
OPERATIONS = "operations/"
"""What the names of the tables of an operations database begin with."""


@dataclass(frozen=True)
class Side:
    """Where something keeps bars, scores, reference tables and operational tables."""

    bars: BarStore
    reference: ReferenceStore
    operations: Engine

    def part(self, name: str, target: Side, receipts: Receipts, *, overwrite: bool) -> Part:
        """The part of a name, from this side to another.

        Args:
            name: of a dataset, of a reference table, or operations/<table>.
            target: where to.
            receipts: what copies have read.
            overwrite: rows that only the target holds may go.
        """
        for dataset in STORED:
            if dataset.name == name:
                return DatasetCopy(dataset, self.bars, target.bars, receipts, overwrite=overwrite)
        if name.startswith(OPERATIONS):
            table = metadata.tables[name.removeprefix(OPERATIONS)]
            return TableCopy(
                table, self.operations, target.operations, receipts, overwrite=overwrite
            )
        return ReferenceCopy(name, self.reference, target.reference, receipts, overwrite=overwrite)


@contextmanager
def copying_alone(settings: Settings) -> Iterator[None]:
    """Be the only one who copies from, into or back within an installation.

    Raises:
        StoreConflictError: another does.
    """
    from filelock import FileLock, Timeout

    folder = settings.data_dir.resolve() / "copies"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise StoreConflictError(
                "another 'emp migrate-store', 'emp backup' or 'emp backfill rollback' is at work "
                f"on {folder.parent}: let it end"
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def warehouse_of(
    settings: Settings, servers: Servers | None, mode: Mode, *, making: bool
) -> Iterator[tuple[BarStore, ReferenceStore] | None]:
    """Bars, scores and reference tables of a mode; None where they are not there and not made.

    Args:
        settings: of the installation.
        servers: of institutional mode; not needed for the other.
        mode: bootstrap or institutional.
        making: make and migrate what is not there.
    """
    if mode is Mode.BOOTSTRAP or servers is None:
        yield files(settings.warehouse_place)
        return
    from adapters.timescale import factory

    patient = servers.timescale.model_copy(update={"statement_timeout_ms": READ_LIMIT_MS})
    opened = factory.open_connections(patient) if making else factory.open_existing(patient)
    if opened is None:
        yield None
        return
    try:
        yield factory.open_store(opened), factory.open_reference_tables(opened)
    finally:
        opened.close()


@contextmanager
def operations_of(
    settings: Settings, servers: Servers | None, mode: Mode, *, making: bool
) -> Iterator[Engine | None]:
    """The operations database of a mode; None where it is not there and not made."""
    url = settings.local_operations_url
    if mode is Mode.INSTITUTIONAL and servers is not None:
        url = servers.operations_url
    with typed_errors():
        engine = open_database(url) if making else open_existing(url)
    try:
        yield engine
    finally:
        if engine is not None:
            engine.dispose()


def files(root: Path | str) -> tuple[BarStore, ReferenceStore]:
    """Bars, scores and reference tables in a folder, or below a URI of an object store."""
    return DeltaBarStore(root, options_of(root)), ReferenceTables(root)
