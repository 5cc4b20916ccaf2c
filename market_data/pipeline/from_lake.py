"""What the lake gives of what the warehouse keeps, made anew for whoever reads while it is away.

What belongs here: curated bars, their flags, scores and the macro calendar as a `BarStore` that
makes them when it is asked. What does not: when it stands in for the warehouse (emp/platforms.py,
adapters/failover_drill.py), the rules by which they are made (curate.py, score.py).

Readers ask it as they ask the warehouse, and get what that would hold once it has caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from market_data.datasets import FLAGS_DATASET, MACRO_CALENDAR, SCORES_DATASET, Dataset
from market_data.datasets import curated_bars as curated_dataset
from market_data.errors import StoreUnavailableError
from market_data.macro.calendar import ANNOUNCED_DAYS
from market_data.pipeline.curated_again import (
    between,
    bounded,
    curated_again,
    sessions_between,
)
from market_data.pipeline.kept_flags import flags_of
from market_data.pipeline.macro_calendar import calendar_of
from market_data.pipeline.platform import Platform
from market_data.pipeline.score import scores_of
from market_data.ports import TableVersion
from market_data.ports.lake import VersionedTable
from market_data.retention.policy import DataRetention
from market_data.timeframes import Timeframe

_BARS = {curated_dataset(timeframe).name: timeframe for timeframe in Timeframe}
_NEWEST = timedelta(days=31)
"""In so many of the newest days the newest bars are looked for first."""


class LakeStore:
    """A `BarStore` that holds nothing, and makes what it is asked for of the lake.

    Args:
        platform: whose lake and operations database; its own store is asked nothing.
        why: what readers are told of what the lake cannot give: where it is kept, and the cure.
        timeframes: whose flags and scores are made; those of others are none. Bars are made of
            every timeframe.
        retention: rows that it lets go are left out, since the warehouse drops them, too; None
            where all stay.
    """

    def __init__(
        self,
        platform: Platform,
        why: str,
        timeframes: Sequence[Timeframe] = tuple(Timeframe),
        retention: DataRetention | None = None,
    ) -> None:
        self._platform = replace(platform, store=self)
        self._why = why
        self._timeframes = tuple(timeframes)
        self._retention = retention

    @property
    def platform(self) -> Platform:
        """The platform that reads through this store."""
        return self._platform

    def scan(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        sessions: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows as the lake gives them now, see the port.

        Raises:
            StoreUnavailableError: the lake does not give this dataset.
        """
        first, last = sessions or sessions_between(start, end)
        if timeframe := _BARS.get(dataset.name):
            # Nobody asked of any other symbol for such bars, or for minutes to make them of.
            known = self._known(symbols, (timeframe, Timeframe.M1))
            rows = curated_again(self._platform, known, timeframe, first, last)
        elif dataset == MACRO_CALENDAR:
            rows = self._calendar(first, last)
            rows = rows if symbols is None else rows.filter(pl.col("symbol").is_in(list(symbols)))
        elif dataset in (SCORES_DATASET, FLAGS_DATASET):
            known = self._known(symbols)
            make = scores_of if dataset == SCORES_DATASET else flags_of
            span = bounded(self._platform, known, first, last)
            rows = make(self._platform, known, span, self._timeframes)
        else:
            raise StoreUnavailableError(f"{self._why}: {dataset.name} is kept there alone")
        rows = self._that_stay(dataset, rows)
        rows = between(rows, dataset.time_column, start, end).sort(dataset.sort)
        return rows if columns is None else rows.select(columns)

    def _that_stay(self, dataset: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that retention keeps; scores and flags of bars that went have gone with them."""
        if self._retention is None:
            return rows
        symbols, today = rows["symbol"].unique().to_list(), self._platform.clock.now().date()
        own = self._retention.horizons(dataset.name, symbols, today)
        key: list[str] = ["symbol"]
        first: list[tuple[object, ...]] = list(own.items())
        schema: dict[str, pl.DataType] = {"symbol": pl.String(), "_first": pl.Date()}
        if dataset in (SCORES_DATASET, FLAGS_DATASET):
            # What speaks of bars goes by its own rule, and never before them.
            key = ["dataset", *key]
            schema = {"dataset": pl.String(), **schema}
            first = [
                (name, symbol, min(day, own[symbol]))
                for name in _BARS
                for symbol, day in self._retention.horizons(name, own, today).items()
            ]
        horizons = pl.DataFrame(first, schema=schema, orient="row")
        marked = rows.join(horizons, on=key, how="left", maintain_order="left")
        stays = pl.col("_first").is_null() | (pl.col("session") >= pl.col("_first"))
        return marked.filter(stays).drop("_first")

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol, see the port; looked for further and further back."""
        known = self._known(symbols)
        oldest, last = bounded(self._platform, known, date.min, date.max)
        reach = _NEWEST
        while True:
            first = max(oldest, last - reach)
            found = self.scan(dataset, symbols=known, sessions=(first, last))
            newest = found.filter(pl.int_range(pl.len()).reverse().over("symbol") < rows)
            if first == oldest or newest.height >= len(known) * rows:
                return newest
            reach *= 4

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,  # noqa: ARG002  as the port names them
        *,
        sessions: tuple[date, date],  # noqa: ARG002
        symbols: Sequence[str],  # noqa: ARG002
        unless_changed_since: str | None = None,  # noqa: ARG002
    ) -> int:
        """Refuse; raises StoreUnavailableError."""
        raise StoreUnavailableError(f"{self._why}: {dataset.name} cannot be written")

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """Refuse: what is stored is asked, not what could be; raises StoreUnavailableError."""
        raise self._refusal(dataset, "rows")

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,  # noqa: ARG002
        sessions: tuple[date, date] | None = None,  # noqa: ARG002
    ) -> str:
        """Refuse; raises StoreUnavailableError."""
        raise self._refusal(dataset, "version")

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """Refuse; raises StoreUnavailableError."""
        raise self._refusal(dataset, "history")

    def table(self, dataset: Dataset) -> VersionedTable:
        """Refuse; raises StoreUnavailableError."""
        raise self._refusal(dataset, "versions")

    def compact(self, dataset: Dataset) -> None:
        """Refuse; raises StoreUnavailableError."""
        raise self._refusal(dataset, "files")

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:  # noqa: ARG002
        """Refuse; raises StoreUnavailableError."""
        raise self._refusal(dataset, "files")

    def _refusal(self, dataset: Dataset, what: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._why}: the {what} of {dataset.name} are known there")

    def _known(
        self, symbols: Sequence[str] | None, timeframes: Sequence[Timeframe] = tuple(Timeframe)
    ) -> list[str]:
        """Those of some symbols, or of all, that anybody was ever asked for."""
        asked = {s for timeframe in timeframes for s in self._asked[timeframe]}
        return sorted(asked if symbols is None else asked & set(symbols))

    @cached_property
    def _asked(self) -> dict[Timeframe, set[str]]:
        """Symbols of the universe that anybody was asked for, by timeframe."""
        known = {instrument.symbol for instrument in self._platform.universe.instruments}
        spans = self._platform.ledger.spans
        return {t: known & {*spans(timeframe=t)["symbol"]} for t in Timeframe}

    def _calendar(self, first: date, last: date) -> pl.DataFrame:
        announced = self._platform.clock.now().date() + timedelta(days=ANNOUNCED_DAYS)
        first = max(first, self._platform.universe.first_session)
        return calendar_of(self._platform, first, min(last, announced))


def judged_in_lake(dataset: str, error: StoreUnavailableError) -> list[Timeframe]:
    """Timeframes whose scores are needed to judge a dataset by what the lake gives.

    Raises:
        StoreUnavailableError: the dataset is the warehouse's own: scores that are made only now
            say nothing of those that it holds.
    """
    if dataset == SCORES_DATASET.name:
        raise StoreUnavailableError(
            f"{error}; {dataset} is judged by what is stored there: 'emp failover status' says "
            "since when it is away, and curated/bars_<timeframe> is judged by what the lake gives"
        ) from error
    timeframe = _BARS.get(dataset)
    return [timeframe] if timeframe else []
