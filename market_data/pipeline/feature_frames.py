"""Feature frames: stored features of several groups side by side, as they were known.

What belongs here: the rows of a frame for training and for inference, what is told of it. What does
not: what each row may see (feature_reader.py), making features (features.py), the forms in which
people take a frame (emp/features.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from market_data.errors import MarketDataError
from market_data.features.registry import FeatureGroup, Kind, group_for
from market_data.pipeline.feature_gaps import (
    before_the_last_bar,
    warn_of_missing,
    warn_of_nothing_known,
)
from market_data.pipeline.feature_reader import OLDEST, FeatureReader
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.wording import few

_KEY = ["symbol", "ts"]


@dataclass(frozen=True)
class FeatureRows:
    """Rows of a feature frame, and where they come from.

    Attributes:
        frame: symbol, ts, session, available_at, the features, the labels.
        features: columns that a model may see.
        labels: columns that it may not.
        metadata: groups with versions, definitions and digests, range, labels; plain values.
    """

    frame: pl.DataFrame
    features: tuple[str, ...]
    labels: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


def default_groups(timeframe: Timeframe) -> list[FeatureGroup]:
    """What a frame holds unless it is told otherwise."""
    kinds = (Kind.PRICE, Kind.VOLUME, Kind.INDICATORS, Kind.REGIME)
    return [group_for(kind, timeframe) for kind in kinds]


def training_rows(  # noqa: PLR0913  a reader's question has this many parts
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    groups: Sequence[FeatureGroup],
    sessions: tuple[date, date],
    *,
    labels: bool = True,
    outdated: bool = False,
    as_of: datetime | None = None,
    known: bool = False,
) -> FeatureRows:
    """Every bar of a range with its features, and what came after it.

    A label that became known only after the last row of the range is empty: a model that is trained
    up to a day must not know the next one.

    Args:
        platform: where from.
        symbols: of the universe.
        timeframe: whose bars the rows are.
        groups: whose features; labels are none.
        sessions: first and last session.
        labels: with the labels of the timeframe.
        outdated: also rows by another definition than the one in force.
        as_of: all of it, labels too, as it would have been made of what was known then: bars,
            corporate actions, macro releases and decisions of people. No stored row has a part.
        known: rows rest on no revision of a bar that came after them, where an older one was known;
            else on the newest revisions.

    Raises:
        ConfigurationError: a symbol is not in the universe, a group is none of features, or the
            timeframe has none.
        MarketDataError: rows are by another definition.

    Warns:
        MissingFeaturesWarning: bars of the range have no rows; with `as_of`, no bar of the range
            was known.
    """
    reader = FeatureReader(
        platform, tuple(symbols), timeframe, tuple(groups), outdated, as_of, known
    )
    rows = reader.rows(sessions)
    if as_of is None:
        there = pl.concat([rows.select(_KEY), reader.left_out()])
        warn_of_missing(platform, symbols, timeframe, sessions, there)
    elif rows.is_empty():
        warn_of_nothing_known(timeframe, sessions, as_of)
    names: list[str] = []
    if labels:
        rows, names = reader.with_labels(rows, sessions)
    told = {"sessions": [str(day) for day in sessions], "labels": names, **reader.restated()}
    return FeatureRows(rows, tuple(reader.columns), tuple(names), reader.metadata | told)


def rows_at(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    groups: Sequence[FeatureGroup],
    moment: datetime,
    *,
    exact: bool,
    oldest: timedelta = OLDEST,
    outdated: bool = False,
) -> FeatureRows:
    """One row per symbol, as it was known at a moment.

    Args:
        platform: where from.
        symbols: of the universe.
        timeframe: whose bars the rows are.
        groups: whose features.
        moment: UTC.
        exact: the row's bar ended at the moment itself; else it is the newest that had ended.
        oldest: how long before the moment the newest bar may have ended.
        outdated: also rows by another definition than the one in force.

    Returns:
        The frame has the column `age_seconds` besides: from the end of the bar to the moment.
        Symbols without a row stand in the metadata under `missing`.

    Raises:
        ConfigurationError: as `training_rows`.
        MarketDataError: rows are by another definition; or, if exact, a symbol has no row.
    """
    reader = FeatureReader(platform, tuple(symbols), timeframe, tuple(groups), outdated)
    first = (moment - oldest).date() - timedelta(days=3)
    rows = reader.rows((first, moment.date() + timedelta(days=2)), until=moment)
    age = pl.lit(moment) - pl.col("available_at")
    known = rows.filter(age <= (timedelta(0) if exact else oldest))
    newest = known.group_by("symbol", maintain_order=True).last().select(rows.columns)
    missing = sorted(set(symbols) - set(newest["symbol"]))
    if exact and missing:
        raise MarketDataError(
            f"no {timeframe} bar of {few(missing)} ended at {moment:%Y-%m-%d %H:%M:%S} UTC and has "
            "features; mode='latest' takes the newest that had ended, 'emp features make' makes "
            "what is missing"
        )
    aged = newest.with_columns(age_seconds=age.dt.total_microseconds() / 1e6)
    told = {"at": moment.isoformat(), "mode": "exact" if exact else "latest", "missing": missing}
    return FeatureRows(aged, tuple(reader.columns), (), reader.metadata | told)


def rows_of_session(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    groups: Sequence[FeatureGroup],
    session: date,
    *,
    outdated: bool = False,
) -> FeatureRows:
    """The row of each symbol's last bar in one session, as it was known when that bar ended.

    Raises:
        ConfigurationError: as `training_rows`.
        MarketDataError: rows are by another definition; or a symbol has no row of the last bar
            that its calendar expects in the session.
    """
    reader = FeatureReader(platform, tuple(symbols), timeframe, tuple(groups), outdated)
    rows = reader.rows((session, session))
    newest = rows.group_by("symbol", maintain_order=True).last().select(rows.columns)
    if missing := sorted(set(symbols) - set(newest["symbol"])):
        raise MarketDataError(
            f"{few(missing)} has no {timeframe} bar with features in session {session}; 'emp "
            "features make' makes what is missing"
        )
    if early := before_the_last_bar(platform, newest, timeframe, session):
        raise MarketDataError(
            f"the last {timeframe} bar of {few(early)} in session {session} has no features; 'emp "
            "features make' makes them where the bar is there, mode='latest' with a time takes "
            "the newest row that had ended"
        )
    aged = newest.with_columns(age_seconds=pl.lit(0.0))
    told = {"at": str(session), "mode": "exact", "missing": []}
    return FeatureRows(aged, tuple(reader.columns), (), reader.metadata | told)
