"""Which exports there are, and how each is cut into units.

What belongs here: names, sources, the rows that are handed out, the folders that they lie in.
What does not: files (adapters/exports), manifests (manifest.py).

A unit is a folder of hive-partitioned Parquet, "year=2024" or "year=2024/month=03", by the session
of its rows, and is written anew as a whole. Coarse bars lie by year, fine ones by month, so that
files hold megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.datasets import FEATURES, Dataset, Layout, curated_bars
from market_data.errors import ConfigurationError
from market_data.features.registry import FEATURE_TIMEFRAMES, bar_groups, group_of
from market_data.timeframes import Timeframe

YEAR, MONTH = "year", "month"
"""Columns that the folders stand for; a file does not hold them."""


@dataclass(frozen=True)
class Unit:
    """A folder of an export.

    Attributes:
        name: "year=2024/month=03".
        first: its first session, the first day of the period.
        last: its last one.
    """

    name: str
    first: date
    last: date

    @property
    def sessions(self) -> tuple[date, date]:
        """Both, as stores take them."""
        return self.first, self.last


@dataclass(frozen=True)
class ExportJob:
    """The export of one dataset.

    Attributes:
        name: of its folder: spark_bars_1d, spark_features_1d/price_1d_v1.
        dataset: where its rows come from.
    """

    name: str
    dataset: Dataset

    @property
    def asset(self) -> str:
        """The asset that it is made with; of the features of a timeframe it holds several."""
        return self.name.partition("/")[0]

    @property
    def withholds(self) -> bool:
        """Whether the source keeps rows that readers are not served."""
        return {"dq_status", "final"} <= set(self.dataset.schema.names)

    @property
    def timeframe(self) -> Timeframe | None:
        """Of the curated bars that it is of; None where it is of something else."""
        return next((t for t in Timeframe if curated_bars(t).name == self.dataset.name), None)

    @property
    def definition(self) -> str:
        """Of features: the definition in force, which made all rows of an export; else empty."""
        named = self.dataset.name.removeprefix("features/")
        return group_of(named).definition if named in FEATURES else ""

    @property
    def where(self) -> str:
        """Which rows are handed out, in SQL; empty for all.

        It is about rows with the marks that are put on while they are read, see marks.py.
        """
        return "dq_status <> 'error' and final" if self.withholds else ""

    def served(self) -> pl.Expr:
        """The same as an expression, about the same rows."""
        if not self.withholds:
            return pl.lit(value=True)
        return (pl.col("dq_status") != "error") & pl.col("final")

    @property
    def partitions(self) -> tuple[str, ...]:
        """Columns that the folders stand for."""
        return (YEAR,) if self.dataset.layout is Layout.YEAR else (YEAR, MONTH)

    def units(self, first: date, last: date) -> list[Unit]:
        """The units that hold the sessions of a range, oldest first."""
        return [
            unit(self.dataset.layout, start) for start in _periods(self.dataset.layout, first, last)
        ]


def unit(layout: Layout, day: date) -> Unit:
    """The unit of a session."""
    if layout is Layout.YEAR:
        return Unit(f"{YEAR}={day.year:04d}", date(day.year, 1, 1), date(day.year, 12, 31))
    first = day.replace(day=1)
    return Unit(f"{YEAR}={day.year:04d}/{MONTH}={day.month:02d}", first, _next(first, 1) - _DAY)


_DAY = timedelta(days=1)


def _periods(layout: Layout, first: date, last: date) -> Iterator[date]:
    start = first.replace(day=1) if layout is Layout.MONTH_BUCKET else date(first.year, 1, 1)
    months = 1 if layout is Layout.MONTH_BUCKET else 12
    while start <= last:
        yield start
        start = _next(start, months)


def _next(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def bars_job(timeframe: Timeframe) -> ExportJob:
    """The export of the curated bars of a timeframe."""
    return ExportJob(f"spark_bars_{timeframe}", curated_bars(timeframe))


def features_jobs(timeframe: Timeframe) -> list[ExportJob]:
    """The exports of the features of a timeframe's bars, one per group."""
    asset = f"spark_features_{timeframe}"
    return [ExportJob(f"{asset}/{g.key}", FEATURES[g.key]) for g in bar_groups(timeframe)]


def export_jobs() -> list[ExportJob]:
    """Every export there is."""
    features = [job for timeframe in FEATURE_TIMEFRAMES for job in features_jobs(timeframe)]
    return [*(bars_job(timeframe) for timeframe in Timeframe), *features]


def jobs_of(name: str) -> list[ExportJob]:
    """The exports of a name: an asset, one of its parts, or either without "spark_".

    Raises:
        ConfigurationError: there is none of that name.
    """
    short = name.removeprefix("exports/")
    for wanted in (short, f"spark_{short}"):
        if found := [job for job in export_jobs() if wanted in (job.asset, job.name)]:
            return found
        if found := [job for job in export_jobs() if job.name.endswith(f"/{short}")]:
            return found
    assets = dict.fromkeys(job.asset for job in export_jobs())
    raise ConfigurationError(f"there is no export {name!r}; there are: {', '.join(assets)}")


def export_job(name: str) -> ExportJob:
    """The one export of a name.

    Raises:
        ConfigurationError: there is none of that name, or there are several.
    """
    found = jobs_of(name)
    if len(found) > 1:
        parts = ", ".join(job.name for job in found)
        raise ConfigurationError(f"{name} holds several exports, name one: {parts}")
    return found[0]


def whole_range(units: Sequence[Unit]) -> tuple[date, date]:
    """From the first session of the oldest unit to the last one of the newest."""
    return min(u.first for u in units), max(u.last for u in units)
