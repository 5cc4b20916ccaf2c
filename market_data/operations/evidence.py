"""What the reports on operations are made from.

What belongs here: the record and its frames. What does not: gathering it
(market_data/pipeline/observing.py), judging it (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from market_data.operations.attempts import ATTEMPTS, DAILY, INTRADAY
from market_data.ports import Report
from market_data.retention.leaving import Leaving
from market_data.schemas import SCORES, UTC

REACH = pl.Schema(
    {
        "dimension": pl.String(),
        "timeframe": pl.String(),
        "symbol": pl.String(),
        "newest": pl.Date(),
        "newest_end": UTC,
        "due_warn": pl.Date(),
        "due_error": pl.Date(),
    }
)
"""How far the stored bars of a watched symbol reach: its newest session and when the newest bar
ended, null where none is stored; the sessions that should be there by now, and for long."""

EVENTS = pl.Schema({"symbol": pl.String(), "session": pl.Date(), "status": pl.String()})
"""Macro events whose day has come, see market_data/macro/schemas.py."""

HISTORY = pl.Schema(
    {
        "dataset": pl.String(),
        "symbol": pl.String(),
        "oldest": pl.Date(),
        "newest": pl.Date(),
        "rows": pl.Int64(),
        "empty_months": pl.Int64(),
        "listed": pl.Date(),
        "rule": pl.String(),
        "target_days": pl.Int64(),
        "minimum_days": pl.Int64(),
    }
)
"""History of a symbol of a dataset ("*": of the whole dataset): its oldest and newest session, null
where there is none; months without any row between others; the listing, before which nothing is
asked for; and what config/retention.yaml asks for."""

DELIVERIES = pl.Schema({"dimension": pl.String(), "emitted_at": UTC, "sent_at": UTC})
"""Events that reached the broker."""


@dataclass(frozen=True)
class Evidence:
    """What was seen of an installation at one moment.

    Attributes:
        at: the moment, UTC.
        attempts: rows of ATTEMPTS.
        reach: rows of REACH: one per timeframe and symbol that is kept current.
        scores: rows of SCORES of the newest weeks.
        events: rows of EVENTS of the newest weeks.
        deliveries: rows of DELIVERIES; none where nobody listens.
        quarantined: rows that wait for a decision.
        open_alerts: alerts that are open, of anything but these reports.
        former: the newest reports of other parts by name: readiness, market_slice,
            ingest_failover, failover_drill, ingest_recovery, failed_sessions.
        history: rows of HISTORY, where a report on retention is made.
        leaving: what may go by the policy, per dataset; the same.
    """

    at: datetime
    attempts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ATTEMPTS))
    reach: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REACH))
    scores: pl.DataFrame = field(default_factory=SCORES.empty)
    events: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EVENTS))
    deliveries: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DELIVERIES))
    quarantined: int = 0
    open_alerts: int = 0
    former: Sequence[Report] = ()
    history: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HISTORY))
    leaving: Sequence[Leaving] = ()

    def attempts_since(self, window: timedelta) -> pl.DataFrame:
        """Attempts that were begun in the time before the moment."""
        return self.attempts.filter(pl.col("started_at") >= self.at - window)

    def scores_since(self, window: timedelta) -> pl.DataFrame:
        """Scores of the sessions of that time, with their `dimension`."""
        daily = pl.col("dataset").str.ends_with("_1d")
        return self.scores.filter(pl.col("session") >= (self.at - window).date()).with_columns(
            dimension=pl.when(daily).then(pl.lit(DAILY)).otherwise(pl.lit(INTRADAY))
        )

    def events_since(self, window: timedelta) -> pl.DataFrame:
        """Macro events of that time."""
        return self.events.filter(pl.col("session") >= (self.at - window).date())

    def report(self, name: str) -> Report | None:
        """The newest report of a part; None where it made none."""
        return next((report for report in self.former if report.name == name), None)
