"""Telemetry: what a step tells about itself as events.

What belongs here: from what a step did to the events that say so.
What does not: the form of an event (market_data/ports/events.py), its way to listeners
(adapters/operations/outbox.py, adapters/kafka).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import polars as pl

from market_data.datasets import raw_bars
from market_data.pipeline.planning import IngestRequest
from market_data.ports.event_results import (
    IngestedSlice,
    IngestHealth,
    IngestMetrics,
    QualityScored,
)
from market_data.ports.events import Event
from market_data.ports.operations import IngestRun
from market_data.ports.redaction import sanitised_text

if TYPE_CHECKING:
    from market_data.pipeline.ingest import IngestReport
    from market_data.pipeline.landing import Landed

SYMBOLS_PER_EVENT = 500
"""More are told in several events, so that none outgrows what a broker takes."""
_REASONS = 20


def slice_events(run: IngestRun, landed: Landed) -> list[Event]:
    """What one answered question brought.

    The ids follow from the fetch: telling it twice is telling it once.
    """
    events = []
    for number, symbols in enumerate(_portions(run.symbols), start=1):
        result = IngestedSlice(
            vendor=run.vendor,
            dataset=raw_bars(run.vendor, run.timeframe).name,
            timeframe=run.timeframe,
            symbols=symbols,
            sessions=run.sessions,
            rows={s: landed.rows[s] for s in symbols if s in landed.rows},
            outcomes={s: str(landed.outcomes[s].outcome) for s in symbols},
            new_rows=landed.new,
            revised_rows=landed.revised,
            rejected_rows=landed.rejected,
            fetch_id=run.fetch_id,
            run_id=run.run_id,
            error=sanitised_text(run.error),
        )
        metadata = {
            "status": run.status,
            "started_at": run.started_at.isoformat(),
            "payloads": len(run.payloads),
            "part": number,
        }
        events.append(Event(result, run.ended_at, metadata, f"{run.fetch_id}.{number}"))
    return events


def ingest_events(request: IngestRequest, report: IngestReport, now: datetime) -> list[Event]:
    """Health and numbers of a whole ingest, its questions taken together."""
    events = []
    for symbols in _portions(tuple(report.outcomes)):
        missing = tuple(s for s in symbols if s in report.failed)
        reasons = [
            f"{s}: {report.outcomes[s].detail or report.outcomes[s].outcome}" for s in missing
        ]
        health = IngestHealth(
            vendor=request.vendor,
            timeframe=request.timeframe,
            symbols=symbols,
            sessions=(request.first, request.last),
            run_id=request.run_id,
            status=_status(report),
            reasons=tuple(sanitised_text(r) for r in (*report.errors, *reasons)[:_REASONS]),
            missing=missing,
        )
        events.append(Event(health, now))
    metrics = IngestMetrics(
        vendor=request.vendor,
        timeframe=request.timeframe,
        symbols=tuple(report.outcomes)[:SYMBOLS_PER_EVENT],
        sessions=(request.first, request.last),
        run_id=request.run_id,
        figures={
            "questions": report.fetches,
            "symbols": len(report.outcomes),
            "symbols_with_rows": len(report.rows),
            "symbols_in_trouble": len(report.failed),
            "symbol_sessions_known_before": report.answered,
            "rows": report.total_rows,
            "new_rows": report.new_rows,
            "revised_rows": report.revised_rows,
            "rejected_rows": report.rejected_rows,
        },
    )
    return [*events, Event(metrics, now)]


def score_events(
    scores: pl.DataFrame, sessions: tuple[date, date], rule_version: str, now: datetime
) -> list[Event]:
    """What the rows of SCORES of a slice say, one event per dataset and portion of its symbols.

    Args:
        scores: rows of SCORES.
        sessions: first and last session of the slice.
        rule_version: names the rules that made the scores.
        now: when it is told.
    """
    events = []
    for (dataset,), rows in scores.partition_by("dataset", as_dict=True).items():
        for symbols in _portions(tuple(rows["symbol"].unique().sort())):
            part = rows.filter(pl.col("symbol").is_in(symbols))
            result = QualityScored(
                dataset=str(dataset),
                symbols=symbols,
                sessions=sessions,
                statuses=dict(part["status"].value_counts().sort("status").iter_rows()),
                figures=_figures(part),
                red=tuple(part.filter(status="RED")["symbol"].unique().sort()),
                rule_version=rule_version,
            )
            events.append(Event(result, now))
    return events


def _figures(scores: pl.DataFrame) -> Mapping[str, float | None]:
    row = scores.select(
        score_min=pl.col("score").min(),
        score_mean=pl.col("score").mean(),
        coverage_min=pl.col("coverage").min(),
        drift_max=pl.col("drift_max").max(),
    ).cast(pl.Float64)
    # A number that is not finite is none that a listener could use.
    finite = row.with_columns(pl.when(pl.all().is_finite()).then(pl.all()).name.keep())
    return finite.row(0, named=True)


def _status(report: IngestReport) -> Literal["ok", "warn", "fail"]:
    if report.nothing_answered:
        return "fail"
    return "warn" if report.failed or report.errors else "ok"


def _portions(symbols: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(symbols), SYMBOLS_PER_EVENT):
        yield symbols[start : start + SYMBOLS_PER_EVENT]
