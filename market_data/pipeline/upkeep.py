"""Upkeep of the stored datasets: fewer files, less disk.

What belongs here: which datasets are looked after, and what is said of each. What does not: how an
engine does it (adapters/stores/delta_maintenance.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, STORED, Dataset, raw_bars
from market_data.errors import DatasetMissingError, UnsupportedOperationError
from market_data.pipeline.platform import Platform, Progress, silent

DONE, EMPTY, NONE_NEEDED = "done", "nothing is stored", "its engine needs none"
_HOUR = timedelta(hours=1)


class _Keeper(Protocol):
    """What the raw log and the store have in common."""

    def compact(self, dataset: Dataset) -> None: ...

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None: ...


def compact_all(platform: Platform, progress: Progress = silent) -> dict[str, str]:
    """Merge the files of every dataset; no row changes.

    Args:
        platform: whose stores.
        progress: told of each dataset before its turn.

    Returns:
        Name of a dataset to what was done.

    Raises:
        StoreConflictError: other writers won every attempt.
    """
    return _each(platform, lambda keeper, dataset: keeper.compact(dataset), progress)


def vacuum_all(platform: Platform, keep: timedelta, progress: Progress = silent) -> dict[str, str]:
    """Remove the files that no version of so long needs; no row of today's changes.

    Args:
        platform: whose stores.
        keep: how far back versions stay whole.
        progress: told of each dataset before its turn.

    Returns:
        Name of a dataset to what was done.

    Raises:
        StoreConflictError: a writer kept on for too long.
    """
    hours = keep // _HOUR
    return _each(
        platform, lambda keeper, dataset: keeper.vacuum(dataset, retention_hours=hours), progress
    )


def _each(
    platform: Platform, work: Callable[[_Keeper, Dataset], None], progress: Progress
) -> dict[str, str]:
    bars = (raw_bars(v.name, t) for v in platform.universe.vendors for t in v.timeframes)
    kept: list[tuple[_Keeper, Dataset]] = [
        *((platform.raw_log, d) for d in (*bars, FRED_RELEASE_DATES, FRED_VINTAGES)),
        *((platform.store, d) for d in STORED),
    ]
    done: dict[str, str] = {}
    for keeper, dataset in kept:
        progress(dataset.name)
        try:
            work(keeper, dataset)
        except DatasetMissingError:
            done[dataset.name] = EMPTY
        except UnsupportedOperationError:
            done[dataset.name] = NONE_NEEDED
        else:
            done[dataset.name] = DONE
    return done
