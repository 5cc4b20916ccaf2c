"""Macro releases: asking for announced dates and for vintages, and keeping what is new.

What belongs here: the order of the steps, what they cost, what each leaves in log and journal.
What does not: how a source is asked (adapters/vendors/fred), how values land (macro_landing.py),
rows of the ledger and events (macro_records.py), what the calendar makes of it (macro_calendar.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from market_data.datasets import FRED_RELEASE_DATES
from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
)
from market_data.macro.calendar import HISTORY
from market_data.macro.releases import with_instants
from market_data.pipeline.macro_calendar import LATE, known_dates
from market_data.pipeline.macro_landing import MacroValues, fetched
from market_data.pipeline.macro_records import OBSERVATIONS, RELEASES, date_rows, told
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.ports import IngestRun, Outcome, SymbolOutcome
from market_data.requests.cost import Cost
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

_TURN = "macro releases"
"""Whoever asks and writes down what is gone takes turns: an older answer must not come last."""
_EVERYBODYS = (RateLimitedError, UnauthorisedError, UnreachableError)
"""Trouble that every other question would meet too."""


@dataclass(frozen=True)
class MacroReport:
    """What one step of an ingest brought.

    Attributes:
        asked: what was asked about: releases, or series.
        rows: rows of the answers.
        new: rows that the log did not know.
        revised: of these, rows that say something else about a known date or value.
        rejected: rows that hold no value that can be read; the quarantine has them.
        failed: what could not be had, with the reason.
    """

    asked: tuple[str, ...]
    rows: int
    new: int
    revised: int
    failed: tuple[tuple[str, str], ...] = ()
    rejected: int = 0


def ingest_release_dates(
    platform: Platform,
    first: date,
    last: date,
    *,
    run_id: str = "",
    progress: Progress = silent,
) -> MacroReport:
    """Ask which releases come out in a range, and keep what is new about it.

    A date that had been named before and is named no longer, since the release was moved, is kept
    as withdrawn.

    Args:
        platform: where to.
        first: first date.
        last: last date, included.
        run_id: of the run that asks.
        progress: told what the questions cost.

    Raises:
        VendorError: nothing was kept; journal and ledger have the attempt.
    """
    table = platform.macro.table
    names = tuple(str(number) for number in table.numbers)
    for sentence in _cost(platform, len(names), 0, first, last).sentences():
        progress(sentence)
    with platform.locks.hold([_TURN]):
        attempt = _attempt(platform, RELEASES, names, (first, last), run_id)
        try:
            answer = platform.macro.source().release_dates(table.numbers, first, last)
        except VendorError as trouble:
            outcome = SymbolOutcome.of(trouble)
            failed = replace(attempt, status="failed", error=str(trouble), trouble=trouble.kind)
            _record_dates(platform, failed, None, outcome, {})
            raise
        payloads = tuple(platform.payloads.put(p) for p in answer.payloads)
        said = _date_statements(platform, answer.frame, first, last)
        kept = platform.raw_log.state(
            FRED_RELEASE_DATES,
            fetched(said, FRED_RELEASE_DATES, attempt),
            now=platform.clock.now(),
        )
    rows, new, revised = answer.frame.height, kept.new, kept.revised
    done = replace(attempt, rows=rows, new_rows=new, payloads=payloads)
    figures = {"rows": rows, "new_rows": new, "revised_rows": revised}
    _record_dates(platform, done, answer.frame, SymbolOutcome(Outcome.ROWS), figures)
    return MacroReport(names, rows, new, revised)


def ingest_vintages(
    platform: Platform,
    first: date,
    last: date,
    *,
    run_id: str = "",
    progress: Progress = silent,
) -> MacroReport:
    """Ask for every value of the periods that the releases of a range may speak of.

    Only series of releases that have a date in the range are asked for, LATE_DAYS before it
    included. Trouble with one series stops no other, unless every other would meet it too.

    Args:
        platform: where to.
        first: first release date.
        last: last release date, included.
        run_id: of the run that asks.
        progress: told which series is being asked for.

    Raises:
        VendorError: nothing at all could be had; journal and ledger have the attempt.
    """
    series = series_of(platform, first, last)
    for sentence in _cost(platform, 0, len(series), first, last).sentences():
        progress(sentence)
    attempt = _attempt(platform, OBSERVATIONS, series, (first, last), run_id)
    landing = MacroValues(platform, attempt)
    ended: VendorError | None = None
    for number, name in enumerate(series, start=1):
        if ended is not None:
            landing.failed[name] = ended
            continue
        progress(f"{name} ({number} of {len(series)})")
        try:
            landing.keep(name, platform.macro.source().vintages(name, first - HISTORY, last))
        except VendorError as trouble:
            landing.failed[name] = trouble
            ended = trouble if isinstance(trouble, _EVERYBODYS) else None
    landing.record()
    if series and len(landing.failed) == len(series):
        raise next(iter(landing.failed.values()))
    failed = tuple((name, str(trouble)) for name, trouble in landing.failed.items())
    return MacroReport(series, landing.rows, landing.new, landing.revised, failed, landing.rejected)


def series_of(platform: Platform, first: date, last: date) -> tuple[str, ...]:
    """The series of the releases that have a date in a range, in the order of the table."""
    dates = known_dates(platform, first - LATE, last).filter("listed")
    numbers = {int(number) for number in dates["symbol"]}
    return tuple(
        event.series
        for release in platform.macro.table.releases
        if release.release in numbers
        for event in release.events
    )


def macro_cost(platform: Platform, first: date, last: date) -> Cost:
    """What asking for a range costs at most: every series of the table, retries left out.

    Raises:
        StorageError: what is used cannot be read.
    """
    table = platform.macro.table
    return _cost(platform, len(table.numbers), len(table.symbols), first, last)


def _cost(platform: Platform, releases: int, series: int, first: date, last: date) -> Cost:
    cost = platform.macro.cost(releases, series, first, last)
    return replace(cost, patience=platform.vendors.patience)


def _date_statements(
    platform: Platform, found: pl.DataFrame, first: date, last: date
) -> pl.DataFrame:
    """Columns symbol, session, name, listed, known_at: dates that are named, or no longer."""
    now = platform.clock.now()
    table = platform.macro.table
    names = [str(number) for number in table.numbers]
    listed = found.select(
        "session", "name", symbol=pl.col("release").cast(pl.String), listed=pl.lit(value=True)
    )
    before = known_dates(platform, first, last).filter(pl.col("symbol").is_in(names), "listed")
    gone = before.join(listed, on=["symbol", "session"], how="anti").with_columns(
        listed=pl.lit(value=False)
    )
    rows = pl.concat([listed, gone.select(listed.columns)])
    timed = with_instants(
        rows.with_columns(release=pl.col("symbol").cast(pl.Int64)),
        table,
        by="release",
        into="instant",
    )
    return timed.with_columns(known_at=pl.min_horizontal("instant", pl.lit(now, dtype=UTC)))


def _attempt(
    platform: Platform,
    vendor: str,
    symbols: tuple[str, ...],
    sessions: tuple[date, date],
    run_id: str,
) -> IngestRun:
    now = platform.clock.now()
    return IngestRun(
        fetch_id=f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}",
        run_id=run_id,
        vendor=vendor,
        timeframe=Timeframe.D1,
        symbols=symbols,
        sessions=sessions,
        status="ok",
        rows=0,
        new_rows=0,
        rejected_rows=0,
        started_at=now,
        ended_at=now,
    )


def _record_dates(
    platform: Platform,
    attempt: IngestRun,
    found: pl.DataFrame | None,
    outcome: SymbolOutcome,
    figures: Mapping[str, int],
) -> None:
    """Ledger, events and journal of a question about dates."""
    done = replace(attempt, ended_at=platform.clock.now())
    outcomes = dict.fromkeys(done.symbols, outcome)
    platform.ledger.record(
        date_rows(done, found, outcome),
        events=told(done, outcomes, {"releases": len(outcomes), **figures}),
        now=done.ended_at,
    )
    platform.journal.add(done)
