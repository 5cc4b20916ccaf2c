"""The two sides of an installation, bootstrap and institutional, and what is copied between them.

What belongs here: opening both sides at once, whatever EMP_MODE says; which parts are copied.
What does not: how a part is copied (market_data/pipeline/copying.py, adapters), the words of the
command (emp/commands/migrate_store.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.modes import Servers, check
from adapters.operations import SqlOutbox, open_database
from adapters.operations.copying import NOT_COPIED, TABLES
from adapters.settings import Mode, Settings
from adapters.sides import Side, copying_alone, files, operations_of, warehouse_of
from adapters.stores.copy_receipts import CopyReceipts
from adapters.stores.reference_tables import TABLES as REFERENCE_TABLES
from market_data.datasets import STORED
from market_data.errors import ConfigurationError
from market_data.pipeline.migration import Part

NAMES = (
    *(dataset.name for dataset in STORED),
    *REFERENCE_TABLES,
    *(f"operations/{table.name}" for table in TABLES),
)
"""Every part that is copied, in the order of copying."""

LEFT_OUT = tuple(f"operations/{table.name}" for table in NOT_COPIED)
"""Tables that stay where they are."""

_NO_SOURCE = {
    Mode.BOOTSTRAP: "EMP_DATA_DIR={folder} holds no bootstrap installation that is up to date: "
    "mend EMP_DATA_DIR, or run 'emp migrate' with EMP_MODE=bootstrap",
    Mode.INSTITUTIONAL: "the databases of TIMESCALEDB_URL and EMP_OPERATIONS_URL hold no "
    "installation that is up to date: mend them, or run 'emp migrate' with "
    "EMP_MODE=institutional",
}


@dataclass(frozen=True)
class Sides:
    """The parts to be copied, and how many events wait for brokers at the source."""

    parts: Sequence[Part]
    waiting_events: int


def chosen(names: Sequence[str]) -> list[str]:
    """The parts of these names, all where there is none.

    Raises:
        ConfigurationError: one is not a part.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ConfigurationError(
            f"--datasets: there is no {', '.join(unknown)}; there are {', '.join(NAMES)}"
        )
    return [name for name in NAMES if not names or name in names]


@contextmanager
def opened_sides(
    settings: Settings,
    to: Mode,
    names: Sequence[str],
    *,
    writing: bool,
    overwrite: bool = False,
) -> Iterator[Sides]:
    """Both sides of an installation, and the parts of these names.

    Args:
        settings: of the installation; its mode does not matter.
        to: the mode whose side is the target.
        names: of parts, see `chosen`.
        writing: the target is made and migrated where it is not; otherwise an empty stand-in takes
            the place of what is not there.
        overwrite: rows that only the target holds may go.

    Raises:
        ConfigurationError: a setting of the servers is missing or wrong, or there is no source.
        StoreConflictError: another copy is at work.
        StoreUnavailableError: a server does not answer.
    """
    wanted = chosen(names)
    problems, servers = check(settings)
    if servers is None:
        told = "; ".join(map(str, problems))
        raise ConfigurationError(f"nothing can be copied to or from institutional mode: {told}")
    folder = settings.data_dir.resolve() / "copies"
    with ExitStack() as stack:
        source = _source(stack, settings, servers, to)
        if writing:
            stack.enter_context(copying_alone(settings))
        target = _target(stack, settings, servers, to, making=writing)
        receipts = CopyReceipts(folder / "receipts.txt")
        parts = [source.part(name, target, receipts, overwrite=overwrite) for name in wanted]
        yield Sides(parts, SqlOutbox(source.operations).backlog().waiting)


def _source(stack: ExitStack, settings: Settings, servers: Servers, to: Mode) -> Side:
    """The side that is copied from; it has to be there, and nothing of it is changed."""
    origin = Mode.BOOTSTRAP if to is Mode.INSTITUTIONAL else Mode.INSTITUTIONAL
    warehouse = stack.enter_context(warehouse_of(settings, servers, origin, making=False))
    operations = stack.enter_context(operations_of(settings, servers, origin, making=False))
    if warehouse is None or operations is None:
        raise ConfigurationError(_NO_SOURCE[origin].format(folder=settings.data_dir))
    return Side(*warehouse, operations)


def _target(
    stack: ExitStack, settings: Settings, servers: Servers, to: Mode, *, making: bool
) -> Side:
    """The side that is copied to; where it is not there and not made, an empty one elsewhere."""
    warehouse = stack.enter_context(warehouse_of(settings, servers, to, making=making))
    operations = stack.enter_context(operations_of(settings, servers, to, making=making))
    if warehouse is None or operations is None:
        elsewhere = Path(stack.enter_context(TemporaryDirectory(prefix="emp-nothing-")))
        warehouse = warehouse or files(elsewhere)
        operations = operations or open_database(f"sqlite:///{elsewhere}/operations.sqlite")
    return Side(*warehouse, operations)
