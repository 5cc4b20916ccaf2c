"""Puts the adapters behind the ports, for callers outside Dagster: notebooks, command line.

What belongs here: which adapter stands behind which port in which mode.
What does not: Dagster's way to the same adapters (resources/platform.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.clock import SystemClock
from adapters.configuration import (
    load_expectations,
    load_thresholds,
    load_universe,
    rule_version,
    rule_versions,
)
from adapters.kept_open import KeptOpen
from adapters.macro_releases import load_macro_releases
from adapters.modes import decide
from adapters.requests.opening import Gates
from adapters.settings import Settings
from adapters.variables import read
from adapters.vendors.configured import ConfiguredVendors
from adapters.vendors.fred.feed import macro_feed
from market_data.pipeline.platform import Platform, Unheard
from market_data.ports import (
    ActionLog,
    Annotations,
    BarStore,
    Clock,
    Journal,
    Ledger,
    Locks,
    PayloadArchive,
    QuarantineLog,
    RawLog,
    Reports,
)
from market_data.ports.automation import AutomationStates
from market_data.ports.backfills import Backfills
from market_data.ports.events import EventPublisher
from market_data.ports.failover import Failover
from market_data.ports.shapes import AnswerShapes
from market_data.universe import Universe

if TYPE_CHECKING:
    from adapters.cache.redis_cache import RedisCache
    from adapters.cache.settings import RedisSettings
    from adapters.operations import SqlAlerts, SqlOutbox
    from adapters.operations.messages import SqlRefreshMessages
    from adapters.timescale.settings import TimescaleSettings


JOB_TURN_SECONDS = 6 * 3600.0
"""How long a job waits for its turn."""
TURN_SECONDS = 0.1
"""How long a look at a turn of a backfill takes at most; none at all would mean for ever."""
_CACHES: KeptOpen[RedisCache] = KeptOpen(lambda cache: cache.close())


@dataclass(frozen=True)
class Operations:
    """The ports of the operations database."""

    ledger: Ledger
    journal: Journal
    quarantine: QuarantineLog
    actions: ActionLog
    annotations: Annotations
    events: EventPublisher
    reports: Reports
    outbox: SqlOutbox
    """What waits for delivery; `events` writes to it where somebody listens."""
    alerts: SqlAlerts
    shapes: AnswerShapes
    locks: Locks | None
    """Between machines, where the database can; None where it serves one machine."""
    backfills: Backfills
    automation: AutomationStates
    messages: SqlRefreshMessages
    """Messages that ask for a refresh: how far they were taken, which were parked."""
    failover: Failover
    turn_locks: Locks | None = None
    """The same for turns of backfills, which nobody waits for."""
    job_locks: Locks | None = None
    """The same for whole jobs, which wait for each other for hours."""


def open_lake(root: str) -> tuple[RawLog, PayloadArchive]:
    """The raw log and the payload archive below a folder, or a URI of an object store.

    Raises:
        ConfigurationError: of an object store, a setting is missing or wrong.
    """
    from adapters.stores.delta_raw_log import DeltaRawLog
    from adapters.stores.object_settings import options_of
    from adapters.stores.payload_files import PayloadFiles
    from adapters.stores.payload_objects import PayloadObjects

    options = options_of(root)
    if options is None:
        return DeltaRawLog(root), PayloadFiles(f"{root}/payloads")
    return DeltaRawLog(root, options), PayloadObjects(f"{root}/payloads", options)


def open_warehouse(root: str) -> BarStore:
    """The store of curated and scored datasets below a folder, or a URI of an object store.

    Raises:
        ConfigurationError: of an object store, a setting is missing or wrong.
    """
    from adapters.stores.delta_bar_store import DeltaBarStore
    from adapters.stores.object_settings import options_of

    return DeltaBarStore(root, options_of(root))


def open_cached_warehouse(root: str) -> BarStore:
    """The same, read through a cache in the memory of this process."""
    from adapters.cache.cached_store import CachedBarStore
    from adapters.cache.memory import MemoryCache

    return CachedBarStore(open_warehouse(root), MemoryCache())


def open_timescale(
    timescale: TimescaleSettings,
    redis: RedisSettings,
    *,
    cached_reads: bool = True,
    kept: bool = False,
) -> BarStore:
    """The store of curated and scored datasets on TimescaleDB, read through Redis.

    TimescaleDB is connected to, and migrated, by the first use of the store; where it does not
    answer then, that use raises StoreUnavailableError.

    Args:
        timescale: where the rows are.
        redis: where answers are remembered.
        cached_reads: False for a writer that must see its own rows and free what they replace.
        kept: over the connections that this process keeps open.

    Raises:
        ConfigurationError: Redis refuses the login.
    """
    from adapters.cache.cached_store import CachedBarStore
    from adapters.stores.lazy import LazyBarStore

    def connected() -> BarStore:
        from adapters.timescale.factory import kept_connections, open_connections, open_store

        return open_store(kept_connections(timescale) if kept else open_connections(timescale))

    cache = open_redis_cache(redis, kept=kept)
    return CachedBarStore(LazyBarStore(connected), cache, reads=cached_reads)


def open_redis_cache(redis: RedisSettings, *, kept: bool = False) -> RedisCache:
    """The cache that all processes share.

    Args:
        redis: where it is.
        kept: over the connections that this process keeps open; nobody closes it then.

    Raises:
        ConfigurationError: Redis refuses the login.
    """
    from adapters.cache.policy import RedisCacheSettings
    from adapters.cache.redis_cache import RedisCache

    policy = read(RedisCacheSettings).policy()
    place = (redis, policy)
    cache = (_CACHES.find(place) if kept else None) or RedisCache(redis, policy)
    cache.check()
    return _CACHES.keep(place, cache) if kept else cache


def open_operations(url: str, *, streaming: bool = False, kept: bool = False) -> Operations:
    """The operations database at a SQLAlchemy URL, migrated to its newest version.

    Args:
        url: sqlite:///... or postgresql://...
        streaming: events are kept for delivery to Kafka.
        kept: over the connections that this process keeps open.
    """
    from adapters.operations import (
        SqlActionLog,
        SqlAlerts,
        SqlAnnotations,
        SqlAnswerShapes,
        SqlAutomationStates,
        SqlBackfills,
        SqlFailover,
        SqlJournal,
        SqlLedger,
        SqlOutbox,
        SqlQuarantineLog,
        SqlReports,
        kept_database,
        open_database,
    )
    from adapters.operations.messages import SqlRefreshMessages
    from adapters.timescale.locks import AdvisoryLocks

    engine = kept_database(url) if kept else open_database(url)
    outbox = SqlOutbox(engine)
    listening = outbox if streaming else None
    shared = engine.dialect.name == "postgresql"
    return Operations(
        ledger=SqlLedger(engine, listening),
        journal=SqlJournal(engine),
        quarantine=SqlQuarantineLog(engine),
        actions=SqlActionLog(engine),
        annotations=SqlAnnotations(engine),
        events=outbox if streaming else Unheard(),
        reports=SqlReports(engine, listening),
        outbox=outbox,
        alerts=SqlAlerts(engine),
        shapes=SqlAnswerShapes(engine),
        locks=AdvisoryLocks(engine) if shared else None,
        backfills=SqlBackfills(engine),
        automation=SqlAutomationStates(engine),
        messages=SqlRefreshMessages(engine),
        failover=SqlFailover(engine),
        turn_locks=AdvisoryLocks(engine, TURN_SECONDS) if shared else None,
        job_locks=AdvisoryLocks(engine, JOB_TURN_SECONDS) if shared else None,
    )


def open_locks(settings: Settings) -> Locks:
    """Locks between the processes of this machine that share a data folder."""
    from adapters.stores.locks import NamedLocks

    return NamedLocks(settings.data_dir.resolve() / "locks")


def open_job_locks(settings: Settings, operations: Operations) -> Locks:
    """Locks for whole jobs: between machines where the database can, else on this one.

    They lie apart from those that a job's own steps take.
    """
    from adapters.stores.locks import NamedLocks

    folder = settings.data_dir.resolve() / "locks" / "jobs"
    return operations.job_locks or NamedLocks(folder, JOB_TURN_SECONDS)


def open_ingest_locks(settings: Settings, operations: Operations) -> Locks:
    """Locks for whole fetches: between machines where the database can, else on this one.

    They lie apart from those of jobs, which fetch while they hold theirs: names share lock files.
    """
    from adapters.stores.locks import NamedLocks

    folder = settings.data_dir.resolve() / "locks" / "ingest"
    return operations.job_locks or NamedLocks(folder, JOB_TURN_SECONDS)


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
