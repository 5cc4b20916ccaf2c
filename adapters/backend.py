"""Puts the adapters behind the ports, for callers outside Dagster: notebooks, command line.

What belongs here: which adapter stands behind which port in which mode.
What does not: opening the stores (adapters/stores/opening.py) and the operations database
(operations_opening.py), Dagster's way to the same adapters (resources/platform.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.clock import SystemClock
from adapters.configuration import (
    load_expectations,
    load_thresholds,
    load_universe,
    rule_version,
    rule_versions,
)
from adapters.macro_releases import load_macro_releases
from adapters.modes import decide
from adapters.operations_opening import Operations, open_locks, open_operations
from adapters.requests.opening import Gates
from adapters.settings import Settings
from adapters.stores.opening import open_cached_warehouse, open_lake, open_timescale
from adapters.vendors.configured import ConfiguredVendors
from adapters.vendors.fred.feed import macro_feed
from market_data.pipeline.platform import Platform
from market_data.ports import BarStore, Clock, Locks, PayloadArchive, RawLog
from market_data.universe import Universe

if TYPE_CHECKING:
    from adapters.cache.settings import RedisSettings


def open_gates(settings: Settings, clock: Clock | None = None) -> Gates:
    """Where an installation counts its requests to vendors; opened when it is used.

    Raises:
        ConfigurationError: naming every setting that is missing or wrong.
    """
    servers = decide(settings).servers
    return Gates(settings, clock or SystemClock(), servers.redis if servers else None)


def assemble(
    settings: Settings,
    *,
    lake: tuple[RawLog, PayloadArchive],
    store: BarStore,
    operations: Operations,
    locks: Locks | None = None,
    clock: Clock | None = None,
    universe: Universe | None = None,
    redis: RedisSettings | None = None,
) -> Platform:
    """The platform over given adapters; the universe is the configured one unless given.

    Args:
        settings: of the installation.
        lake: raw log and payload archive.
        store: curated and scored datasets.
        operations: ports of the operations database.
        locks: between writers; None for those of the database, or of this machine.
        clock: None for the machine's.
        universe: None for the configured one.
        redis: where several machines count their requests to vendors together; None for this one
            alone.

    Raises:
        ConfigurationError: naming the file and the entry that is missing or wrong.
    """
    universe = universe or load_universe(settings)
    thresholds = load_thresholds(settings)
    raw_log, payloads = lake
    clock = clock or SystemClock()
    gates = Gates(settings, clock, redis)

    return Platform(
        universe=universe,
        thresholds=thresholds,
        rule_version=rule_version(universe, thresholds),
        rule_versions=rule_versions(universe, thresholds),
        store=store,
        raw_log=raw_log,
        payloads=payloads,
        ledger=operations.ledger,
        journal=operations.journal,
        quarantine=operations.quarantine,
        actions=operations.actions,
        annotations=operations.annotations,
        clock=clock,
        locks=locks or operations.locks or open_locks(settings),
        events=operations.events,
        vendors=ConfiguredVendors(universe, settings, gates),
        macro=macro_feed(load_macro_releases(settings), gates),
        shapes=operations.shapes,
        expectations=load_expectations(settings),
    )


def open_platform(
    settings: Settings, *, clock: Clock | None = None, universe: Universe | None = None
) -> Platform:
    """The platform that the settings describe, in the mode that they decide.

    Raises:
        ConfigurationError: naming every setting that is missing or wrong.
    """
    found = decide(settings)
    servers = found.servers
    return assemble(
        settings,
        lake=open_lake(settings.lake_place),
        store=open_timescale(servers.timescale, servers.redis)
        if servers
        else open_cached_warehouse(settings.warehouse_place),
        operations=open_operations(
            found.operations_url, streaming=servers is not None and servers.kafka.streaming
        ),
        clock=clock,
        universe=universe,
        redis=servers.redis if servers else None,
    )
