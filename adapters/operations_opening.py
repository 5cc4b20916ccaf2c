"""Opens the operations database of an installation, and its locks.

What belongs here: the ports of that database; who waits for whom where it can lock between
machines, and where it cannot. What does not: the stores (adapters/stores/opening.py), the platform
over all of them (adapters/backend.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.settings import Settings
from market_data.pipeline.platform import Unheard
from market_data.ports import (
    ActionLog,
    Annotations,
    Journal,
    Ledger,
    Locks,
    QuarantineLog,
    Reports,
)
from market_data.ports.automation import AutomationStates
from market_data.ports.backfills import Backfills
from market_data.ports.events import EventPublisher
from market_data.ports.failover import Failover
from market_data.ports.shapes import AnswerShapes

if TYPE_CHECKING:
    from adapters.operations import SqlAlerts, SqlOutbox
    from adapters.operations.messages import SqlRefreshMessages

JOB_TURN_SECONDS = 6 * 3600.0
"""How long a job waits for its turn."""
TURN_SECONDS = 0.1
"""How long a look at a turn of a backfill takes at most; none at all would mean for ever."""


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
    return _patient_locks(settings, operations, "jobs")


def open_ingest_locks(settings: Settings, operations: Operations) -> Locks:
    """Locks for whole fetches: between machines where the database can, else on this one.

    They lie apart from those of jobs, which fetch while they hold theirs: names share lock files.
    """
    return _patient_locks(settings, operations, "ingest")


def _patient_locks(settings: Settings, operations: Operations, folder: str) -> Locks:
    from adapters.stores.locks import NamedLocks

    place = settings.data_dir.resolve() / "locks" / folder
    return operations.job_locks or NamedLocks(place, JOB_TURN_SECONDS)
