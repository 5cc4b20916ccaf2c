"""Why releases are missing: the ledger of macro questions in words.

What belongs here: a sentence for every announced release, and for days that nobody asked about.
What does not: the ledger's rows (macro_records.py), the status of an event
(market_data/macro/calendar.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.macro.calendar import NOTHING, OVERDUE, WITHDRAWN
from market_data.pipeline.macro_calendar import calendar_of
from market_data.pipeline.macro_records import DATES, OBSERVATIONS, RELEASES, SERIES
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.schemas import UTC

EXPLAINED = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "status": pl.String(),
        "outcome": pl.String(),
        "asked_at": UTC,
        "fetch_id": pl.String(),
        "reason": pl.String(),
    }
)
"""Columns of `explain_macro`: event, or DATES for a whole day; date on the publisher's clocks;
status of the event, empty for a day; outcome of the last question as the ledger has it; when that
was; its name in the journal; why something is missing, empty where nothing is."""
NEVER = str(Outcome.NOT_ASKED)


def explain_macro(platform: Platform, first: date, last: date) -> pl.DataFrame:
    """What is known of the releases of a range, and why one is missing.

    Args:
        platform: where from.
        first: first date of a release, on its publisher's clocks.
        last: last date, included.

    Returns:
        Columns of EXPLAINED, sorted by (session, symbol): one row per event, and one per day whose
        dates were not asked for, or asked for in vain.
    """
    known = platform.ledger.read(vendors=[RELEASES, OBSERVATIONS], sessions=(first, last))
    last_words = known.select("symbol", "session", "outcome", "detail", "asked_at", "fetch_id")
    return (
        pl.concat(
            [
                _days(last_words, first, last),
                _events(calendar_of(platform, first, last), last_words),
            ]
        )
        .cast(EXPLAINED)
        .sort("session", "symbol")
    )


def _days(known: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    every = pl.DataFrame({"session": pl.date_range(first, last, eager=True)}).with_columns(
        symbol=pl.lit(DATES), status=pl.lit("")
    )
    asked = every.join(known, on=["symbol", "session"], how="left", maintain_order="left")
    reason = (
        pl.when(pl.col("outcome").is_null())
        .then(pl.lit("nobody asked which releases come out"))
        .otherwise(pl.format("which releases come out was asked in vain: {}", "detail"))
    )
    answers = [str(outcome) for outcome in Outcome if outcome.is_answer]
    return _told(asked.with_columns(reason=reason)).filter(~pl.col("outcome").is_in(answers))


def _events(events: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    named = events.select("symbol", "session", "status", series=SERIES + pl.col("series"))
    asked = named.join(
        known.rename({"symbol": "series"}),
        on=["series", "session"],
        how="left",
        maintain_order="left",
    )
    outcome = pl.col("outcome")
    at = pl.col("asked_at").dt.strftime("%Y-%m-%d %H:%M")
    answered = outcome.is_in([str(Outcome.ROWS), str(Outcome.NOTHING)])
    overdue = (
        pl.when(outcome.is_null())
        .then(pl.lit("the value is due, and nobody asked for it since"))
        .when(answered)
        .then(pl.format("FRED had no value when it was asked at {}", at))
        .otherwise(pl.format("asked at {} in vain: {}", at, "detail"))
    )
    status = pl.col("status")
    reason = (
        pl.when(status == OVERDUE)
        .then(overdue)
        .when(status == WITHDRAWN)
        .then(pl.lit("FRED has taken the value back"))
        .when(status == NOTHING)
        .then(pl.lit("the day passed without a value of this series, and none is missing"))
        .otherwise(pl.lit(""))
    )
    return _told(asked.with_columns(reason=reason))


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        outcome=pl.col("outcome").fill_null(NEVER), fetch_id=pl.col("fetch_id").fill_null("")
    ).select(EXPLAINED.names())
