"""What a question about macro releases leaves in the ledger, and what listeners are told of it.

What belongs here: rows of LEDGER and events from what was asked and what came.
What does not: asking (macro_ingest.py), reading them again (macro_explained.py), the form of an
event (market_data/ports/events.py).

The ledger's rows of macro releases have a timeframe of their own, so that no bar's are mixed with
them: per day whether its dates were asked for, under DATES; per series and date of its release
whether the value came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from market_data.macro.calendar import LATE_DAYS
from market_data.ports import IngestRun, Outcome, SymbolOutcome
from market_data.ports.event_results import IngestHealth, IngestMetrics
from market_data.ports.events import Event
from market_data.ports.redaction import sanitised_text
from market_data.schemas import LEDGER, UTC

RELEASES, OBSERVATIONS = "fred_releases", "fred_observations"
"""Whose attempts these are in journal and ledger: questions about dates, and about values."""
TIMEFRAME = "macro"
"""Stands in the ledger where the rows of bars have their timeframe."""
DATES = "*"
"""Stands there for every release: a day's dates are asked for together."""
SERIES = "fred:"
"""Goes there before the name of a series: no symbol of an instrument begins so."""
_DETAIL = 500
_MOST = 500
_REASONS = 20


def date_rows(
    attempt: IngestRun, found: pl.DataFrame | None, outcome: SymbolOutcome
) -> pl.DataFrame:
    """One row of LEDGER per day whose dates were asked for.

    Args:
        attempt: the question.
        found: column session, a row per date that was named; None where nobody answered.
        outcome: what became of the question; `rows` and `nothing` follow from the dates.
    """
    first, last = attempt.sessions
    days = pl.DataFrame({"session": pl.date_range(first, last, eager=True)})
    counts = days.clear() if found is None else found
    rows = days.join(
        counts.group_by("session").agg(rows=pl.len()), on="session", how="left"
    ).with_columns(symbol=pl.lit(DATES), rows=pl.col("rows").fill_null(0))
    return _ledger(attempt, rows, {DATES: outcome})


def value_rows(
    attempt: IngestRun,
    due: pl.DataFrame,
    seen: pl.DataFrame,
    outcomes: Mapping[str, SymbolOutcome],
) -> pl.DataFrame:
    """One row of LEDGER per series and date of its release that was asked about.

    Args:
        attempt: the question.
        due: columns symbol (the series), session (the date of a release).
        seen: columns symbol, session: the days on which FRED gave values.
        outcomes: per series.
    """
    near = pl.col("session_seen").is_between(
        pl.col("session"), pl.col("session") + pl.duration(days=LATE_DAYS)
    )
    counted = (
        due.join(seen.select("symbol", session_seen="session"), on="symbol")
        .filter(near)
        .group_by("symbol", "session")
        .agg(rows=pl.len())
    )
    rows = due.join(counted, on=["symbol", "session"], how="left", maintain_order="left")
    named = rows.with_columns(pl.col("rows").fill_null(0), symbol=SERIES + pl.col("symbol"))
    return _ledger(attempt, named, {SERIES + name: o for name, o in outcomes.items()})


def told(
    attempt: IngestRun, outcomes: Mapping[str, SymbolOutcome], figures: Mapping[str, int]
) -> list[Event]:
    """Health and numbers of a question, for listeners.

    The ids follow from the fetch: telling it twice is telling it once.

    Args:
        attempt: the question, answered.
        outcomes: per release or series that was asked about.
        figures: name to number.
    """
    symbols = tuple(outcomes)[:_MOST]
    if not symbols:
        return []
    missing = tuple(s for s in symbols if not outcomes[s].outcome.is_answer)
    reasons = [f"{s}: {outcomes[s].detail or outcomes[s].outcome}" for s in missing]
    health = IngestHealth(
        vendor=attempt.vendor,
        timeframe=attempt.timeframe,
        symbols=symbols,
        sessions=attempt.sessions,
        run_id=attempt.run_id,
        status="ok" if not missing else "fail" if len(missing) == len(symbols) else "warn",
        reasons=tuple(sanitised_text(reason) for reason in reasons[:_REASONS]),
        missing=missing,
    )
    metrics = IngestMetrics(
        vendor=attempt.vendor,
        timeframe=attempt.timeframe,
        symbols=symbols,
        sessions=attempt.sessions,
        run_id=attempt.run_id,
        figures=figures,
    )
    return [
        Event(health, attempt.ended_at, {"fetch_id": attempt.fetch_id}, f"{attempt.fetch_id}.h"),
        Event(metrics, attempt.ended_at, {"fetch_id": attempt.fetch_id}, f"{attempt.fetch_id}.m"),
    ]


def due_dates(
    dates: pl.DataFrame, series: pl.DataFrame, sessions: tuple[date, date], today: date
) -> pl.DataFrame:
    """The dates of releases by which values of series should be there.

    Args:
        dates: rows of FRED_RELEASES that hold.
        series: columns symbol (the series), release (Int64).
        sessions: first and last date.
        today: dates after it are not due.

    Returns:
        Columns symbol (the series), session.
    """
    listed = dates.filter(
        "listed", pl.col("session").is_between(*sessions), pl.col("session") <= today
    ).select("session", release=pl.col("symbol").cast(pl.Int64))
    return series.join(listed, on="release").select("symbol", "session").sort("symbol", "session")


def _ledger(
    attempt: IngestRun, rows: pl.DataFrame, outcomes: Mapping[str, SymbolOutcome]
) -> pl.DataFrame:
    stated = pl.DataFrame(
        [(s, str(o.outcome), o.detail[:_DETAIL], o.outcome.is_answer) for s, o in outcomes.items()],
        schema={"symbol": pl.String, "stated": pl.String, "detail": pl.String, "_came": pl.Boolean},
        orient="row",
    )
    came = (
        pl.when(pl.col("rows") > 0)
        .then(pl.lit(str(Outcome.ROWS)))
        .otherwise(pl.lit(str(Outcome.NOTHING)))
    )
    return LEDGER.conform(
        rows.join(stated, on="symbol", maintain_order="left").with_columns(
            vendor=pl.lit(attempt.vendor),
            timeframe=pl.lit(TIMEFRAME),
            rows=pl.col("rows").cast(pl.Int64),
            outcome=pl.when("_came").then(came).otherwise("stated"),
            # Dates move and values are revised: asking again may always bring something.
            final=pl.lit(value=False),
            asked_at=pl.lit(attempt.started_at, dtype=UTC),
            fetch_id=pl.lit(attempt.fetch_id),
        )
    )
