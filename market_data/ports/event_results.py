"""What an event tells: one class for each thing that happens.

What belongs here: the kinds of result, their fields, and the dimension under which each is told.
What does not: the event around a result and its JSON form (market_data/ports/events.py), what is
said about a step (market_data/pipeline/telemetry.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from market_data.timeframes import Timeframe

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
    RETENTION = "retention"


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
    "data_retention": Dimension.RETENTION,
}


@dataclass(frozen=True, kw_only=True)
class OperationsReport:
    """A report on the installation itself, see market_data/operations.

    Attributes:
        report: its name: ingest_health, ingest_metrics, ingest_observability, ingest_trends,
            slo_report, daily_checklist or data_retention.
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


def _refuse_infinite(figures: Mapping[str, Figure]) -> None:
    wrong = [n for n, value in figures.items() if value is not None and not math.isfinite(value)]
    if wrong:
        raise ValueError(f"not a finite number: {', '.join(wrong)}")
