"""Puts the adapters behind the ports, for callers outside Dagster: notebooks, command line.

What belongs here: which adapter stands behind which port in which mode.
What does not: Dagster's way to the same adapters (resources/platform.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from adapters.clock import SystemClock
from adapters.configuration import load_thresholds, load_universe, rule_version
from adapters.settings import Settings
from adapters.vendors.delays import delay_of, settling_of
from market_data.pipeline.platform import Platform
from market_data.ports import (
    ActionLog,
    BarStore,
    Clock,
    Journal,
    Ledger,
    Locks,
    PayloadArchive,
    QuarantineLog,
    RawLog,
    Vendor,
)
from market_data.universe import Universe


@dataclass(frozen=True)
class Operations:
    """The ports of the operations database."""

    ledger: Ledger
    journal: Journal
    quarantine: QuarantineLog
    actions: ActionLog


def open_lake(root: str) -> tuple[RawLog, PayloadArchive]:
    """The raw log and the payload archive below a folder."""
    from adapters.stores.delta_raw_log import DeltaRawLog
    from adapters.stores.payload_files import PayloadFiles

    return DeltaRawLog(root), PayloadFiles(f"{root}/payloads")


def open_warehouse(root: str) -> BarStore:
    """The store of curated and scored datasets below a folder."""
    from adapters.stores.delta_bar_store import DeltaBarStore

    return DeltaBarStore(root)


def open_operations(url: str) -> Operations:
    """The operations database at a SQLAlchemy URL, migrated to its newest version."""
    from adapters.operations import (
        SqlActionLog,
        SqlJournal,
        SqlLedger,
        SqlQuarantineLog,
        open_database,
    )

    engine = open_database(url)
    return Operations(
        SqlLedger(engine), SqlJournal(engine), SqlQuarantineLog(engine), SqlActionLog(engine)
    )


def open_locks(settings: Settings) -> Locks:
    """Locks between the processes of this machine that share a data folder."""
    from adapters.stores.locks import NamedLocks

    return NamedLocks(settings.data_dir.resolve() / "locks")


def assemble(
    settings: Settings,
    *,
    lake: tuple[RawLog, PayloadArchive],
    store: BarStore,
    operations: Operations,
    locks: Locks | None = None,
    clock: Clock | None = None,
    universe: Universe | None = None,
) -> Platform:
    """The platform over given adapters; the universe is the configured one unless given.

    Raises:
        ConfigurationError: naming the file and the entry that is missing or wrong.
    """
    universe = universe or load_universe(settings)
    thresholds = load_thresholds(settings)
    raw_log, payloads = lake

    def vendor(
        name: str,
        path: str | None = None,
        spec: str | None = None,
        prices_as_of: date | None = None,
    ) -> Vendor:
        from adapters.vendors.registry import build_vendor

        return build_vendor(
            universe.vendor(name),
            settings=settings,
            path=path,
            spec=spec,
            prices_as_of=prices_as_of,
            earliest=universe.earliest_bar,
        )

    return Platform(
        universe=universe,
        thresholds=thresholds,
        rule_version=rule_version(universe, thresholds),
        store=store,
        raw_log=raw_log,
        payloads=payloads,
        ledger=operations.ledger,
        journal=operations.journal,
        quarantine=operations.quarantine,
        actions=operations.actions,
        clock=clock or SystemClock(),
        locks=locks or open_locks(settings),
        vendor=vendor,
        delay=lambda name: delay_of(universe.vendor(name).reader),
        settling=lambda name: settling_of(universe.vendor(name).reader),
    )


def open_platform(settings: Settings, *, clock: Clock | None = None) -> Platform:
    """The platform that the settings describe."""
    return assemble(
        settings,
        lake=open_lake(str(settings.lake_root)),
        store=open_warehouse(str(settings.warehouse_root)),
        operations=open_operations(settings.local_operations_url),
        clock=clock,
    )
