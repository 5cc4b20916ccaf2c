"""Inspect the macro datasets: what their checks find in a range of sessions.

What belongs here: gathering what each check looks at. What does not: judging
(market_data/macro/checks.py), Dagster's form of a result (emp_assets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from market_data.datasets import (
    FRED_RELEASE_DATES,
    FRED_VINTAGES,
    MACRO_CALENDAR,
    Dataset,
)
from market_data.macro.calendar import astray, with_status_at
from market_data.macro.checks import check_calendar, check_vintages
from market_data.macro.date_checks import check_dates
from market_data.overtaking import CLOCKS_APART
from market_data.pipeline.inspection import Inspection, without_accepted
from market_data.pipeline.macro_calendar import (
    NEAR,
    calendar_of,
    known_dates,
    known_vintages,
)
from market_data.pipeline.macro_records import RELEASES
from market_data.pipeline.platform import Platform
from market_data.quality.findings import CheckOutcome
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe

_BEFORE = timedelta(days=400)
"""How far back the newest date of a release may lie before a range."""
_ATTEMPTS = 500


class MacroInspection(Inspection):
    """What the checks found; nothing of it stops what is downstream."""

    def block_reasons(self, symbols: Sequence[str] | None) -> list[str]:  # noqa: ARG002
        """None: an event that is missing or late spoils no other."""
        return []


def inspect_release_dates(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the announced dates."""
    found = check_dates(
        known_dates(platform, first - _BEFORE, date.max),
        _asked(platform),
        platform.macro.table,
        sessions=(first, last),
        now=platform.clock.now(),
    )
    return _inspection(platform, FRED_RELEASE_DATES, found, known_dates(platform, first, last))


def inspect_vintages(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the values behind the releases."""
    events, table = calendar_of(platform, first, last), platform.macro.table
    vintages = known_vintages(platform, first, last)
    found = check_vintages(
        vintages,
        events,
        table,
        astray=astray(known_dates(platform, first - _BEFORE, last + NEAR), vintages, table),
        sessions=(first, last),
        now=platform.clock.now(),
    )
    return _inspection(platform, FRED_VINTAGES, found, events)


def inspect_calendar(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the stored calendar against what is known."""
    now, table = platform.clock.now(), platform.macro.table
    made = calendar_of(platform, first, last)
    stored = platform.store.scan(MACRO_CALENDAR, sessions=(first, last))
    found = check_calendar(
        with_status_at(stored, table, now), made, table, sessions=(first, last), now=now
    )
    return _inspection(platform, MACRO_CALENDAR, found, made)


def _asked(platform: Platform) -> pl.DataFrame:
    """Columns session, asked_at: when the dates of each session were last asked for.

    A question of a time to come, put by a clock that was ahead, is not believed.
    """
    latest = platform.clock.now() + CLOCKS_APART
    attempts = pl.DataFrame(
        [
            (*run.sessions, run.started_at)
            for run in platform.journal.runs(vendor=RELEASES, limit=_ATTEMPTS)
            if run.status == "ok" and run.started_at <= latest
        ],
        schema={"first": pl.Date, "last": pl.Date, "asked_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    return (
        attempts.with_columns(session=pl.date_ranges("first", "last"))
        .explode("session")
        .drop_nulls("session")
        .group_by("session")
        .agg(pl.col("asked_at").max())
        .sort("session")
    )


def _inspection(
    platform: Platform, dataset: Dataset, found: Mapping[str, CheckOutcome], held: pl.DataFrame
) -> Inspection:
    findings = pl.concat([FINDINGS.empty(), *(o.findings for o in found.values())]).sort(
        "session", "symbol", "check", "code"
    )
    still_open, accepted = without_accepted(platform, findings)
    return MacroInspection(
        dataset=dataset.name,
        findings=still_open,
        accepted=accepted,
        rows={name: outcome.rows for name, outcome in found.items()},
        measured={name: outcome.measured for name, outcome in found.items()},
        held=held.select("symbol", "session"),
        platform=platform,
        timeframe=Timeframe.D1,
    )
