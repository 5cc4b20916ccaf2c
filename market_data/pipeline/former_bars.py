"""Former bars: usable bars as they were before a vendor said otherwise.

What belongs here: what the bars of sessions that were told again were until then. What does not:
which sessions those are (told_again.py), from when a revision counts
(market_data/revisions_in_time.py), features made of such bars (known_features.py).

Only the vendors' bars are those of the time. Corporate actions, decisions of people, flags and the
rules of curation are those of today, or of the moment as of which everything is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, cast

import polars as pl

from market_data.basis import FOREIGN_DAY
from market_data.calendars import with_end_of_basis
from market_data.datasets import Dataset, curated_bars, raw_bars
from market_data.pipeline.curate import chunks, curate_slice, step_days
from market_data.pipeline.feature_bars import FeatureBars
from market_data.pipeline.platform import Platform
from market_data.pipeline.told_again import ToldAgain
from market_data.ports import BarStore, RawLog
from market_data.quality.digest import bars_digest
from market_data.revisions_in_time import counting_before, with_since
from market_data.schemas import UTC as MOMENT
from market_data.timeframes import Timeframe

_KEY = ["symbol", "session"]
_NONE = pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
_TIMED = pl.DataFrame(schema={**_NONE.schema, "until": MOMENT})
_NOW = datetime(9999, 1, 1, tzinfo=UTC)
_Span = tuple[date, date]


@dataclass(frozen=True)
class FormerBars:
    """Sessions whose usable bars were others before some moment.

    Attributes:
        states: symbol, session, until (UTC): before that moment the session's bars were those of
            `bars` with the same three values, if they had not been others still before.
        bars: until, and the columns of `FeatureBars.read`.
        recorded: whether the raw logs hold any bar of the range.
    """

    states: pl.DataFrame
    bars: pl.DataFrame
    recorded: bool


def former_bars(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: _Span,
    as_of: datetime | None = None,
) -> FormerBars:
    """What the bars were that features of a range are made of, before they became what they are.

    Where no vendor told a bar twice, which is the usual case, only keys are read.

    Args:
        platform: where the raw logs are, and the curated bars.
        timeframe: of the bars.
        symbols: whose.
        sessions: first and last session that features are wanted of; bars before it count as far
            as their windows reach.
        as_of: by what was known then; None for now.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    told = ToldAgain(platform, timeframe, as_of)
    found = told.sessions(symbols, sessions)
    frames = []
    days = step_days(platform, timeframe)
    if found.height:
        first, last = found.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
        for span in chunks(first, last, days):
            own = found.filter(pl.col("session").is_between(*span))
            if own.height:
                frames.append(_former(platform, timeframe, own, span, as_of))
    return FormerBars(
        pl.concat([_TIMED, *(states for states, _ in frames)]),
        pl.concat([_TIMED, *(bars for _, bars in frames)], how="diagonal"),
        told.recorded,
    )


