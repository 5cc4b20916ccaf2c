"""Reading groups of features beside each other: the rows of a frame, each as it was known.

What belongs here: joining groups by bar and by time, labels, what is noted of what was read. What
does not: which rows a frame is asked for (feature_frames.py), where they come from
(feature_sources.py, known_features.py).

A row is a bar of one timeframe and stands at that bar's end. Groups of the same timeframe are
joined by bar; of any other group a row takes the newest one that had ended by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from market_data.errors import ConfigurationError, MarketDataError
from market_data.features.labels import HORIZONS
from market_data.features.registry import FeatureGroup, Kind, group_for
from market_data.pipeline.feature_gaps import of_served_bars
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


class FeatureReader:
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

    def left_out(self) -> pl.DataFrame:
        """symbol, ts: rows that are not there since their bar could not be used at its time."""
        if self._known is None:
            return pl.DataFrame(schema={"symbol": pl.String, "ts": UTC})
        return self._known.left_out(self._timeframe)

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
