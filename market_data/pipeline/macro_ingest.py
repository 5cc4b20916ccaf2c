"""Macro releases: asking for announced dates and for vintages, and keeping what is new.

What belongs here: the order of the steps and what each leaves in log and journal.
What does not: how a source is asked (adapters/vendors/fred), what the calendar makes of it
(market_data/pipeline/macro_calendar.py).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, Dataset
from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
)
from market_data.macro.calendar import HISTORY
from market_data.macro.releases import with_instants
from market_data.pipeline.macro_calendar import LATE, known_dates
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.ports import IngestRun, MacroAnswer
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

_TURN = "macro releases"
"""Whoever asks and writes down what is gone takes turns: an older answer must not come last."""
_EVERYBODYS = (RateLimitedError, UnauthorisedError, UnreachableError)
"""Trouble that every other question would meet too."""
RELEASES, OBSERVATIONS = "fred_releases", "fred_observations"
"""Whose attempts these are in the journal."""


@dataclass(frozen=True)
class MacroReport:
    """What one step of an ingest brought.

    Attributes:
        asked: what was asked about: releases, or series.
        rows: rows of the answers.
        new: rows that the log did not know.
        revised: of these, rows that say something else about a known date or value.
        failed: what could not be had, with the reason.
    """

    asked: tuple[str, ...]
    rows: int
    new: int
    revised: int
    failed: tuple[tuple[str, str], ...] = ()


def ingest_release_dates(
    platform: Platform, first: date, last: date, *, run_id: str = ""
) -> MacroReport:
    """Ask which releases come out in a range, and keep what is new about it.

    A date that had been named before and is named no longer, since the release was moved, is kept
    as withdrawn.

    Args:
        platform: where to.
        first: first date.
        last: last date, included.
        run_id: of the run that asks.

    Raises:
        VendorError: nothing was kept; the journal has the attempt.
    """
    table = platform.macro.table
    names = tuple(str(number) for number in table.numbers)
    with platform.locks.hold([_TURN]):
        attempt = _attempt(platform, RELEASES, names, (first, last), run_id)
        try:
            answer = platform.macro.source().release_dates(table.numbers, first, last)
        except VendorError as trouble:
            _failed(platform, attempt, trouble)
            raise
        payloads = tuple(platform.payloads.put(p) for p in answer.payloads)
        rows = _date_statements(platform, answer.frame, first, last)
        kept = platform.raw_log.state(
            FRED_RELEASE_DATES, _fetched(rows, FRED_RELEASE_DATES, attempt)
        )
    done = replace(
        attempt,
        rows=answer.frame.height,
        new_rows=kept.new,
        payloads=payloads,
        ended_at=platform.clock.now(),
    )
    platform.journal.add(done)
    return MacroReport(names, answer.frame.height, kept.new, kept.revised)


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
        VendorError: nothing at all could be had; the journal has the attempt.
    """
    series = series_of(platform, first, last)
    attempt = _attempt(platform, OBSERVATIONS, series, (first, last), run_id)
    rows = new = revised = 0
    payloads: list[str] = []
    failed: list[tuple[str, VendorError]] = []
    ended: VendorError | None = None
    for number, name in enumerate(series, start=1):
        if ended is not None:
            failed.append((name, ended))
            continue
        progress(f"{name} ({number} of {len(series)})")
        try:
            answer = _vintages_of(platform, name, first, last)
        except VendorError as trouble:
            failed.append((name, trouble))
            ended = trouble if isinstance(trouble, _EVERYBODYS) else None
            continue
        payloads += [platform.payloads.put(p) for p in answer.payloads]
        frame = answer.frame.rename({"seen": "session"}).with_columns(symbol=pl.lit(name))
        timed = with_instants(
            frame.with_columns(series="symbol"), platform.macro.table, by="series", into="known_at"
        )
        kept = platform.raw_log.state(FRED_VINTAGES, _fetched(timed, FRED_VINTAGES, attempt))
        rows, new, revised = rows + frame.height, new + kept.new, revised + kept.revised
    status = "ok" if not failed else "failed" if len(failed) == len(series) else "partial"
    platform.journal.add(
        replace(
            attempt,
            status=status,
            rows=rows,
            new_rows=new,
            payloads=tuple(payloads),
            ended_at=platform.clock.now(),
            error=str(failed[0][1]) if failed else "",
        )
    )
    if status == "failed":
        raise failed[0][1]
    told = tuple((name, str(trouble)) for name, trouble in failed)
    return MacroReport(series, rows, new, revised, told)


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


def _vintages_of(platform: Platform, series: str, first: date, last: date) -> MacroAnswer:
    return platform.macro.source().vintages(series, first - HISTORY, last)


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


def _fetched(rows: pl.DataFrame, dataset: Dataset, attempt: IngestRun) -> pl.DataFrame:
    return dataset.schema.conform(
        rows.with_columns(
            fetched_at=pl.lit(attempt.started_at, dtype=UTC), fetch_id=pl.lit(attempt.fetch_id)
        )
    )


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


def _failed(platform: Platform, attempt: IngestRun, trouble: VendorError) -> None:
    ended = platform.clock.now()
    platform.journal.add(replace(attempt, status="failed", ended_at=ended, error=str(trouble)))
