"""Inspect beside: what the checks find in the sessions next to a range that was made anew.

What belongs here: which sessions these are, and the checks that look at bars beside each other.
What does not: the range itself (inspection.py), Dagster's form of a result (emp_assets).

A price is false when the next one comes back, and a unit is wrong when the days around it are in
another. So bars that come, or are mended, change what is true of the sessions beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.pipeline.besides import checks_beside
from market_data.pipeline.curate import chunks, step_days
from market_data.pipeline.inspection import SAMPLE_ROWS, without_accepted
from market_data.pipeline.kept_flags import Scored, judged_with
from market_data.pipeline.platform import Platform
from market_data.pipeline.views import curated_series, kept_symbols, raw_series
from market_data.quality.checks import OF_SERIES, evaluate_series
from market_data.quality.findings import CheckOutcome
from market_data.quality.schema import check_schema, not_judged
from market_data.quality.view import BarsView
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Beside:
    """The sessions next to a range, and how they are judged.

    Attributes:
        sessions: first and last session of each part, the earlier part first; none where nothing
            lies beside the range.
    """

    sessions: tuple[tuple[date, date], ...]
    _platform: Platform
    _timeframe: Timeframe
    _view: Callable[[date, date], BarsView]

    def look(self) -> tuple[pl.DataFrame, Mapping[str, pl.DataFrame]]:
        """What is open there now, and a sample of the offending rows.

        Returns:
            Rows of FINDINGS of the checks in OF_SERIES; by check, rows with symbol and session.
        """
        found = [
            outcome
            for span in self.sessions
            for start, end in chunks(*span, step_days(self._platform, self._timeframe))
            for outcome in _outcomes(self._platform, self._view(start, end))
        ]
        together = pl.concat([FINDINGS.empty(), *(o.findings for _, o in found)])
        still_open, _ = without_accepted(
            self._platform, together.sort("session", "symbol", "check", "code")
        )
        rows = {
            name: [o.rows for n, o in found if n == name and not o.rows.is_empty()]
            for name in OF_SERIES
        }
        return still_open, {
            name: pl.concat(of, how="diagonal_relaxed").head(SAMPLE_ROWS)
            for name, of in rows.items()
            if of
        }


def beside_raw(
    platform: Platform, vendor: str, timeframe: Timeframe, first: date, last: date
) -> Beside:
    """One vendor's raw bars next to a range, first to last session."""

    def view(start: date, end: date) -> BarsView:
        return raw_series(platform, vendor, timeframe, start, end)

    judged = Scored((first, last)).judged(timeframe)
    return Beside(_parts(platform, judged, (first, last)), platform, timeframe, view)


def beside_curated(platform: Platform, timeframe: Timeframe, first: date, last: date) -> Beside:
    """The curated bars of a timeframe next to a range, first to last session."""
    kept = kept_symbols(platform, timeframe)

    def view(start: date, end: date) -> BarsView:
        return curated_series(platform, timeframe, start, end, kept)

    judged = judged_with(platform, kept, Scored((first, last)), timeframe)
    return Beside(_parts(platform, judged, (first, last)), platform, timeframe, view)


def _parts(
    platform: Platform, judged: tuple[date, date], own: tuple[date, date]
) -> tuple[tuple[date, date], ...]:
    (since, until), (first, last) = judged, own
    # No bar of days to come is judged.
    until = min(until, platform.clock.now().date())
    return tuple((a, b) for a, b in ((since, first - _DAY), (last + _DAY, until)) if a <= b)


def _outcomes(platform: Platform, view: BarsView) -> list[tuple[str, CheckOutcome]]:
    schema = view.schema
    if view.bars.columns != schema.names or dict(view.bars.schema) != schema.dtypes:
        # Nothing found would be a verdict: what failed there would pass.
        shape = check_schema(view.bars, schema, dataset=view.dataset, expected=view.expected)
        return [(name, not_judged(name, shape)) for name in OF_SERIES]
    outcomes = evaluate_series(view, view.limits(platform.thresholds))
    more = [(name, o) for name, o in checks_beside(platform, view) if name in OF_SERIES]
    return [*outcomes.items(), *more]
