"""What is made of stored features and of the macro calendar: confluence, context, statistics.

What belongs here: reading what they are made of, and storing them slice by slice. What does not:
the arithmetic (market_data/features), features of bars (features.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from market_data.calendars import trading_sessions
from market_data.datasets import (
    FEATURES,
    FRED_VINTAGES,
    MACRO_CALENDAR,
    REGIME_STATS_DATASET,
    Dataset,
)
from market_data.features.confluence import confluence
from market_data.features.labels import FURTHEST
from market_data.features.macro_context import EARLIEST, macro_context
from market_data.features.regime_stats import regime_stats
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, group_for
from market_data.features.schemas import REGIME_STATS
from market_data.macro.bias import currencies_of
from market_data.pipeline.curate import chunks, lock_names
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.features import FeatureReport
from market_data.pipeline.macro_calendar import calendar_of
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

LONGEST_CLOSURE = timedelta(days=14)
"""The session before one lies no further back."""
_DAY = timedelta(days=1)
_Span = tuple[date, date]
_Make = Callable[[Platform, Sequence[str], _Span], pl.DataFrame]


def make_confluence(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
) -> FeatureReport:
    """Make the stored confluence of a range what the stored regimes say now.

    Stored sessions after the range whose regimes the bars of the range have a part in are made
    anew first, and the one after these: its bars look back into them.
    """
    dataset = FEATURES[group_for(Kind.CONFLUENCE).key]
    report = FeatureReport(group_for(Kind.CONFLUENCE))
    after = _after(platform, dataset, symbols, last)
    report.beside = _renewed(platform, dataset, symbols, after, confluence_now)
    for span in chunks(first, last, 31):
        progress(f"confluence: {span[0]} to {span[1]}")
        report.count(_replaced(platform, dataset, symbols, span, confluence_now))
    return report


def make_macro_context(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
) -> FeatureReport:
    """Make the stored macro context of a range what the macro calendar says now."""
    dataset = FEATURES[group_for(Kind.MACRO_CONTEXT).key]
    report = FeatureReport(group_for(Kind.MACRO_CONTEXT))
    for span in chunks(first, last, 366):
        progress(f"macro context: {span[0]} to {span[1]}")
        report.count(_replaced(platform, dataset, symbols, span, macro_context_now))
    return report


def make_regime_stats(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Make the stored statistics of a range what stored regimes and labels say now.

    Stored sessions beside it are made anew with it: those before, whose labels are told by bars of
    the range, and those after, whose regimes these have a part in.

    Returns:
        Rows of REGIME_STATS of the range.
    """
    dataset = REGIME_STATS_DATASET
    before = first - timedelta(days=max(FURTHEST.values())), first - _DAY
    for beside in (_after(platform, dataset, symbols, last), before):
        _renewed(platform, dataset, symbols, beside, regime_stats_now)
    parts = [REGIME_STATS.empty()]
    for span in chunks(first, last, 31):
        progress(f"regime statistics: {span[0]} to {span[1]}")
        parts.append(_replaced(platform, dataset, symbols, span, regime_stats_now))
    return pl.concat(parts)


def _replaced(
    platform: Platform, dataset: Dataset, symbols: Sequence[str], span: _Span, make: _Make
) -> pl.DataFrame:
    with platform.locks.hold(lock_names(dataset.name, *span)):
        rows = make(platform, symbols, span)
        platform.store.replace(dataset, rows, sessions=span, symbols=symbols)
    return rows


def _renewed(
    platform: Platform, dataset: Dataset, symbols: Sequence[str], span: _Span, make: _Make
) -> int:
    """Make the sessions of a range anew that are stored; how many rows they have."""
    count, keys = 0, ["symbol", "session"]
    for part in [*chunks(*span, 31)][::-1]:
        with platform.locks.hold(lock_names(dataset.name, *part)):
            stored = platform.store.scan(dataset, symbols=symbols, sessions=part, columns=keys)
            if stored.is_empty():
                continue
            rows = make(platform, stored["symbol"].unique().sort().to_list(), part)
            rows = rows.join(stored.unique(), on=keys, how="semi", maintain_order="left")
            platform.store.replace(dataset, rows, sessions=part, symbols=symbols)
            count += rows.height
    return count


def _after(platform: Platform, dataset: Dataset, symbols: Sequence[str], last: date) -> _Span:
    """The sessions after a range that are stored and whose regimes it has a part in."""
    reached = (reached_until(platform, t, symbols, last) for t in FEATURE_TIMEFRAMES)
    furthest = max(reached) + LONGEST_CLOSURE
    span = last + _DAY, furthest
    found = platform.store.scan(dataset, symbols=symbols, sessions=span, columns=["session"])
    until = found["session"].max()
    return last + _DAY, until if isinstance(until, date) else last


