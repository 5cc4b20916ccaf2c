"""Known features: rows that rest on no revision of a bar which came after them.

What belongs here: which rows of a frame rest on later revisions, and what they were until then.
What does not: the bars of the time (former_bars.py), rows that nobody told otherwise
(feature_sources.py).

A restatement cuts the rows after its bar in two: those that ended before it was told are computed
anew of the bars as they were until then, those after it stay. Labels stay, too: they say what came
to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from market_data.features.compute import compute
from market_data.features.registry import (
    FEATURE_TIMEFRAMES,
    WARM_UP,
    FeatureGroup,
    Kind,
    group_for,
)
from market_data.features.windows import LOOK_BACK, stretch_of, stretches, touched_until
from market_data.pipeline.feature_bars import FeatureBars
from market_data.pipeline.feature_context import around_confluence, confluence_of
from market_data.pipeline.feature_sources import FeatureSource, were_asked
from market_data.pipeline.former_bars import FormerBars, former_bars
from market_data.pipeline.platform import Platform
from market_data.schemas import UTC as MOMENT
from market_data.timeframes import Timeframe

_APART = timedelta(days=4)
"""Further apart lie no session and the end of a bar of it."""
_KEY = ["symbol", "ts"]
_NONE = pl.DataFrame(
    schema={"symbol": pl.String, "ts": MOMENT, "session": pl.Date, "bars": pl.String}
)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_Span = tuple[date, date]
_Asked = tuple[Timeframe, tuple[str, ...], _Span]


@dataclass(frozen=True)
class _Anew:
    """What was computed anew of a symbol.

    Attributes:
        symbol: whose.
        since: rows that ended from then on
        before: and before this are meant,
        sessions: of these sessions.
        rows: by kind; those of the sessions.
    """

    symbol: str
    since: datetime
    before: datetime
    sessions: _Span
    rows: dict[Kind, pl.DataFrame]

    @property
    def meant(self) -> pl.Expr:
        """Rows that these replace."""
        return (
            (pl.col("symbol") == self.symbol)
            & (pl.col("available_at") >= self.since)
            & (pl.col("available_at") < self.before)
            & pl.col("session").is_between(*self.sessions)
        )


class KnownFeatures:
    """Rows of another source, those that rest on later revisions as they were before these.

    Args:
        platform: where the bars are.
        source: of the rows.
        groups: that rows may be asked of.
        as_of: of the source.
    """

    def __init__(
        self,
        platform: Platform,
        source: FeatureSource,
        groups: Sequence[FeatureGroup],
        as_of: datetime | None = None,
    ) -> None:
        self._platform, self._source, self._as_of = platform, source, as_of
        kept = [g for g in groups if g.timeframe is not None and g.kind is not Kind.LABELS]
        if any(g.kind is Kind.CONFLUENCE for g in groups):
            kept += [group_for(Kind.REGIME, t) for t in FEATURE_TIMEFRAMES]
        self._groups = tuple(dict.fromkeys(kept))
        self._anew: dict[_Asked, list[_Anew]] = {}
        self._restated, self._left_out = [_NONE], [_NONE]
        self._recorded = False

    def rows(self, group: FeatureGroup, symbols: Sequence[str], sessions: _Span) -> pl.DataFrame:
        """The rows of a group; rows of a bar that could not be used at its time are left out."""
        rows = self._source.rows(group, symbols, sessions)
        if rows.is_empty() or group.kind in (Kind.LABELS, Kind.MACRO_CONTEXT):
            return rows
        if group.timeframe is None:
            found = self._confluence(rows, tuple(symbols), sessions)
        else:
            found = self._of_bars(rows, group, tuple(symbols), sessions)
        self._note(group, rows, found)
        return found

    def told(self) -> dict[str, Any]:
        """How many rows rest on former bars, and of how many sessions; for a frame's metadata.

        `left_out`: how many are not there, since their bar could not be used at the time.
        `recorded` is false where the raw logs hold no bar at all that the frame is made of: then
        nobody can say what was restated.
        """
        rows = pl.concat(self._restated).unique()
        return {
            "rows": rows.height,
            "sessions": rows.select("symbol", "session").n_unique() if rows.height else 0,
            "left_out": pl.concat(self._left_out).unique().height,
            "recorded": self._recorded,
        }

    def left_out(self, timeframe: Timeframe) -> pl.DataFrame:
        """symbol, ts: rows of a timeframe that are left out."""
        own = pl.col("bars") == str(timeframe)
        return pl.concat(self._left_out).filter(own).select(_KEY).unique()

    def _note(self, group: FeatureGroup, before: pl.DataFrame, after: pl.DataFrame) -> None:
        if after is before:
            return
        named = pl.lit(str(group.timeframe or group.kind)).alias("bars")
        gone = before.join(after, on=_KEY, how="anti")
        other = after.join(before, on=before.columns, how="anti", nulls_equal=True)
        for rows, noted in ((gone, self._left_out), (other, self._restated)):
            noted.append(rows.select("symbol", "ts", "session", named))

    def _of_bars(
        self, rows: pl.DataFrame, group: FeatureGroup, symbols: tuple[str, ...], span: _Span
    ) -> pl.DataFrame:
        """Rows of features of bars; rows by another definition stay as they are."""
        found = self._made_anew(group, symbols, span)
        if not found:
            return rows
        ours = pl.col("definition") == group.definition
        for anew in found:
            meant = anew.meant & ours
            concerned = rows.filter(meant)
            if concerned.is_empty():
                continue
            made = anew.rows[group.kind].drop("session", "available_at")
            keys = concerned.select(*_KEY, "session", "available_at")
            then = keys.join(made, on=_KEY, how="inner").select(rows.columns)
            rows = pl.concat([rows.filter(~meant), then])
        return rows.sort(_KEY)

    def _made_anew(self, group: FeatureGroup, symbols: tuple[str, ...], span: _Span) -> list[_Anew]:
        assert group.timeframe is not None  # noqa: S101  groups of bars have one
        asked = group.timeframe, symbols, span
        if asked not in self._anew:
            former = former_bars(self._platform, group.timeframe, symbols, span, self._as_of)
            self._recorded |= former.recorded
            groups = [g for g in self._groups if g.timeframe is group.timeframe]
            maker = _Maker(self._platform, group.timeframe, former, groups, span, self._as_of)
            self._anew[asked] = list(maker.made())
        return self._anew[asked]

    def _confluence(
        self, rows: pl.DataFrame, symbols: tuple[str, ...], span: _Span
    ) -> pl.DataFrame:
        """Rows of confluence by the regimes that were known; where these differ, and only there."""
        around = around_confluence(span)
        asked = [t for t in FEATURE_TIMEFRAMES if were_asked(self._platform, t, symbols)]
        groups = {t: group_for(Kind.REGIME, t) for t in asked}
        if not any(self._made_anew(group, symbols, around) for group in groups.values()):
            return rows
        told = {t: self._source.rows(g, symbols, around) for t, g in groups.items()}
        known = {t: self._of_bars(told[t], g, symbols, around) for t, g in groups.items()}
        before, after = (
            confluence_of(self._platform, symbols, span, regimes) for regimes in (told, known)
        )
        gone = before.join(after, on=before.columns, how="anti", nulls_equal=True)
        if gone.is_empty():
            return rows
        concerned = rows.join(gone.select(_KEY), on=_KEY, how="semi")
        then = after.join(concerned.select(_KEY), on=_KEY, how="semi").select(rows.columns)
        return pl.concat([rows.join(concerned, on=_KEY, how="anti"), then]).sort(_KEY)


class _Maker:
    """Computes the rows of a range anew that former bars have a part in."""

    def __init__(
        self,
        platform: Platform,
        timeframe: Timeframe,
        former: FormerBars,
        groups: Sequence[FeatureGroup],
        span: _Span,
        as_of: datetime | None,
    ) -> None:
        self._platform, self._timeframe, self._former = platform, timeframe, former
        self._groups, self._span, self._as_of = groups, span, as_of

    def made(self) -> Iterator[_Anew]:
        """Symbol by symbol, from one restatement to the next."""
        for (symbol,), states in self._former.states.group_by("symbol"):
            bars = self._former.bars.filter(pl.col("symbol") == symbol)
            yield from self._of_symbol(str(symbol), states, bars)

    def _of_symbol(self, symbol: str, states: pl.DataFrame, bars: pl.DataFrame) -> Iterator[_Anew]:
        current = FeatureBars(self._platform, self._timeframe, self._as_of)
        begin = stretch_of(self._timeframe, self._span[0])[0] - LOOK_BACK[self._timeframe]
        near = current.read([symbol], begin, self._span[1])
        actions, read = current.actions([symbol]), {(begin, self._span[1]): near}
        then = partial(_BarsThen, self._platform, self._timeframe, self._as_of, actions, read)
        since = _BEGINNING
        for until in states["until"].unique().sort():
            if (span := self._reached(near, states, since, until)) is not None:
                rows = self._computed(then(states, bars, until), near, (begin, self._span[1]), span)
                yield _Anew(symbol, since, until, span, rows)
            since = until

    def _reached(
        self, near: pl.DataFrame, states: pl.DataFrame, since: datetime, until: datetime
    ) -> _Span | None:
        """The sessions of rows from one moment to the next that former bars have a part in."""
        last = min(self._span[1], until.date() + _APART)
        active = states.filter(pl.col("until") >= until, pl.col("session") <= last)["session"]
        begun, ended = active.min(), active.max()
        if not isinstance(begun, date) or not isinstance(ended, date):
            return None
        first = max(self._span[0], begun)
        if since is not _BEGINNING:
            first = max(first, since.date() - _APART)
        furthest = touched_until(self._timeframe, ended)
        after = near.filter(pl.col("session") > ended, pl.col("session") <= furthest)
        if after.height >= WARM_UP:
            # Fewer bars, as around a hole, are reached over.
            last = min(last, furthest)
        return (first, last) if first <= last else None

    def _computed(
        self, then: _BarsThen, near: pl.DataFrame, read: _Span, span: _Span
    ) -> dict[Kind, pl.DataFrame]:
        bars = then.instead(near, read)
        parts: dict[Kind, list[pl.DataFrame]] = {g.kind: [] for g in self._groups}
        for begin, first, last in stretches(self._timeframe, *span):
            series = then.stretch(bars, begin, first, last)
            for kind, rows in compute(series, self._groups, (first, last)).items():
                parts[kind].append(rows)
        return {kind: pl.concat(rows) for kind, rows in parts.items()}


class _BarsThen(FeatureBars):
    """Usable bars of one symbol as they were before a moment."""

    def __init__(
        self,
        platform: Platform,
        timeframe: Timeframe,
        as_of: datetime | None,
        actions: pl.DataFrame,
        stored: dict[_Span, pl.DataFrame],
        states: pl.DataFrame,
        former: pl.DataFrame,
        moment: datetime,
    ) -> None:
        super().__init__(platform, timeframe, as_of)
        self._actions, self._stored, self._former = actions, stored, former
        still = states.filter(pl.col("until") >= moment).sort("until")
        self._active = still.unique(["symbol", "session"], keep="first", maintain_order=True)

    def read(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """As `FeatureBars.read`."""
        span = first, last
        if span not in self._stored:
            self._stored[span] = super().read(symbols, *span)
        return self.instead(self._stored[span], span)

    def actions(self, symbols: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002  those of the symbol
        """As `FeatureBars.actions`, asked for once."""
        return self._actions

    def _newest_held(self, symbols: Sequence[str], floor: date, until: date) -> date | None:
        """As that of now; sessions whose bars are gone since may have had some."""
        before = self._active.filter(pl.col("session").is_between(floor, until))["session"].max()
        then = [before] if isinstance(before, date) else []
        now = super()._newest_held(symbols, floor, until)
        return max([*then, *([now] if now else [])], default=None)

    def instead(self, bars: pl.DataFrame, sessions: _Span) -> pl.DataFrame:
        """Bars of some sessions, those in place of them that were there before the moment."""
        active = self._active.filter(pl.col("session").is_between(*sessions))
        if active.is_empty():
            return bars
        keys = ["symbol", "session", "until"]
        then = self._former.join(active, on=keys, how="semi").select(bars.columns)
        rest = bars.join(active, on=["symbol", "session"], how="anti", maintain_order="left")
        return pl.concat([rest, then]).sort("symbol", "ts")
