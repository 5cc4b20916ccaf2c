"""Checks of the reference tables: what was published against what the configuration says now.

What belongs here: findings of market_data/reference/tables.py as Dagster's results.
What does not: the findings.
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import polars as pl

from emp_assets.metadata import table
from emp_assets.naming import INSTRUMENTS_KEY, SESSIONS_KEY
from emp_assets.reference.published import published
from market_data.calendars import calendar_name
from market_data.pipeline.reference_impact import changed_instruments, published_span
from market_data.reference.tables import (
    calendars_of,
    duplicate_aliases,
    instruments_table,
    unexplained_sessions,
    unknown_calendars,
    unnamed_sessions,
)
from market_data.schemas import TRADING_SESSIONS
from resources.platform import PlatformResource

DAYS_AHEAD = timedelta(days=30)
"""The table reaches a year ahead when it is made; below this it has not been made for long."""

INSTRUMENT_CHECKS = {
    "current": "The table holds what the configuration says now.",
    "aliases": "No vendor calls two instruments by one name on the same day.",
    "calendars": "Every calendar in use is known.",
    "tickers": "Where a vendor's names changed, each session has one.",
}
SESSION_CHECKS = {
    "coverage": "Every calendar in use is there, from the first session to 30 days ahead.",
    "changes": "Only days that the configuration names differ from the calendar's own.",
}


def reference_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of both tables."""
    return [_instrument_checks(), _session_checks()]


def _instrument_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="reference__instruments__checks",
        specs=[
            dg.AssetCheckSpec(name, asset=INSTRUMENTS_KEY, description=text)
            for name, text in INSTRUMENT_CHECKS.items()
        ],
    )
    def checks(platform: PlatformResource) -> Iterator[dg.AssetCheckResult]:
        opened = platform.open()
        universe = opened.universe
        known = published(platform.reference(), INSTRUMENTS_KEY)
        differing = changed_instruments(universe, known)
        if known is None:
            differing = instruments_table(universe).select("symbol", change=pl.lit("not published"))
        first, last = universe.first_session, opened.clock.now().date()
        unknown = unknown_calendars(universe)
        key = INSTRUMENTS_KEY
        yield _result(key, "current", differing, dg.AssetCheckSeverity.WARN)
        yield _result(key, "aliases", duplicate_aliases(universe), dg.AssetCheckSeverity.WARN)
        yield _result(key, "calendars", unknown, dg.AssetCheckSeverity.ERROR)
        yield _result(
            key, "tickers", unnamed_sessions(universe, first, last), dg.AssetCheckSeverity.WARN
        )

    return checks


def _session_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="reference__trading_sessions__checks",
        specs=[
            dg.AssetCheckSpec(name, asset=SESSIONS_KEY, description=text)
            for name, text in SESSION_CHECKS.items()
        ],
    )
    def checks(platform: PlatformResource) -> Iterator[dg.AssetCheckResult]:
        opened = platform.open()
        known = published(platform.reference(), SESSIONS_KEY)
        table_now = TRADING_SESSIONS.empty() if known is None else TRADING_SESSIONS.conform(known)
        today = opened.clock.now().date()
        ends = table_now.group_by("calendar").agg(
            first=pl.col("session").min(), last=pl.col("session").max()
        )
        wanted = pl.DataFrame(
            {"calendar": [calendar_name(c) for c in calendars_of(opened.universe)]},
            schema={"calendar": pl.String},
        )
        first, _ = published_span(opened.universe, today)
        # A calendar may begin with a long closure.
        lacking = wanted.join(ends, on="calendar", how="left").filter(
            pl.col("last").is_null()
            | (pl.col("last") < today + DAYS_AHEAD)
            | (pl.col("first") > first + DAYS_AHEAD)
        )
        yield _result(SESSIONS_KEY, "coverage", lacking, dg.AssetCheckSeverity.ERROR)
        yield _result(
            SESSIONS_KEY,
            "changes",
            unexplained_sessions(opened.universe, table_now),
            dg.AssetCheckSeverity.ERROR,
        )

    return checks


def _result(
    asset: dg.AssetKey, name: str, found: pl.DataFrame, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=found.is_empty(),
        asset_key=asset,
        check_name=name,
        severity=severity,
        metadata={"found": found.height, "rows": table(found, rows=50)},
    )
