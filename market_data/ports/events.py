"""The events port: what happened, told to whoever listens.

What belongs here: the kinds of event, their one JSON form, and the promise of a publisher.
What does not: topics, brokers, delivery (adapters/kafka), what an event says about a step
(market_data/pipeline/telemetry.py).

The JSON form, UTF-8, is one object:

    {"emitted_at": "2024-01-02T21:05:00.000000Z",
     "result": {"kind": "ingested_slice", ...the fields of the class, mappings as objects},
     "metadata": {"event_id": "...", "dimension": "daily_bars", "version": 1, ...}}

`event_id` names the event once: the same event may arrive twice, and a listener that has seen its
id leaves it out. An event's key, by which a topic keeps order, is its first symbol, or the name of
the report that it is.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import TypeAdapter, ValidationError

from market_data.errors import SchemaError
from market_data.ports.redaction import sanitised
from market_data.timeframes import Timeframe

VERSION = 1
"""Of the JSON form; raised when a field changes its meaning or goes."""

Figure: TypeAlias = int | float | None
"""A number; None where it is not known."""


class Dimension(StrEnum):
    """What an event is about; each has its topic."""

    DAILY_BARS = "daily_bars"
    INTRADAY_BARS = "intraday_bars"
    HEALTH = "health"
    METRICS = "metrics"
    QUALITY = "quality"
    OBSERVABILITY = "observability"
    TRENDS = "trends"
    SLOS = "slos"
    CHECKLIST = "checklist"


@dataclass(frozen=True, kw_only=True)
class IngestedSlice:
    """One question to a vendor, answered and kept.

    Attributes:
        vendor: who was asked.
        dataset: where the rows lie, for instance raw/yahoo_bars_1d.
        timeframe: of the bars.
        symbols: that were asked for, at least one.
        sessions: first and last session asked for, both included.
        rows: bars received per symbol; a symbol without any is not in it.
        outcomes: rows, nothing, unavailable, refused, failed or not asked, per symbol.
        new_rows: of all rows those that the log did not know; of the whole answer.
        revised_rows: of these, those that revise a known bar; of the whole answer.
        rejected_rows: rows that could not become a bar; of the whole answer.
        fetch_id: names the question in journal, ledger and raw log.
        run_id: of the run that asked; empty outside a run.
        error: what ended the answer early; empty where nothing did.
    """

    kind: Literal["ingested_slice"] = "ingested_slice"
    vendor: str
    dataset: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    rows: Mapping[str, int]
    outcomes: Mapping[str, str]
    new_rows: int
    revised_rows: int
    rejected_rows: int
    fetch_id: str
    run_id: str
    error: str = ""

    @property
    def dimension(self) -> Dimension:
        """Daily or intraday bars."""
        return Dimension.INTRADAY_BARS if self.timeframe.is_intraday else Dimension.DAILY_BARS


@dataclass(frozen=True, kw_only=True)
class IngestHealth:
    """Whether an ingest brought what was asked for.

    Attributes:
        status: ok; warn, where some symbols brought trouble; fail, where none was answered.
        reasons: one sentence per trouble.
        missing: symbols that were refused or failed.
    """

    kind: Literal["ingest_health"] = "ingest_health"
    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    run_id: str
    status: Literal["ok", "warn", "fail"]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def dimension(self) -> Dimension:
        """Health."""
        return Dimension.HEALTH


@dataclass(frozen=True, kw_only=True)
class IngestMetrics:
    """The numbers of an ingest.

    Attributes:
        figures: name to number, finite or None.
    """

    kind: Literal["ingest_metrics"] = "ingest_metrics"
    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    run_id: str
    figures: Mapping[str, Figure]

    def __post_init__(self) -> None:
        _refuse_infinite(self.figures)

    @property
    def dimension(self) -> Dimension:
        """Metrics."""
        return Dimension.METRICS


@dataclass(frozen=True, kw_only=True)
class QualityScored:
    """Scores of a slice of curated bars.

    Attributes:
        dataset: the scored dataset, for instance curated/bars_1d.
        statuses: GREEN, YELLOW, RED to the number of symbol-sessions.
        figures: lowest and mean score, lowest coverage; finite or None.
        red: symbols with a red session.
        rule_version: names the rules that made the scores.
    """

    kind: Literal["quality_scored"] = "quality_scored"
    dataset: str
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    statuses: Mapping[str, int]
    figures: Mapping[str, Figure]
    red: tuple[str, ...]
    rule_version: str

    def __post_init__(self) -> None:
        _refuse_infinite(self.figures)

    @property
    def dimension(self) -> Dimension:
        """Quality."""
        return Dimension.QUALITY


_SUBJECTS = {
    "ingest_health": Dimension.HEALTH,
    "ingest_metrics": Dimension.METRICS,
    "ingest_observability": Dimension.OBSERVABILITY,
    "ingest_trends": Dimension.TRENDS,
    "slo_report": Dimension.SLOS,
    "daily_checklist": Dimension.CHECKLIST,
}


@dataclass(frozen=True, kw_only=True)
class OperationsReport:
    """A report on the installation itself, see market_data/operations.

    Attributes:
        report: its name: ingest_health, ingest_metrics, ingest_observability, ingest_trends,
            slo_report or daily_checklist.
        status: ok, warn or fail.
        body: the whole report as JSON values, without secrets.

    Raises:
        ValueError: there is no report of this name.
    """

    kind: Literal["operations_report"] = "operations_report"
    report: str
    status: Literal["ok", "warn", "fail"]
    body: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.report not in _SUBJECTS:
            raise ValueError(f"there is no report {self.report!r}")

    @property
    def dimension(self) -> Dimension:
        """What the report is about."""
        return _SUBJECTS[self.report]


Result: TypeAlias = IngestedSlice | IngestHealth | IngestMetrics | QualityScored | OperationsReport
_RESERVED = ("event_id", "dimension", "version")


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        result: what; names at least one symbol, unless it is a report.
        emitted_at: when it was told, aware; kept in UTC.
        metadata: whatever else helps a reader, as JSON values. Secrets are taken out when the
            event is made, see market_data/ports/redaction.py.
        event_id: names the event once, however often it is sent.

    Raises:
        ValueError: the time has no zone, no symbol is named, or metadata uses a name of the form.
    """

    result: Result
    emitted_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.emitted_at.tzinfo is None:
            raise ValueError(f"{self.emitted_at} has no time zone")
        if not isinstance(self.result, OperationsReport) and not self.result.symbols:
            raise ValueError("an event is about at least one symbol: the first is its key")
        taken = [name for name in _RESERVED if name in self.metadata]
        if taken:
            raise ValueError(f"metadata cannot be named {', '.join(taken)}")
        object.__setattr__(self, "emitted_at", self.emitted_at.astimezone(UTC))
        object.__setattr__(self, "metadata", sanitised(self.metadata))

    @property
    def key(self) -> str:
        """The first symbol, or the name of a report; events of one key keep their order."""
        if isinstance(self.result, OperationsReport):
            return self.result.report
        return self.result.symbols[0]

    @property
    def dimension(self) -> Dimension:
        """What it is about."""
        return self.result.dimension

    def to_json(self) -> str:
        """The JSON form, pure ASCII."""
        content = {
            "emitted_at": f"{self.emitted_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "result": _results().dump_python(self.result, mode="json"),
            "metadata": {
                "event_id": self.event_id,
                "dimension": self.dimension,
                "version": VERSION,
                **self.metadata,
            },
        }
        return json.dumps(content, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """The event of a JSON form.

        Raises:
            SchemaError: the text is not of this form, or of a later version of it.
        """
        try:
            content = json.loads(text)
            metadata = dict(content["metadata"])
            if metadata.pop("version") != VERSION:
                raise SchemaError(f"event: only version {VERSION} of the form is known")
            metadata.pop("dimension")
            event = cls(
                result=_results().validate_python(content["result"]),
                emitted_at=datetime.fromisoformat(content["emitted_at"]),
                event_id=str(metadata.pop("event_id")),
            )
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            # Not repeated: what came may be anything, and of any length.
            raise SchemaError(f"event: not of the promised form ({type(error).__name__})") from None
        # As it was sent: it was cleaned when the event was made.
        object.__setattr__(event, "metadata", metadata)
        return event


class EventPublisher(Protocol):
    """Takes events for delivery."""

    def publish(self, events: Sequence[Event]) -> None:
        """Take events, in their order.

        What was taken arrives even if this process dies or the broker is away; an event with an
        id that is known is taken once.
        """
        ...


@cache
def _results() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def _refuse_infinite(figures: Mapping[str, Figure]) -> None:
    wrong = [n for n, value in figures.items() if value is not None and not math.isfinite(value)]
    if wrong:
        raise ValueError(f"not a finite number: {', '.join(wrong)}")
