"""What is wrong, and how far the platform has come with telling of it.

What belongs here: the records. What does not: their making (sources.py), their changes
(machine.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from market_data.alerts.parts import Part

NAMED_SYMBOLS = 50
"""How many symbols a trouble names; beyond, it counts."""


class Kind(StrEnum):
    """What sort of thing is wrong."""

    CHECK = "check"
    RUN = "run"
    STALE_DATA = "stale_data"
    TICK = "tick"
    BACKFILL = "backfill"
    DAEMON = "daemon"
    BREAKER = "breaker"
    ROUTE = "route"
    CACHE = "cache"
    KAFKA = "kafka"
    LATENCY = "latency"
    SLA = "sla"
    CUT_OFF = "cut_off"
    PARKED_MESSAGES = "parked_messages"
    FAILOVER = "failover"


class Severity(StrEnum):
    """How bad it is, in the words of the checks."""

    WARN = "warn"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Larger is worse."""
        return 2 if self is Severity.ERROR else 1


class Level(StrEnum):
    """How fast somebody has to come.

    SEV-1: no new data for the session, or nothing runs any more. SEV-2: part of the data is
    missing or wrong. SEV-3: warnings and small delays.
    """

    SEV1 = "SEV-1"
    SEV2 = "SEV-2"
    SEV3 = "SEV-3"


class Phase(StrEnum):
    """Where an alert stands.

    waiting: seen, and not yet old enough to be told. open: wrong. mended: right again, which the
    routes that were told of it shall hear. closed: nothing left to tell.
    """

    WAITING = "waiting"
    OPEN = "open"
    MENDED = "mended"
    CLOSED = "closed"


RUNBOOKS = {
    Kind.RUN: "failed-run",
    Kind.STALE_DATA: "stale-data",
    Kind.TICK: "failed-tick",
    Kind.BACKFILL: "stuck-backfill",
    Kind.DAEMON: "daemon-heartbeat",
    Kind.BREAKER: "vendor-limits",
    Kind.ROUTE: "alert-route-down",
    Kind.CACHE: "cache-health",
    Kind.KAFKA: "kafka-lag",
    Kind.LATENCY: "latency",
    Kind.SLA: "late-daily-run",
    Kind.CUT_OFF: "automation-cut-off",
    Kind.PARKED_MESSAGES: "parked-messages",
    Kind.FAILOVER: "store-failover",
}
"""The page of docs/runbooks that says what to do, by kind of trouble."""

CHECK_RUNBOOK = "failed-check"
CHECK_RUNBOOKS: Mapping[str, str] = {
    "ingest_health": "ingest-health",
    "ingest_trends": "ingest-health",
    "failover_drill": "store-failover",
    "slo_report": "objectives",
    "daily_checklist": "objectives",
    "data_retention": "data-retention",
    "schema": "check-schema",
    "coverage": "check-coverage",
    "staleness": "check-staleness",
    "drift": "check-drift",
    "duplicates": "check-duplicates",
    "ohlc": "check-ohlc",
    "price_sanity": "check-price-sanity",
    "false_ticks": "check-false-ticks",
    "volume": "check-volume",
    "consistency": "check-consistency",
}
"""The pages of checks that have their own; the others share CHECK_RUNBOOK."""


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        kind: what sort of thing.
        severity: how bad.
        group: troubles of one group keep their order and are collected: an asset, a sensor ...
        title: what is wrong, in a few words.
        detail: the first finding, or the error, in a sentence or two; no secret.
        asset: key of the asset, layer/dataset; empty where it is about none.
        check: name of the check; empty where it is about none.
        asset_group: the asset's group in the UI; empty where it is about none.
        owners: of the asset.
        sessions: first and last session, both included; None where it is about none.
        symbols: up to NAMED_SYMBOLS symbols that are affected.
        symbol_count: how many are.
        rows: rows that are affected; 0 where nobody counted.
        run_id: of the run that showed it; empty where none did.
        runbook: name of its page in docs/runbooks, without .md, perhaps with a place in it
            (check-drift#drift).
    """

    kind: Kind
    severity: Severity
    group: str
    title: str
    detail: str = ""
    asset: str = ""
    check: str = ""
    asset_group: str = ""
    owners: tuple[str, ...] = ()
    sessions: tuple[date, date] | None = None
    symbols: tuple[str, ...] = ()
    symbol_count: int = 0
    rows: int = 0
    run_id: str = ""
    runbook: str = ""


@dataclass(frozen=True)
class Sighting:
    """One look at one thing.

    Attributes:
        fingerprint: names the thing for good; never a text that changes from look to look.
        at: when it was so, aware.
        trouble: what is wrong with it; None where all is well.
        part: the sessions and symbols of the trouble that were looked at; None for all of it.
    """

    fingerprint: str
    at: datetime
    trouble: Trouble | None = None
    part: Part | None = None


@dataclass(frozen=True)
class Alert:
    """A trouble over time.

    Attributes:
        fingerprint: of the thing.
        trouble: as it was seen last.
        phase: where it stands.
        first_seen: when this trouble began.
        last_seen: the newest look at all of it, or at a part that is wrong.
        due: not told before.
        sightings: how often it was seen since it began.
        told: route to the id of the message that told it of this trouble.
        heard: route to the trouble as it was told, where it is another by now.
        mended: parts of it that are right, where looks were at parts.
        broken: parts that were seen wrong, where looks were at parts: a look that is read late must
            not bring back what broke after it.
    """

    fingerprint: str
    trouble: Trouble
    phase: Phase
    first_seen: datetime
    last_seen: datetime
    due: datetime
    sightings: int = 1
    told: Mapping[str, str] = field(default_factory=dict)
    heard: Mapping[str, Trouble] = field(default_factory=dict)
    mended: tuple[Part, ...] = ()
    broken: tuple[Part, ...] = ()

    def as_told_to(self, route: str) -> Alert:
        """With the trouble that a route was told of."""
        return replace(self, trouble=self.heard.get(route, self.trouble))

    def not_told_to(self, routes: Collection[str]) -> Alert:
        """As if these routes had never been told of it."""
        return replace(
            self,
            told={name: opening for name, opening in self.told.items() if name not in routes},
            heard={name: trouble for name, trouble in self.heard.items() if name not in routes},
        )
