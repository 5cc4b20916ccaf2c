"""Removing rows of the warehouse that a policy does not keep.

What belongs here: which rows those are, and removing those that can be made again. What does not:
the policy (market_data/retention), who starts it (jobs/automation/retention.py,
emp/commands/retention.py).

The raw logs stay: they hold what vendors said. Bars and macro events go only where the raw logs
make the same keys again; what they do not make stays and is told. Scores and flags go only where
the bars that they speak of are gone: reads withhold bars by them. A removal goes month by month,
each in one atomic step; one that was killed is finished by the same call again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from market_data.datasets import (
    FLAGS_DATASET,
    MACRO_CALENDAR,
    SCORES_DATASET,
    STORED,
    Dataset,
    curated_bars,
)
from market_data.pipeline.curate import curate_slice, lock_names
from market_data.pipeline.macro_calendar import calendar_of
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.retention.leaving import Leaving, Removal
from market_data.retention.policy import DataRetention
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
_JUDGEMENTS = SCORES_DATASET, FLAGS_DATASET
_JUDGED = "dataset", "symbol", "session"
"""Of which bars a score or a flag speaks."""
_BARS = {curated_bars(t).name: t for t in Timeframe}


@dataclass(frozen=True)
class Removed:
    """What became of a removal.

    Attributes:
        removal: what was asked for.
        gone: rows that went.
        kept: rows that stay: bars that the raw logs do not make again, and what speaks of bars that
            are stored.
    """

    removal: Removal
    gone: int
    kept: int


def planned_removals(platform: Platform, policy: DataRetention, today: date) -> list[Leaving]:
    """What may go today, per dataset of which anything may; nothing is removed.

    Args:
        platform: whose warehouse.
        policy: what is kept.
        today: from which ages are counted.
    """
    datasets = [d for d in STORED if policy.may_lose(d.name)]
    return [found for d in datasets if (found := _leaving(platform, policy, d, today)).rows]


def _leaving(platform: Platform, policy: DataRetention, dataset: Dataset, today: date) -> Leaving:
    months = platform.store.counts(dataset)
    horizons = policy.horizons(dataset.name, months["symbol"].unique().sort().to_list(), today)
    found: list[Removal] = []
    for horizon in sorted(set(horizons.values())):
        symbols = [s for s, h in horizons.items() if h == horizon]
        mine = months.filter(pl.col("symbol").is_in(symbols), pl.col("month") < horizon)
        for (month,), rows in (
            mine.sort("month").partition_by("month", as_dict=True, maintain_order=True).items()
        ):
            found += _of_month(platform, dataset, month, horizon, rows)
    if dataset in _JUDGEMENTS:
        found = [r for old in found if (r := _without_bars(platform, policy, old, today))]
    found.sort(key=lambda removal: removal.sessions)
    held = int(months["rows"].sum())
    return Leaving(dataset.name, sum(r.rows for r in found), held, tuple(found))


def _of_month(
    platform: Platform, dataset: Dataset, month: date, horizon: date, rows: pl.DataFrame
) -> Iterator[Removal]:
    """The part of a month that lies before the horizon, if it holds anything."""
    symbols = rows["symbol"].to_list()
    end = (month + timedelta(days=32)).replace(day=1) - _DAY
    if end < horizon:
        yield Removal(dataset, tuple(symbols), (month, end), int(rows["rows"].sum()))
        return
    span = (month, horizon - _DAY)
    held = platform.store.scan(dataset, symbols=symbols, sessions=span, columns=["symbol"])
    if not held.is_empty():
        kept = held["symbol"].unique().sort().to_list()
        yield Removal(dataset, tuple(kept), span, held.height)


def remove(
    platform: Platform, removals: Sequence[Removal], tell: Progress = silent
) -> Iterator[Removed]:
    """Remove rows month by month; each is gone, or stays for a reason, when it is handed out.

    Raises:
        StoreConflictError: other writers won every attempt.
        StoreUnavailableError: the warehouse is away; what was handed out is done.
    """
    for removal in removals:
        first, last = removal.sessions
        tell(f"{removal.dataset.name}: {first} to {last}")
        with platform.locks.hold(_locks(removal)):
            yield _remove(platform, removal)


def _locks(removal: Removal) -> list[str]:
    """Those that are held while the rows are made."""
    if removal.dataset == MACRO_CALENDAR:
        return [MACRO_CALENDAR.name]
    return lock_names(removal.dataset.name, *removal.sessions)


def _remove(platform: Platform, removal: Removal) -> Removed:
    dataset, symbols, span = removal.dataset, removal.symbols, removal.sessions
    held = platform.store.scan(dataset, symbols=symbols, sessions=span)
    stays = dataset.schema.empty()
    if dataset.name in _BARS or dataset == MACRO_CALENDAR:
        stays = held.join(_made_again(platform, removal), on=["symbol", "ts"], how="anti")
    elif dataset in _JUDGEMENTS:
        stays = held.join(_with_bars(platform, symbols, span), on=list(_JUDGED), how="semi")
    platform.store.replace(dataset, stays, sessions=span, symbols=symbols)
    return Removed(removal, held.height - stays.height, stays.height)


def _with_bars(
    platform: Platform, symbols: Sequence[str], sessions: tuple[date, date]
) -> pl.DataFrame:
    """Columns dataset, symbol, session: of which bars are stored."""
    found = [
        platform.store.scan(
            curated_bars(timeframe),
            symbols=symbols,
            sessions=sessions,
            columns=["symbol", "session"],
        )
        .unique()
        .select(pl.lit(name).alias("dataset"), "symbol", "session")
        for name, timeframe in _BARS.items()
    ]
    return pl.concat(found)


def _without_bars(
    platform: Platform, policy: DataRetention, asked: Removal, today: date
) -> Removal | None:
    """What may go of scores or flags: those whose bars are gone, or go before them."""
    where = asked.symbols, asked.sessions
    held = platform.store.scan(
        asked.dataset, symbols=where[0], sessions=where[1], columns=list(_JUDGED)
    )
    horizons = [
        (name, symbol, horizon)
        for name in _BARS
        for symbol, horizon in policy.horizons(name, asked.symbols, today).items()
    ]
    schema = {"dataset": pl.String(), "symbol": pl.String(), "horizon": pl.Date()}
    going = pl.DataFrame(horizons, schema=schema, orient="row")
    staying = _with_bars(platform, *where).join(going, on=["dataset", "symbol"], how="left")
    staying = staying.filter(pl.col("horizon").is_null() | (pl.col("session") >= pl.col("horizon")))
    rows = held.join(staying, on=list(_JUDGED), how="anti")
    if rows.is_empty():
        return None
    symbols = tuple(rows["symbol"].unique().sort())
    return replace(asked, symbols=symbols, rows=rows.height)


def _made_again(platform: Platform, removal: Removal) -> pl.DataFrame:
    """Columns symbol, ts: what the raw logs make of a slice now."""
    first, last = removal.sessions
    if removal.dataset == MACRO_CALENDAR:
        return calendar_of(platform, first, last).select("symbol", "ts")
    known = {i.symbol for i in platform.universe.instruments}
    symbols = [s for s in removal.symbols if s in known]
    timeframe = _BARS[removal.dataset.name]
    return curate_slice(platform, timeframe, symbols, first, last).bars.select("symbol", "ts")