def confluence_now(platform: Platform, symbols: Sequence[str], span: _Span) -> pl.DataFrame:
    """What the confluence of a range is by the stored regimes; nothing is stored."""
    columns = ["symbol", "ts", "session", "available_at", "regime"]
    regimes = {
        t: platform.store.scan(
            FEATURES[group_for(Kind.REGIME, t).key],
            symbols=symbols,
            sessions=around_confluence(span),
            columns=columns,
        )
        for t in FEATURE_TIMEFRAMES
    }
    return confluence_of(platform, symbols, span, regimes)


def around_confluence(span: _Span) -> _Span:
    """The sessions whose regimes the confluence of a range may take."""
    return span[0] - LONGEST_CLOSURE, span[1]


def confluence_of(
    platform: Platform,
    symbols: Sequence[str],
    span: _Span,
    regimes: Mapping[Timeframe, pl.DataFrame],
) -> pl.DataFrame:
    """What the confluence of a range is by some regimes.

    Args:
        platform: knows the calendars.
        symbols: of the regimes.
        span: first and last session.
        regimes: by timeframe symbol, ts, session, available_at, regime, of `around_confluence`.
    """
    rows = confluence(regimes, _numbered_sessions(platform, symbols, around_confluence(span)))
    return rows.filter(pl.col("session").is_between(*span))


def _numbered_sessions(platform: Platform, symbols: Sequence[str], span: _Span) -> pl.DataFrame:
    """symbol, session, number: the sessions of each symbol's calendar in order."""
    frames = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "number": pl.Int64})]
    for symbol in symbols:
        calendar = platform.universe.instrument(symbol).calendar
        sessions = trading_sessions(calendar, *span)["session"]
        number = pl.int_range(len(sessions), dtype=pl.Int64, eager=True)
        frames.append(pl.DataFrame({"symbol": symbol, "session": sessions, "number": number}))
    return pl.concat(frames)


def macro_context_now(
    platform: Platform, symbols: Sequence[str], span: _Span, as_of: datetime | None = None
) -> pl.DataFrame:
    """What the macro context of a range is by the stored calendar; nothing is stored.

    With `as_of` it is by the calendar that follows from what was known then.
    """
    instruments = [platform.universe.instrument(s) for s in symbols]
    frames = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})]
    now = as_of or platform.clock.now()
    for instrument in instruments:
        first = max(span[0], instrument.listed or span[0])
        last = min(span[1], instrument.delisted or span[1])
        if first <= last:
            sessions = trading_sessions(instrument.calendar, first, last)
            begun = sessions.filter(pl.col("open") <= now)
            frames.append(begun.select("session", "open", symbol=pl.lit(instrument.symbol)))
    openings = pl.concat(frames, how="diagonal")
    if openings.width < 3:
        return FEATURES[group_for(Kind.MACRO_CONTEXT).key].schema.empty()
    around = span[0] - EARLIEST - 2 * _DAY, span[1] + _DAY
    if as_of is None:
        events = platform.store.scan(MACRO_CALENDAR, sessions=around)
    else:
        events = calendar_of(platform, *around, as_of)
    currencies = {
        i.symbol: tuple(c for c in currencies_of(i) if c is not None) for i in instruments
    }
    return macro_context(openings, events, _first_known(platform, events, as_of), currencies)


def _first_known(platform: Platform, events: pl.DataFrame, as_of: datetime | None) -> pl.DataFrame:
    """series, period, first_known_at: of the first value of the periods that events speak of."""
    wanted = events.select("series", "period").drop_nulls().unique()
    first, last = wanted.select(a=pl.col("period").min(), b=pl.col("period").max()).row(0)
    if first is None:
        return wanted.with_columns(first_known_at=pl.lit(None, UTC))
    # No value is given before its period begins.
    rows = platform.raw_log.statements(
        FRED_VINTAGES,
        symbols=wanted["series"].unique().sort().to_list(),
        sessions=(first, date.max),
    )
    if as_of is not None:
        rows = rows.filter(pl.col("known_at") <= as_of)
    given = rows.filter(pl.col("period").is_between(first, last)).drop_nulls("value")
    known = given.group_by(series="symbol", period="period").agg(
        first_known_at=pl.col("known_at").min()
    )
    return wanted.join(known, on=["series", "period"], how="inner")


def regime_stats_now(platform: Platform, symbols: Sequence[str], span: _Span) -> pl.DataFrame:
    """What the regime statistics of a range are by stored features; nothing is stored."""
    frames = [REGIME_STATS.empty()]
    for timeframe in FEATURE_TIMEFRAMES:
        regimes, labels = (
            platform.store.scan(
                FEATURES[group_for(kind, timeframe).key], symbols=symbols, sessions=span
            )
            for kind in (Kind.REGIME, Kind.LABELS)
        )
        frames.append(regime_stats(regimes, labels, timeframe))
    return pl.concat(frames)