def _former(
    platform: Platform,
    timeframe: Timeframe,
    wanted: pl.DataFrame,
    span: _Span,
    as_of: datetime | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """States and bars of `FormerBars`, of some sessions of a slice."""
    log = _LogBefore(platform, wanted, span, as_of)
    moments = log.moments(timeframe)
    keys = moments.select(_KEY).unique()
    if keys.is_empty():
        return _TIMED, _TIMED
    symbols = keys["symbol"].unique().sort().to_list()
    newest = FeatureBars(platform, timeframe, as_of).read(symbols, *span)
    states = [keys.with_columns(until=pl.lit(_NOW, MOMENT))]
    bars = [newest.join(keys, on=_KEY, how="semi").with_columns(until=pl.lit(_NOW, MOMENT))]
    for (_,), layer in moments.sort("layer").group_by("layer", maintain_order=True):
        until = layer.select(*_KEY, "until")
        then = FeatureBars(log.platform(until, timeframe), timeframe, as_of)
        read = then.read(until["symbol"].unique().sort().to_list(), *span)
        bars.append(read.join(until, on=_KEY, how="inner", maintain_order="left"))
        states.append(until)
    every = pl.concat([b.select(bars[0].columns) for b in bars])
    changed = _changed(pl.concat(states), every)
    return changed, every.join(changed, on=[*_KEY, "until"], how="semi", maintain_order="left")


def _changed(states: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The states that are others than those that followed."""
    told = bars.with_columns(
        foreign=pl.col("flags").str.contains(FOREIGN_DAY, literal=True).cast(pl.Int64)
    ).drop("flags")
    digests = [
        bars_digest(own.drop("until")).with_columns(until=pl.lit(until, MOMENT))
        for (until,), own in told.group_by("until")
    ]
    none = pl.DataFrame(schema={**_NONE.schema, "bars_digest": pl.String, "until": MOMENT})
    marked = states.join(pl.concat([none, *digests]), on=[*_KEY, "until"], how="left").sort(
        *_KEY, "until"
    )
    after = pl.col("bars_digest").shift(-1).over(_KEY)
    other = pl.col("bars_digest").ne_missing(after) & (pl.col("until") < _NOW)
    return marked.filter(other).select(*_KEY, "until")


class _LogBefore:
    """Raw logs of some sessions of a slice, as they were before a moment of each session."""

    def __init__(
        self, platform: Platform, wanted: pl.DataFrame, span: _Span, as_of: datetime | None
    ) -> None:
        self._platform, self._wanted, self._span, self._as_of = platform, wanted, span, as_of
        self._symbols = wanted["symbol"].unique().sort().to_list()
        vendors = platform.universe.vendors
        self._timeframes = {raw_bars(v.name, t): t for v in vendors for t in v.timeframes}
        self._read: dict[Dataset, pl.DataFrame] = {}

    def moments(self, timeframe: Timeframe) -> pl.DataFrame:
        """symbol, session, until, layer: when something was told again; numbers from 0."""
        found = [_TIMED]
        for source in dict.fromkeys((timeframe, Timeframe.M1)):
            made = self._wanted if source is timeframe else self._wanted.filter("minutes")
            if made.is_empty():
                continue
            for vendor in self._platform.universe.vendors_of(source):
                rows = self.revisions(raw_bars(vendor.name, source))
                again = rows.filter(pl.col("since").is_not_null())
                again = again.join(made, on=_KEY, how="semi")
                found.append(again.select(*_KEY, until="since"))
        told = pl.concat(found).unique().sort(*_KEY, "until")
        return told.with_columns(layer=pl.int_range(pl.len()).over(_KEY))

    def revisions(self, dataset: Dataset) -> pl.DataFrame:
        """The revisions of the sessions with `since`."""
        if dataset not in self._read:
            platform, timeframe = self._platform, self._timeframes[dataset]
            rows = platform.raw_log.revisions(
                dataset, symbols=self._symbols, sessions=self._span
            ).join(self._wanted, on=_KEY, how="semi", maintain_order="left")
            calendars: dict[str, list[str]] = {}
            for symbol in rows["symbol"].unique():
                calendar = platform.universe.instrument(symbol).calendar
                calendars.setdefault(calendar, []).append(symbol)
            ended = [
                with_end_of_basis(rows.filter(pl.col("symbol").is_in(own)), calendar, timeframe)
                for calendar, own in calendars.items()
            ]
            none = rows.clear().with_columns(bar_end=pl.lit(None, MOMENT))
            found = with_since(pl.concat([none, *ended]))
            if self._as_of is not None:
                found = found.filter(pl.coalesce("since", "known_at") <= self._as_of)
            self._read[dataset] = found
        return self._read[dataset]

    def platform(self, moments: pl.DataFrame, timeframe: Timeframe) -> Platform:
        """The platform, but that vendors' bars of these sessions are those before a moment each.

        Curated bars of the timeframe are made of these; other sessions have none.
        """
        known = replace(self._platform, raw_log=cast("RawLog", _Before(self, moments)))
        return replace(known, store=cast("BarStore", _Curated(known, timeframe)))


class _Before:
    """Reads the raw logs for `_LogBefore`."""

    def __init__(self, log: _LogBefore, moments: pl.DataFrame) -> None:
        self._log, self._moments = log, moments

    def read(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: _Span | None = None,
        known_at: datetime | None = None,  # noqa: ARG002  later ones are left out already
    ) -> pl.DataFrame:
        """The revision of each bar that counted."""
        rows = counting_before(self._log.revisions(dataset), self._moments)
        if symbols is not None:
            rows = rows.filter(pl.col("symbol").is_in(list(symbols)))
        if sessions is not None:
            rows = rows.filter(pl.col("session").is_between(*sessions))
        return rows.select(dataset.schema.names)


class _Curated:
    """A store whose curated bars of a timeframe are made of the raw logs of its platform."""

    def __init__(self, platform: Platform, timeframe: Timeframe) -> None:
        self._platform, self._timeframe = platform, timeframe

    def scan(self, dataset: Dataset, **how: Any) -> pl.DataFrame:
        """The rows; of other datasets those that are stored."""
        if dataset != curated_bars(self._timeframe):
            return self._platform.store.scan(dataset, **how)
        made = curate_slice(self._platform, self._timeframe, how["symbols"], *how["sessions"])
        return made.bars if how.get("columns") is None else made.bars.select(how["columns"])
