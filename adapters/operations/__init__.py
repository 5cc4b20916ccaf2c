"""The operations database: what was asked, what came, what was refused, what is to be told.

What belongs here: the ports of market_data/ports/operations.py on SQLAlchemy, one class per file,
the tables, and their migrations. One set of tables serves SQLite and PostgreSQL.
What does not: bars and scores (adapters/stores), rules about market data (market_data).
"""

from adapters.operations.actions import SqlActionLog
from adapters.operations.alert_outbox import SqlAlertOutbox
from adapters.operations.alert_records import Kept, RouteHealth, Waiting
from adapters.operations.alerts import Evaluated, SqlAlerts
from adapters.operations.annotations import SqlAnnotations
from adapters.operations.automation_state import SqlAutomationStates
from adapters.operations.backfills import SqlBackfills
from adapters.operations.database import kept_database, open_database, reading, writing
from adapters.operations.failover import SqlFailover
from adapters.operations.journal import SqlJournal
from adapters.operations.leases import Lease
from adapters.operations.ledger import SqlLedger
from adapters.operations.outbox import Backlog, Pending, SqlOutbox
from adapters.operations.quarantine import SqlQuarantineLog
from adapters.operations.reports import SqlReports
from adapters.operations.shapes import SqlAnswerShapes

__all__ = [
    "Backlog",
    "Evaluated",
    "Kept",
    "Lease",
    "Pending",
    "RouteHealth",
    "SqlActionLog",
    "SqlAlertOutbox",
    "SqlAlerts",
    "SqlAnnotations",
    "SqlAnswerShapes",
    "SqlAutomationStates",
    "SqlBackfills",
    "SqlFailover",
    "SqlJournal",
    "SqlLedger",
    "SqlOutbox",
    "SqlQuarantineLog",
    "SqlReports",
    "Waiting",
    "kept_database",
    "open_database",
    "reading",
    "writing",
]
