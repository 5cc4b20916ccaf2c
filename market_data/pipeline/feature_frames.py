"""Feature frames: stored features of several groups side by side, as they were known.

What belongs here: the rows of a frame, what each may see, what is told of it. What does not: making
features (features.py), the forms in which people take a frame (emp/features.py).

A row is a bar of one timeframe and stands at that bar's end. Groups of the same timeframe are
joined by bar; of any other group a row takes the newest one that had ended by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from market_data.errors import ConfigurationError, MarketDataError
from market_data.features.labels import HORIZONS
from market_data.features.registry import FeatureGroup, Kind, group_for
from market_data.pipeline.feature_gaps import (
    before_the_last_bar,
    of_served_bars,
    warn_of_missing,
    warn_of_nothing_known,
)
from market_data.pipeline.feature_sources import FeaturesAsOf, FeatureSource, StoredFeatures
from market_data.pipeline.known_features import KnownFeatures
from market_data.pipeline.platform import Platform
from market_data.quality.digest import rows_digest
from market_data.schemas import UTC
from market_data.timeframes import Timeframe
from market_data.wording import few

ROW = ("symbol", "ts", "session", "available_at")
OLDEST = timedelta(days=14)
"""A row of another timeframe that ended longer before is not taken: nobody trades by it."""
_AHEAD = timedelta(days=4)
"""How far the session of a row of another group may lie after that of a bar that ends no sooner."""
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
    reader = _Reader(platform, tuple(symbols), timeframe, tuple(groups), outdated, as_of, known)
    rows = reader.rows(sessions)
    if as_of is None:
        warn_of_missing(platform, symbols, timeframe, sessions, rows)
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
    reader = _Reader(platform, tuple(symbols), timeframe, tuple(groups), outdated)
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
    reader = _Reader(platform, tuple(symbols), timeframe, tuple(groups), outdated)
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


class _Reader:
    """Reads groups beside each other, and notes what it read."""

    def __init__(
        self,
        platform: Platform,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        groups: tuple[FeatureGroup, ...],
        outdated: bool,
        as_of: datetime | None = None,
        known: bool = False,
    ) -> None:
        for symbol in symbols:
            platform.universe.instrument(symbol)
        if any(group.kind is Kind.LABELS for group in groups):
            raise ConfigurationError("labels look ahead and are no features; ask for labels=True")
        if not groups:
            raise ConfigurationError("name at least one feature group")
        self._platform, self._symbols, self._timeframe = platform, symbols, timeframe
        self._groups, self._outdated, self._as_of = groups, outdated, as_of
        self._source: FeatureSource = StoredFeatures(platform)
        if as_of is not None:
            # Keys and labels of the timeframe are made with the groups that are asked for.
            beside = [group_for(kind, timeframe) for kind in (Kind.PRICE, Kind.LABELS)]
            self._source = FeaturesAsOf(platform, [*groups, *beside], as_of)
        self._known: KnownFeatures | None = None
        if known:
            beside = [group_for(Kind.PRICE, timeframe)]
            self._known = KnownFeatures(platform, self._source, [*groups, *beside], as_of)
            self._source = self._known
        self.columns: list[str] = []
        told = None if as_of is None else as_of.isoformat()
        self.metadata: dict[str, Any] = {"timeframe": str(timeframe), "as_of": told, "groups": {}}

    def rows(self, sessions: tuple[date, date], *, until: datetime | None = None) -> pl.DataFrame:
        """The rows of a range, sorted by (symbol, ts); none whose bar ended after `until`."""
        own = [g for g in self._groups if g.timeframe is self._timeframe]
        keys = own or [group_for(Kind.PRICE, self._timeframe)]
        read = {g.key: self._read(g, sessions) for g in keys}
        rows = pl.concat(frame.select(ROW) for frame in read.values()).unique(_KEY).sort(_KEY)
        if until is not None:
            rows = rows.filter(pl.col("available_at") <= until)
        if self._as_of is None:
            rows = of_served_bars(self._platform, self._symbols, self._timeframe, rows)
        for group in self._groups:
            if group.timeframe is self._timeframe:
                rows = self._beside(rows, read[group.key], group)
            else:
                rows = self._newest(rows, group, sessions)
        return rows.sort(_KEY)

    def restated(self) -> dict[str, Any]:
        """What is told of rows that rest on former bars; nothing where nobody looked."""
        return {} if self._known is None else {"restated": self._known.told()}

    def with_labels(
        self, rows: pl.DataFrame, sessions: tuple[date, date]
    ) -> tuple[pl.DataFrame, list[str]]:
        """Adds the labels that were known when the last row was."""
        group = group_for(Kind.LABELS, self._timeframe)
        told = self._read(group, sessions)
        limit = pl.lit(rows["available_at"].max(), UTC)
        known = told.with_columns(
            pl.when(pl.col(f"fwd_end_{n}") <= limit)
            .then(pl.col(f"{name}_{n}"))
            .alias(f"{name}_{n}")
            for n in HORIZONS
            for name in ("fwd_ret", "fwd_end")
        )
        joined = rows.join(
            known.select(*_KEY, *group.names), on=_KEY, how="left", maintain_order="left"
        )
        return joined, group.names

    def _read(
        self, group: FeatureGroup, sessions: tuple[date, date], *, until: Any = None
    ) -> pl.DataFrame:
        """The rows of a group; with a moment, those known by then."""
        rows = self._source.rows(group, self._symbols, sessions)
        if until is not None:
            rows = rows.filter(pl.col("available_at") <= until)
        other = rows.filter(pl.col("definition") != group.definition)
        if other.height and not self._outdated:
            days = other["session"].unique().sort()
            raise MarketDataError(
                f"{other.height} rows of {group.key} are by another definition than the one in "
                f"force ({days[0]} to {days[-1]}): 'emp features make' makes them anew, "
                "outdated=True takes them as they are"
            )
        self.metadata["groups"][group.key] = {
            "version": group.version,
            "definition": group.definition,
            "definitions_read": rows["definition"].unique().sort().to_list(),
            "rows": rows.height,
            "digest": str(rows_digest(rows)),
        }
        return rows

    def _beside(self, rows: pl.DataFrame, read: pl.DataFrame, group: FeatureGroup) -> pl.DataFrame:
        self._take(group.names)
        cells = read.select(*_KEY, *group.names)
        return rows.join(cells, on=_KEY, how="left", maintain_order="left")

    def _newest(
        self, rows: pl.DataFrame, group: FeatureGroup, sessions: tuple[date, date]
    ) -> pl.DataFrame:
        """Adds the newest row of another group that had ended at each row's moment."""
        suffix = f"_{group.timeframe}" if group.timeframe else ""
        names = {n: f"{n}{suffix}" for n in group.names}
        self._take(list(names.values()))
        # A session may begin, and be told of, when the one before it ends.
        around = sessions[0] - OLDEST - timedelta(days=3), sessions[1] + _AHEAD
        told = self._read(group, around, until=rows["available_at"].max())
        told = told.sort("available_at", "ts")
        cells = told.select(
            "symbol", "available_at", **{new: pl.col(old) for old, new in names.items()}
        )
        return rows.sort("available_at").join_asof(
            cells, on="available_at", by="symbol", tolerance=OLDEST, check_sortedness=False
        )

    def _take(self, names: Sequence[str]) -> None:
        twice = sorted(set(names) & {*self.columns, *ROW})
        if twice:
            raise ConfigurationError(f"two of these groups have the column {few(twice)}")
        self.columns += names
