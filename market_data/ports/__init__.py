"""What the domain needs from the outside, as protocols.

What belongs here: one protocol per file, with the promises that every adapter keeps. The contract
suites in tests/contract hold the adapters to them.
What does not: any implementation.
"""

from market_data.ports.annotations import Annotation, Annotations, Decision
from market_data.ports.bar_store import BarStore, TableVersion
from market_data.ports.clock import Clock
from market_data.ports.events import Event, EventPublisher
from market_data.ports.locks import Locks
from market_data.ports.macro_source import MacroAnswer, MacroSource
from market_data.ports.operations import (
    ActionLog,
    IngestRun,
    Journal,
    Ledger,
    QuarantineLog,
    Refused,
)
from market_data.ports.payload_archive import Payload, PayloadArchive
from market_data.ports.raw_log import Appended, RawLog
from market_data.ports.reports import Report, Reports
from market_data.ports.request_gate import (
    Allowance,
    Claim,
    OpenGate,
    RequestGate,
    Window,
)
from market_data.ports.shapes import AnswerShapes
from market_data.ports.vendor import (
    Capabilities,
    FetchRequest,
    FetchResult,
    Outcome,
    ReadsArchived,
    SymbolOutcome,
    SymbolRequest,
    Vendor,
)
from market_data.ports.vendors import Telling, Vendors

__all__ = [
    "ActionLog",
    "Allowance",
    "Annotation",
    "Annotations",
    "AnswerShapes",
    "Appended",
    "BarStore",
    "Capabilities",
    "Claim",
    "Clock",
    "Decision",
    "Event",
    "EventPublisher",
    "FetchRequest",
    "FetchResult",
    "IngestRun",
    "Journal",
    "Ledger",
    "Locks",
    "MacroAnswer",
    "MacroSource",
    "OpenGate",
    "Outcome",
    "Payload",
    "PayloadArchive",
    "QuarantineLog",
    "RawLog",
    "ReadsArchived",
    "Refused",
    "Report",
    "Reports",
    "RequestGate",
    "SymbolOutcome",
    "SymbolRequest",
    "TableVersion",
    "Telling",
    "Vendor",
    "Vendors",
    "Window",
]
