"""Curated again: bars of a range made of the raw logs, stored nowhere.

What belongs here: going through a range, from what is known now or was at a moment, and which
sessions a range of times may touch. What does not: one slice (curate.py), reading what is stored
(stored_bars.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from market_data.pipeline.curate import chunks, curate_slice, step_days
from market_data.pipeline.platform import Platform
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe

_SLACK = timedelta(days=1)
"""A bar's session differs from its UTC date by a day at most."""
_AHEAD = timedelta(days=2)
"""A session may begin two evenings before its date's end."""


def curated_again(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    first: date,
    last: date,
    *,
    as_of: datetime | None = None,
) -> pl.DataFrame:
    """Curate a range of sessions again from the raw logs, chunk by chunk; stores nothing.

    Args:
        platform: where the raw logs are.
        symbols: whose bars.
        timeframe: of the bars.
        first: first session.
        last: last session.
        as_of: from what was known at this moment; None: now.

    Returns:
        Rows of CURATED_BARS, sorted by (symbol, ts).
    """
    if not symbols:
        return CURATED_BARS.empty()
    span = bounded(platform, symbols, first, last, as_of)
    frames = [
        curate_slice(platform, timeframe, symbols, a, b, as_of=as_of).bars
        for a, b in chunks(*span, step_days(platform, timeframe))
    ]
    return pl.concat([CURATED_BARS.empty(), *frames]).sort("symbol", "ts")


def bounded(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    as_of: datetime | None = None,
) -> tuple[date, date]:
    """The part of a range for which anybody was asked; before it there is nothing to curate."""
    spans = pl.concat(platform.ledger.spans(timeframe=t) for t in Timeframe)
    asked = spans.filter(pl.col("symbol").is_in(list(symbols)))["first"].min()
    earliest = asked if isinstance(asked, date) else platform.universe.first_session
    latest = (as_of or platform.clock.now()).date() + (_SLACK if as_of else _AHEAD)
    return max(first, earliest), min(last, latest)


def sessions_between(
    start: datetime | date | None, end: datetime | date | None
) -> tuple[date, date]:
    """Sessions that hold every row between two moments."""
    first, last = (None if m is None else _instant(m).date() for m in (start, end))
    return (
        date.min if first is None else first - _SLACK,
        date.max if last is None else last + _SLACK,
    )


def between(
    rows: pl.DataFrame, column: str, start: datetime | date | None, end: datetime | date | None
) -> pl.DataFrame:
    """Rows from `start` on and before `end`; None: all, a day its first moment in UTC."""
    moment = pl.col(column).cast(pl.Datetime("us", "UTC"))
    if start is not None:
        rows = rows.filter(moment >= _instant(start))
    return rows if end is None else rows.filter(moment < _instant(end))


def _instant(moment: datetime | date) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.combine(moment, time(), UTC)
