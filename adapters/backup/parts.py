"""The parts of a backup, and opening both sides of one.

What belongs here: which tables are copied in which order, the side of an installation, that of a
folder, what a side holds. What does not: copying (creating.py, restoring.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from adapters.backup.manifest import OPERATIONS_FILE, WAREHOUSE
from adapters.modes import Installation
from adapters.operations import open_database
from adapters.operations.database import reading
from adapters.operations.models import leases, metadata, outbox
from adapters.sides import OPERATIONS, Side, files, operations_of, warehouse_of
from adapters.stores.reference_tables import TABLES as REFERENCE_TABLES
from market_data.datasets import STORED
from market_data.errors import ConfigurationError

LEFT_OUT = tuple(f"{OPERATIONS}{table.name}" for table in (leases, outbox))
"""Of running processes: who works, and what waits for its brokers."""

PARTS = (
    *(d.name for d in sorted(STORED, key=lambda d: d.name.startswith("curated/"))),
    *REFERENCE_TABLES,
    *(
        name
        for table in metadata.sorted_tables
        if (name := f"{OPERATIONS}{table.name}") not in LEFT_OUT
    ),
)
"""What is copied row by row, in this order: what is not curated stands on what is."""

_COLUMNS = {dataset.name: dataset.schema.names for dataset in STORED}


def held(side: Side) -> dict[str, int]:
    """Rows of each part that has any."""
    found = {d.name: int(side.bars.counts(d)["rows"].sum()) for d in STORED}
    for name in REFERENCE_TABLES:
        try:
            found[name] = side.reference.get(name).height
        except FileNotFoundError:
            found[name] = 0
    with reading(side.operations) as connection:
        for name in PARTS:
            if name.startswith(OPERATIONS):
                table = metadata.tables[name.removeprefix(OPERATIONS)]
                query = sa.select(sa.func.count()).select_from(table)
                found[name] = int(connection.execute(query).scalar_one())
    return {name: rows for name, rows in found.items() if rows}


def columns_of(name: str, side: Side) -> tuple[str, ...]:
    """The columns of a part, sorted as digests take them."""
    if name in _COLUMNS:
        return tuple(sorted(_COLUMNS[name]))
    if name.startswith(OPERATIONS):
        return tuple(sorted(metadata.tables[name.removeprefix(OPERATIONS)].columns.keys()))
    try:
        return tuple(sorted(side.reference.get(name).columns))
    except FileNotFoundError:
        return ()


@contextmanager
def installation_side(found: Installation, *, making: bool) -> Iterator[Side]:
    """What an installation keeps beside the lake.

    Args:
        found: with its mode decided.
        making: make and migrate what is not there.

    Raises:
        ConfigurationError: it is not there, and not to be made.
        StoreUnavailableError: a server does not answer.
    """
    settings, servers, mode = found.settings, found.servers, found.mode
    with ExitStack() as stack:
        warehouse = stack.enter_context(warehouse_of(settings, servers, mode, making=making))
        operations = stack.enter_context(operations_of(settings, servers, mode, making=making))
        if warehouse is None or operations is None:
            raise ConfigurationError(
                f"there is no {mode} installation that is up to date, neither in EMP_DATA_DIR="
                f"{settings.data_dir} nor on its servers: mend the settings, or run 'emp migrate'"
            )
        yield Side(*warehouse, operations)


@contextmanager
def folder_side(folder: Path) -> Iterator[Side]:
    """The warehouse and the operations database of a backup, made where they are not there."""
    file = folder / OPERATIONS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{file}")
    try:
        yield Side(*files(folder / WAREHOUSE), engine)
    finally:
        engine.dispose()
