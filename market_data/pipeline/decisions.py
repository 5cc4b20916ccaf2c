"""People's decisions about a range of sessions, as curating, judging and reading need them.

What belongs here: asking for them, once per range, as they were known at a moment; marking bars by
them. What does not: what follows from them (market_data/quality/annotations.py), making them
(emp/annotations.py), the flags that they may overrule (flagging.py, kept_flags.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

import polars as pl

from market_data.curation.marks import session_marks, with_marks
from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.ports import Annotation, Annotations, Decision
from market_data.quality.annotations import UNUSABLE, marked_by, preferences, standing, unusable
from market_data.timeframes import Timeframe

MADE_OF_MINUTES = pl.col("source").str.ends_with(f"@{Timeframe.M1}")
"""Bars of a longer timeframe that curation made of a vendor's minutes."""


class Decided(Protocol):
    """Whatever knows where decisions are; a platform does."""

    @property
    def annotations(self) -> Annotations:
        """The decisions."""
        ...


def decisions(
    platform: Decided,
    dataset: str | None,
    sessions: tuple[date, date],
    as_of: datetime | None = None,
) -> list[Annotation]:
    """The decisions about a range of sessions that stood at `as_of` (stand now where None)."""
    return standing(platform.annotations.read(dataset=dataset, sessions=sessions), as_of)


def preferred_vendors(
    platform: Platform, timeframe: Timeframe, sessions: tuple[date, date], as_of: datetime | None
) -> pl.DataFrame:
    """Rows of `market_data.curation.preference.PREFERRED` for curated bars of a timeframe."""
    found = decisions(platform, curated_bars(timeframe).name, sessions, as_of)
    return preferences(found, sessions)


def bar_decisions(
    platform: Decided,
    timeframe: Timeframe,
    sessions: tuple[date, date],
    as_of: datetime | None = None,
) -> list[Annotation]:
    """What curated bars are marked by and made up: decisions about them, and about their minutes.

    Of the minutes only that they are unusable: longer bars that are made of them are so as well.
    """
    own, minutes = curated_bars(timeframe).name, curated_bars(Timeframe.M1).name
    # Asked for together: each question is a way to the operations database, of every read.
    found = decisions(platform, None, sessions, as_of)
    finer = [a for a in found if a.dataset == minutes != own]
    return [
        *(a for a in found if a.dataset == own),
        *(a for a in finer if a.decision is Decision.UNUSABLE),
    ]


def masked(bars: pl.DataFrame, decided: list[Annotation], timeframe: Timeframe) -> pl.DataFrame:
    """Curated bars, those of sessions that were marked unusable with status error and a flag.

    The store keeps the bars as they were curated, whatever engine it is; the mark is put on here.

    Args:
        bars: rows of CURATED_BARS.
        decided: as `bar_decisions` has them.
        timeframe: of the bars.
    """
    if bars.is_empty():
        return bars
    span: tuple[date, date] = bars.select(
        first=pl.col("session").min(), last=pl.col("session").max()
    ).row(0)
    own, minutes = about_bars(decided, timeframe)
    days, of_minutes = unusable(own, span), unusable(minutes, span)
    if days.is_empty() and of_minutes.is_empty():
        return bars
    made = bars.filter(MADE_OF_MINUTES).join(of_minutes, on=["symbol", "session"], how="semi")
    given = pl.lit("error").alias("severity")
    single = made.select("symbol", "session", "ts", flag=pl.lit(UNUSABLE), severity=given)
    return with_marks(bars, [session_marks(days.with_columns(given), UNUSABLE), single])


def unusable_sessions(
    platform: Platform, timeframe: Timeframe, sessions: tuple[date, date]
) -> pl.DataFrame:
    """Sessions of which readers get no bar, or not all, since somebody marked them unusable.

    Returns:
        symbol, session, by (authors, comma-separated), each once.
    """
    own, minutes = about_bars(bar_decisions(platform, timeframe, sessions), timeframe)
    marked = marked_by(own, sessions)
    of_minutes = marked_by(minutes, sessions)
    if of_minutes.is_empty():
        return marked
    bars = platform.store.scan(
        curated_bars(timeframe),
        symbols=of_minutes["symbol"].unique().sort().to_list(),
        sessions=sessions,
        columns=("symbol", "session", "source"),
    )
    made = of_minutes.join(bars.filter(MADE_OF_MINUTES), on=["symbol", "session"], how="semi")
    who = pl.col("by").str.split(", ").explode().unique().sort().str.join(", ")
    return pl.concat([marked, made]).group_by("symbol", "session").agg(who)


def about_bars(
    decided: Sequence[Annotation], timeframe: Timeframe
) -> tuple[list[Annotation], list[Annotation]]:
    """Of `bar_decisions` those about the bars themselves, and those about their minutes."""
    own = curated_bars(timeframe).name
    return [a for a in decided if a.dataset == own], [a for a in decided if a.dataset != own]
