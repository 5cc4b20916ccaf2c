"""Upkeep of the stored datasets: which there are, fewer files, less disk.

What belongs here: which datasets are looked after, and what is said of each. What does not: how an
engine does it (adapters/stores/delta_maintenance.py), rows that were lost (lake_losses.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, STORED, Dataset, raw_bars
from market_data.errors import (
    ConfigurationError,
    DatasetMissingError,
    StoreConflictError,
    StoreUnavailableError,
    TableDamagedError,
    UnsupportedOperationError,
)
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.ports.lake import RETENTION, Tended, VersionedTable

EMPTY, NONE_NEEDED = "nothing is stored", "its engine needs none"


@dataclass(frozen=True)
class Upkeep:
    """What was done with every dataset.

    Attributes:
        done: by dataset.
        left: why nothing was to do, by dataset.
        failed: what went wrong, by dataset; the others were looked after all the same.
    """

    done: Mapping[str, Tended] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> dict[str, int]:
        """Files and bytes before and after: of the newest versions, and of all that lies there."""
        sums = dict.fromkeys(
            f"{name}_{when}"
            for name in ("files", "bytes", "stored_files", "stored_bytes")
            for when in ("before", "after")
        )
        for key in sums:
            name, _, when = key.rpartition("_")
            sums[key] = sum(getattr(getattr(t, when), name) for t in self.done.values())
        return {"datasets": len(self.done), **{k: int(v or 0) for k, v in sums.items()}}


def stored_datasets(platform: Platform) -> list[Dataset]:
    """Every dataset that the raw log or the store keeps, by its name."""
    bars = (raw_bars(v.name, t) for v in platform.universe.vendors for t in v.timeframes)
    return [*bars, FRED_RELEASE_DATES, FRED_VINTAGES, *STORED]


def dataset_named(platform: Platform, name: str) -> Dataset:
    """The dataset of a name.

    Raises:
        ConfigurationError: there is none; the message lists those there are.
    """
    known = {dataset.name: dataset for dataset in stored_datasets(platform)}
    if name not in known:
        raise ConfigurationError(f"no dataset {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]


def table_of(platform: Platform, dataset: Dataset) -> VersionedTable:
    """Its table with versions.

    Raises:
        UnsupportedOperationError: its engine keeps none.
    """
    keeper = platform.raw_log if dataset.name.startswith("raw/") else platform.store
    return keeper.table(dataset)


def compact_all(platform: Platform, progress: Progress = silent) -> Upkeep:
    """One sorted file for each folder of every dataset, and a checkpoint; no row changes.

    Args:
        platform: whose stores.
        progress: told of each dataset before its turn.
    """
    return _each(platform, lambda table: table.optimize(), progress)


def vacuum_all(
    platform: Platform,
    keep: timedelta = RETENTION,
    progress: Progress = silent,
    *,
    dry_run: bool = False,
) -> Upkeep:
    """Remove the files that no version of so long needs; no row of today's changes.

    Args:
        platform: whose stores.
        keep: how far back versions stay whole; what the installation says counts as meant.
        progress: told of each dataset before its turn.
        dry_run: only tell what would go.
    """
    return _each(platform, lambda t: t.vacuum(keep, dry_run=dry_run, force=True), progress)


def _each(
    platform: Platform, work: Callable[[VersionedTable], Tended], progress: Progress
) -> Upkeep:
    done: dict[str, Tended] = {}
    left: dict[str, str] = {}
    failed: dict[str, str] = {}
    for dataset in stored_datasets(platform):
        progress(dataset.name)
        try:
            done[dataset.name] = work(table_of(platform, dataset))
        except DatasetMissingError:
            left[dataset.name] = EMPTY
        except UnsupportedOperationError:
            left[dataset.name] = NONE_NEEDED
        except (TableDamagedError, StoreConflictError, StoreUnavailableError) as error:
            # One table in trouble must not keep the others from their turn.
            failed[dataset.name] = str(error)
    return Upkeep(done, left, failed)
