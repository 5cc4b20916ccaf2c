"""The bars that features are made of: usable ones, and splits, as they are on record.

What belongs here: which stored bars count, and the stretch with its warm-up. What does not: the
features (market_data/features), where rows go (features.py).

Left out are bars that readers do not get (in error, disputed, of sessions that people marked
unusable), bars whose period is not over, and bars that may be divided by a split that nobody has
told in full. Bars that readers may have made up are not made up here. What is left out counts as
missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from market_data.corporate_actions.adjustment import newest
from market_data.datasets import curated_bars
from market_data.errors import (
    UnjudgedBarsWarning,
    UnknownActionsWarning,
    WithheldBarsWarning,
)
from market_data.features.labels import FURTHEST, HORIZONS
from market_data.features.registry import WARM_UP
from market_data.features.series import series
from market_data.features.windows import LOOK_BACK, look_ahead, short_of, warm_up
from market_data.pipeline.adjusting import of_unknown_splits
from market_data.pipeline.foreign_days import with_day_end
from market_data.pipeline.imputing import NEVER
from market_data.pipeline.platform import Platform
from market_data.pipeline.read import read_bars
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
FURTHEST_AT_ONCE = 8
"""Times LOOK_BACK that are read at once of symbols that lack bars."""
_YEARS_AT_ONCE = 8
"""Of which the keys of bars are read at once, where symbols may have none at all."""
_COLUMNS = ["symbol", "ts", "session", "high", "low", "close", "volume", "flags"]
"""And, of daily bars, `day_end`, see `market_data.pipeline.foreign_days`."""


class FeatureBars:
    """Usable bars of a timeframe, read range by range.

    Args:
        platform: where from.
        timeframe: of the bars.
        as_of: curate again what was known then; None for what is stored.
    """

    def __init__(
        self, platform: Platform, timeframe: Timeframe, as_of: datetime | None = None
    ) -> None:
        self._platform, self._timeframe, self._as_of = platform, timeframe, as_of
        self._moment = as_of or platform.clock.now()

    def read(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """symbol, ts, session, high, low, close, volume, flags of usable bars, by (symbol, ts).

        And, of daily bars, day_end: when the vendor's own day ended that a bar is over.
        """
        with warnings.catch_warnings():
            # What is withheld is counted as missing, row by row.
            warnings.simplefilter("ignore", WithheldBarsWarning)
            warnings.simplefilter("ignore", UnknownActionsWarning)
            # The scores come first where the graph makes features.
            warnings.simplefilter("ignore", UnjudgedBarsWarning)
            bars = read_bars(
                self._platform,
                symbols,
                timeframe=self._timeframe,
                sessions=(first, last),
                as_of=self._as_of,
                impute=NEVER,
            )
        unclear = of_unknown_splits(bars, self.actions(symbols), self._moment)
        usable = bars.filter(~unclear)
        if self._timeframe.is_intraday:
            return usable.select(_COLUMNS)
        return with_day_end(self._platform, usable, self._as_of).select(*_COLUMNS, "day_end")

    def actions(self, symbols: Sequence[str]) -> pl.DataFrame:
        """Corporate actions of symbols whose class has any, one per symbol, ex-date and kind."""
        universe = self._platform.universe
        adjustable = [s for s in symbols if universe.instrument(s).asset_class.is_adjustable]
        known = self._platform.actions.read(symbols=adjustable, known_at=self._moment)
        return newest(known, as_of=self._moment)

    def _back(self, symbols: Sequence[str], begin: date) -> list[pl.DataFrame]:
        """The newest WARM_UP bars of each symbol before a day, however far back they lie.

        It goes back by stretches, longer ones until some limit, for those that lack bars alone:
        memory depends neither on the length of history nor on that of a hole.
        """
        floor = self._platform.universe.first_session
        reach, until = LOOK_BACK[self._timeframe], begin - _DAY
        lacking, parts = dict.fromkeys(symbols, WARM_UP), []
        while lacking and (held := self._newest_held(sorted(lacking), floor, until)):
            until = held
            first = max(floor, until - reach)
            read = self.read(sorted(lacking), first, until)
            newest = read.group_by("symbol", maintain_order=True).tail(WARM_UP)
            parts.append(newest.select(read.columns))
            for symbol, count in newest.group_by("symbol").len().iter_rows():
                lacking[symbol] -= count
                if lacking[symbol] <= 0:
                    del lacking[symbol]
            reach = min(2 * reach, FURTHEST_AT_ONCE * LOOK_BACK[self._timeframe])
            until = first - _DAY
        return parts[::-1]

    def _newest_held(self, symbols: Sequence[str], floor: date, until: date) -> date | None:
        """The last session up to a day that may hold a bar; None if there is none.

        A symbol that is listed since last year has nothing in the decades before: these are
        looked through by keys alone, more years at a time the further back.
        """
        if self._as_of is not None:
            return until if until >= floor else None
        dataset, years = curated_bars(self._timeframe), 1
        while until >= floor:
            first = max(floor, date(max(until.year - years + 1, 1), 1, 1))
            found = self._platform.store.scan(
                dataset, symbols=symbols, sessions=(first, until), columns=["session"]
            )["session"].max()
            if isinstance(found, date):
                return found
            until, years = first - _DAY, min(2 * years, _YEARS_AT_ONCE)
        return None

    def stretch(self, bars: pl.DataFrame, begin: date, first: date, last: date) -> pl.DataFrame:
        """The series of a part of a stretch, with its warm-up and the bars that labels look at.

        Args:
            bars: of `read`, at least from LOOK_BACK before `begin` on, and FURTHEST beyond `last`.
            begin: first day of the stretch.
            first: first session that rows are wanted of.
            last: last session that rows are wanted of.
        """
        day = pl.col("session")
        near = bars.filter(
            day >= begin - LOOK_BACK[self._timeframe],
            day <= last + timedelta(days=FURTHEST[self._timeframe]),
        )
        within = near.filter(day.is_between(first, last))["symbol"].unique()
        symbols = within.sort().to_list()
        near = near.filter(pl.col("symbol").is_in(symbols))
        if short := short_of(near, begin, first, last):
            kept = near.filter((day >= begin) | ~pl.col("symbol").is_in(short))
            near = pl.concat([*self._back(short, begin), kept]).sort("symbol", "ts")
        wanted = look_ahead(warm_up(near, begin), last, max(HORIZONS))
        universe = self._platform.universe
        return series(
            wanted,
            [universe.instrument(s) for s in symbols],
            self._timeframe,
            self.actions(symbols),
        )
