"""Attempts to fetch as a frame, by what they were about.

What belongs here: from the records of the journal to rows, and how many bars an attempt could
bring. What does not: judging them (ingest_health.py, dimension_health.py, trends.py ...).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias, get_args

import polars as pl

from market_data.calendars import expected_bars
from market_data.ports import IngestRun
from market_data.ports.event_results import Dimension
from market_data.schemas import UTC
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

IngestDimension: TypeAlias = Literal["daily_bars", "intraday_bars", "macro_events"]
DAILY: IngestDimension = Dimension.DAILY_BARS.value
INTRADAY: IngestDimension = Dimension.INTRADAY_BARS.value
MACRO: IngestDimension = "macro_events"
"""No event tells of single fetches of these: they have no topic."""
DIMENSIONS: tuple[IngestDimension, ...] = get_args(IngestDimension)
"""What ingest is about, in the order of the reports."""

_MACRO_VENDORS = frozenset({"fred_releases", "fred_observations"})
CURRENT = timedelta(days=7)
"""An attempt whose last session is at most so old when it is made keeps data current; another
loads history, which says nothing about how a feed runs."""
LONGEST = timedelta(days=92)
"""Nor does one that asks for more than this: how far back a vendor reaches is no trend."""

ATTEMPTS = pl.Schema(
    {
        "fetch_id": pl.String(),
        "run": pl.String(),
        "vendor": pl.String(),
        "timeframe": pl.String(),
        "dimension": pl.String(),
        "status": pl.String(),
        "symbols": pl.List(pl.String()),
        "rows": pl.Int64(),
        "new_rows": pl.Int64(),
        "rejected_rows": pl.Int64(),
        "started_at": UTC,
        "ended_at": UTC,
        "duration_seconds": pl.Float64(),
        "newest_bar": UTC,
        "current": pl.Boolean(),
        "expected": pl.Int64(),
        "due": UTC,
    }
)
"""Columns of `attempts`: `run` is the Dagster run, or the attempt itself outside of one; `current`
says that it keeps data current; `expected` is how many bars it could bring, and `due` the end of
the newest of them, both null for history, for macro events, and where no session was over."""


def dimension_of(vendor: str, timeframe: Timeframe) -> IngestDimension:
    """What a feed is about."""
    if vendor in _MACRO_VENDORS:
        return MACRO
    return INTRADAY if timeframe.is_intraday else DAILY


def attempts(runs: Iterable[IngestRun], instruments: Mapping[str, Instrument]) -> pl.DataFrame:
    """Rows of ATTEMPTS, oldest first.

    Args:
        runs: of the journal, in any order.
        instruments: by symbol; one that is not among them is not counted on.
    """
    grids = _Grids(instruments)
    rows = [_row(run, grids) for run in sorted(runs, key=lambda r: (r.started_at, r.fetch_id))]
    return pl.DataFrame(rows, schema=ATTEMPTS, orient="row")


def _row(run: IngestRun, grids: _Grids) -> tuple[object, ...]:
    dimension = dimension_of(run.vendor, run.timeframe)
    first, last = run.sessions
    current = last >= (run.started_at - CURRENT).date()
    counted = current and dimension != MACRO and last - first <= LONGEST
    expected, due = grids.count(run) if counted else (None, None)
    return (
        run.fetch_id,
        run.run_id or run.fetch_id,
        run.vendor,
        str(run.timeframe),
        dimension,
        run.status,
        list(run.symbols),
        run.rows,
        run.new_rows,
        run.rejected_rows,
        run.started_at,
        run.ended_at,
        run.duration_seconds,
        run.newest_bar,
        current,
        expected,
        due,
    )


_Terms: TypeAlias = tuple[str, date | None, date | None]
"""Calendar, listing and delisting."""


class _Grids:
    """Expected bars by calendar and range, made once each."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._made: dict[tuple[object, ...], pl.DataFrame] = {}

    def count(self, run: IngestRun) -> tuple[int | None, datetime | None]:
        """Bars of the sessions that were over when an attempt ended, and the end of the newest."""
        known = (self._instruments.get(symbol) for symbol in run.symbols)
        alike = Counter(_terms(i) for i in known if i is not None)
        total, due = 0, None
        for terms, symbols in alike.items():
            over = self._of(terms, run.timeframe, *run.sessions).filter(
                pl.col("close") <= run.ended_at
            )
            if over.is_empty():
                continue
            total += symbols * int(over["expected"].sum())
            end: datetime = over["close"].max()  # type: ignore[assignment]
            due = end if due is None else max(due, end)
        return (total, due) if total else (None, None)

    def _of(self, terms: _Terms, timeframe: Timeframe, first: date, last: date) -> pl.DataFrame:
        key = (terms, timeframe, first, last)
        if key not in self._made:
            like = next(i for i in self._instruments.values() if _terms(i) == terms)
            self._made[key] = expected_bars([like], timeframe, first, last)
        return self._made[key]


def _terms(instrument: Instrument) -> _Terms:
    return instrument.calendar, instrument.listed, instrument.delisted
