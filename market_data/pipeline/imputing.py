"""Imputation on read: which missing bars a reader gets made up, and from what.

What belongs here: a reader's wish or people's decisions, the grid of expected bars around the range
that was asked for. What does not: how a value is made up (market_data/curation/imputation.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from market_data.calendars import bar_starts, expected_bars
from market_data.curation.imputation import Imputation, impute, parse, unmarked
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.ports import Annotation
from market_data.quality.annotations import imputations
from market_data.schemas import CURATED_BARS, PRICES
from market_data.timeframes import Timeframe

ANNOTATED, NEVER = "annotated", "none"
Impute = str | Mapping[str, object]

_OPEN = (date.min, date.max)
_ON = ["symbol", "session"]


@dataclass(frozen=True)
class Asked:
    """What is to be made up.

    Attributes:
        everywhere: how, in every session; None: only where `sessions` says so.
        sessions: symbol, session, imputation (its text).
    """

    everywhere: Imputation | None
    sessions: pl.DataFrame

    def specs(self) -> list[tuple[Imputation, pl.Expr]]:
        """Each imputation, and the rows of a grid with `imputation` that it is about."""
        if self.everywhere is not None:
            return [(self.everywhere, pl.lit(value=True))]
        texts = self.sessions["imputation"].unique().sort().to_list()
        return [
            (parse(t, kept=True), (pl.col("imputation") == t).fill_null(value=False)) for t in texts
        ]

    def among(self, symbols: Sequence[str]) -> list[str]:
        """The symbols that bars may be made up of."""
        named = set(self.sessions["symbol"])
        return [s for s in symbols if self.everywhere is not None or s in named]

    @property
    def beyond(self) -> timedelta:
        """Days that hold more sessions than any gap may have bars, whatever holidays there are."""
        return timedelta(days=2 * max(how.limit for how, _ in self.specs()) + 14)


@dataclass(frozen=True)
class Range:
    """What part of a series is read; the bounds that are not None all hold.

    Attributes:
        start: first bar start, UTC.
        end: end of the bar starts, UTC, excluded.
        sessions: first and last session, both included.
    """

    start: datetime | None = None
    end: datetime | None = None
    sessions: tuple[date, date] | None = None

    @property
    def days(self) -> tuple[date, date]:
        """Sessions outside which nothing of the range lies."""
        day = timedelta(days=1)
        first = self.start.date() - day if self.start else _OPEN[0]
        last = self.end.date() + day if self.end else _OPEN[1]
        sessions = self.sessions or _OPEN
        return max(first, sessions[0]), min(last, sessions[1])

    def holds(self) -> pl.Expr:
        """Whether a bar lies within."""
        first, last = self.sessions or _OPEN
        inside = pl.col("session").is_between(first, last)
        if self.start is not None:
            inside &= pl.col("ts") >= self.start
        return inside if self.end is None else inside & (pl.col("ts") < self.end)

    def widened(self, before: timedelta, after: timedelta) -> Range:
        """Whole sessions, from so long before the range until so long after it."""
        first, last = self.days
        if (first, last) == _OPEN:
            return self
        room_before, room_after = first - date.min, date.max - last
        return Range(sessions=(first - min(before, room_before), last + min(after, room_after)))


def asked_for(
    decided: Collection[Annotation],
    symbols: Sequence[str],
    wish: Impute,
    span: Range,
    as_of: datetime | None,
    *,
    annotated: bool,
) -> Asked | None:
    """What a reader wants made up; None: nothing.

    Args:
        decided: decisions about the dataset that stood at `as_of`.
        symbols: instruments.
        wish: "annotated" for what people decided, "none", or an imputation, see `parse`.
        span: what is read.
        as_of: nothing may look ahead in a read as of a moment; what people decided otherwise is
            left out.
        annotated: whether the reader takes bars that people wanted made up.

    Raises:
        ConfigurationError: the imputation cannot be read, or looks ahead in a read as of a moment.
    """
    if wish == NEVER or (wish == ANNOTATED and not annotated):
        return None
    if wish != ANNOTATED:
        how = parse(wish)
        if how.looks_ahead and as_of is not None:
            raise ConfigurationError(
                "impute: interpolate takes values from bars that come after the missing one, which "
                "nobody knew at the time; with as_of take ffill or constant"
            )
        return Asked(how, imputations([], _OPEN))
    found = imputations(decided, span.days).filter(pl.col("symbol").is_in(list(symbols)))
    if as_of is not None:
        ahead = [t for t in found["imputation"].unique() if parse(t, kept=True).looks_ahead]
        found = found.filter(~pl.col("imputation").is_in(ahead))
    return None if found.is_empty() else Asked(None, found)


def with_imputed(
    platform: Platform,
    bars: pl.DataFrame,
    around: pl.DataFrame,
    asked: Asked,
    timeframe: Timeframe,
    span: Range,
    *,
    moment: datetime,
    adjusted: bool,
) -> pl.DataFrame:
    """Bars and those that are made up, with MASKS, sorted by (symbol, ts).

    Args:
        platform: universe and corporate actions.
        bars: what is read.
        around: bars of the symbols that some may be made up of, in the range widened by
            `asked.beyond`, so that no gap in it is cut short; left out, marked and adjusted as
            `bars` are.
        asked: what is to be made up.
        timeframe: of the bars.
        span: the range that `bars` are of.
        moment: bars that were not over by then are not missing.
        adjusted: splits are worked into the prices, so that values may be carried across them.
    """
    made = []
    grid = _grid(platform, around, timeframe, moment, asked.beyond)
    if not grid.is_empty():
        segment = _segments(platform, grid, timeframe, adjusted=adjusted, moment=moment)
        named = segment.join(asked.sessions, on=_ON, how="left", maintain_order="left")
        made = [
            impute(named.with_columns(wanted=span.holds() & about), how)
            for how, about in asked.specs()
        ]
    return pl.concat([unmarked(bars), *made]).sort("symbol", "ts")


def _grid(
    platform: Platform,
    bars: pl.DataFrame,
    timeframe: Timeframe,
    moment: datetime,
    beyond: timedelta,
) -> pl.DataFrame:
    """Every bar since a symbol's first one that is there, or expected and over; sorted.

    Where a series breaks off, it goes on for `beyond`.
    """
    if bars.is_empty():
        return bars
    instruments = [platform.universe.instrument(s) for s in bars["symbol"].unique().sort()]
    since = bars.group_by("symbol").agg(_since=pl.col("ts").min())
    first = bars.select(pl.col("session").min()).item()
    newest = bars.select(pl.col("session").max()).item()
    last = min(newest + beyond, moment.date() + timedelta(days=1))
    starts = pl.concat(
        bar_starts(calendar, timeframe, first, last).with_columns(calendar=pl.lit(calendar))
        for calendar in sorted({i.calendar for i in instruments})
    ).filter(pl.col("bar_end") <= moment)
    of = pl.DataFrame(
        [(i.symbol, i.calendar) for i in instruments],
        schema={"symbol": pl.String, "calendar": pl.String},
        orient="row",
    )
    traded = expected_bars(instruments, timeframe, first, last).filter(pl.col("expected") > 0)
    begin = pl.coalesce("expected_from", "open")
    end = pl.coalesce("expected_until", "close")
    # What lies before or after that part of a session is welcome, not missing.
    awaited = pl.lit(value=True)
    if timeframe.is_intraday:
        awaited = (pl.col("ts") >= begin) & (pl.col("ts") < end)
    expected = (
        starts.join(of, on="calendar")
        .join(traded, on=_ON)
        .join(since, on="symbol")
        .filter(awaited, pl.col("ts") > pl.col("_since"))
        .select("symbol", "session", "ts")
    )
    # A daily bar begins where its vendor's day does.
    on = [*_ON, "ts"] if timeframe.is_intraday else _ON
    absent = expected.join(bars, on=on, how="anti")
    return pl.concat([bars, CURATED_BARS.conform(_blank(absent))]).sort("symbol", "ts")


def _blank(missing: pl.DataFrame) -> pl.DataFrame:
    """Bars without values."""
    texts = ("source", "filled", "dq_status", "flags", "rule_version")
    return missing.with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in PRICES),
        *(pl.lit("").alias(name) for name in texts),
        final=pl.lit(value=True),
    )


def _segments(
    platform: Platform,
    grid: pl.DataFrame,
    timeframe: Timeframe,
    *,
    adjusted: bool,
    moment: datetime,
) -> pl.DataFrame:
    """The grid with `segment`: intraday the session, daily how many splits there were by then."""
    if timeframe.is_intraday:
        return grid.with_columns(segment=pl.col("session").cast(pl.Int32))
    splits = platform.actions.read(
        symbols=grid["symbol"].unique().to_list(), known_at=moment
    ).filter(pl.col("kind") == "split")
    if adjusted or splits.is_empty():
        return grid.with_columns(segment=pl.lit(0, pl.Int32))
    numbered = (
        splits.select("symbol", session="ex_date")
        .unique()
        .sort("session")
        .with_columns(segment=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("symbol"))
    )
    return (
        grid.sort("session", maintain_order=True)
        .join_asof(numbered, on="session", by="symbol", strategy="backward")
        .with_columns(pl.col("segment").fill_null(0))
        .sort("symbol", "ts")
    )
