"""The lake's tables from a notebook or a command: versions, upkeep, restore.

What belongs here: from what a person writes to one call of a table, and what it answers as frames.
What does not: repair (lake_repair.py), printing (emp/commands/lake_telling.py), how a table does it
(adapters/stores), Dagster.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, bounds_of, listed
from emp.moments import Moment, instant, period
from emp.platforms import platform_of
from market_data.errors import (
    ConfigurationError,
    DatasetMissingError,
    NoVersionsWarning,
    UnsupportedOperationError,
)
from market_data.pipeline import lake_losses
from market_data.pipeline.upkeep import dataset_named, stored_datasets, table_of
from market_data.ports.lake import Tended, VersionedTable

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.settings import Settings

_HISTORY = {
    "version": pl.Int64(),
    "timestamp": pl.Datetime("us", "UTC"),
    "operation": pl.String(),
}
_TABLES = {
    "dataset": pl.String(),
    "version": pl.Int64(),
    "files": pl.Int64(),
    "bytes": pl.Int64(),
    "stored_files": pl.Int64(),
    "stored_bytes": pl.Int64(),
    "note": pl.String(),
}


def get_lake_tables(*, settings: Settings | None = None) -> pl.DataFrame:
    """How large every table with versions is that holds anything, sorted by name.

    Args:
        settings: another installation than that of the environment.

    Returns:
        dataset, version (the newest), files and bytes (of that version), stored_files and
        stored_bytes (of all that lies there, former versions included), note (why there are no
        numbers: the table is damaged).
    """
    from market_data.errors import TableDamagedError

    platform = platform_of(settings)
    rows = []
    for dataset in stored_datasets(platform):
        try:
            size = table_of(platform, dataset).footprint()
        except (DatasetMissingError, UnsupportedOperationError):
            continue
        except TableDamagedError as error:
            rows.append({"dataset": dataset.name, "note": str(error)})
            continue
        rows.append({"dataset": dataset.name, "note": "", **vars(size)})
    return pl.DataFrame(rows, schema=_TABLES).sort("dataset")


def get_lake_history(dataset: str, *, settings: Settings | None = None) -> pl.DataFrame:
    """The versions of a dataset that its log still knows, newest first.

    Args:
        dataset: its name, for instance curated/bars_1d or raw/yahoo_bars_1d.
        settings: another installation than that of the environment.

    Returns:
        version (Int64), timestamp (Datetime, us, UTC: when its writer committed it), operation
        (replace, append, compact, restore, repair, or what another tool says).

    Raises:
        ConfigurationError: there is no such dataset.
        DatasetMissingError: nothing was ever written to it.
        UnsupportedOperationError: its engine keeps no versions.
    """
    rows = [vars(version) for version in _table(dataset, settings).history()]
    return pl.DataFrame(rows, schema=_HISTORY)


def get_lake_rows(
    dataset: str,
    *,
    version: int | None = None,
    at: Moment | None = None,
    symbols: Symbols | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    columns: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """The rows of a dataset as a version, or a moment, had them: all columns as they are stored.

    What was known at a moment is another question, which `get_curated_bars(as_of=...)` answers.

    Args:
        dataset: its name, for instance curated/bars_1d or raw/yahoo_bars_1d.
        version: of `get_lake_history`.
        at: the newest version committed by then; a day means its first moment, UTC. Neither of the
            two: the newest.
        symbols: only these, as they are stored.
        start: first session (a day) or first bar start (an instant).
        end: last session, included, or end of the bar starts, excluded.
        columns: only these, in this order.
        settings: another installation than that of the environment.

    Raises:
        ConfigurationError: there is no such dataset, or both `version` and `at` are given.
        DatasetMissingError: nothing was ever written to it.
        UnsupportedOperationError: its engine keeps no versions.
        VersionGoneError: there is no such version, or vacuum has removed its files.
    """
    platform = platform_of(settings)
    wanted = period(start, end, **bounds_of(platform)) if start or end else None
    return table_of(platform, dataset_named(platform, dataset)).read(
        version,
        moment_of(version, at),
        symbols=None if symbols is None else listed(symbols),
        start=wanted.start if wanted else None,
        end=wanted.end if wanted else None,
        sessions=wanted.sessions if wanted else None,
        columns=None if columns is None else listed(columns),
    )


def moment_of(version: int | None, at: Moment | None) -> datetime | None:
    """The moment that is asked for.

    Raises:
        ConfigurationError: a version is asked for as well, or it is no moment.
    """
    if at is None:
        return None
    if version is not None:
        raise ConfigurationError("a version is named by its number or by a moment, not by both")
    return instant(at, "at")


def restore(
    dataset: str,
    settings: Settings | None = None,
    *,
    version: int | None = None,
    at: Moment | None = None,
    dry_run: bool = True,
) -> Tended:
    """Make a dataset hold what a former version held, as a new version.

    Args:
        dataset: its name.
        settings: another installation than that of the environment.
        version: of `get_lake_history`.
        at: the newest version committed by then.
        dry_run: only tell what would change.

    Raises:
        ConfigurationError: no such dataset, or neither or both of `version` and `at`.
        DatasetMissingError: nothing was ever written to it.
        StoreConflictError: other writers won every attempt.
        UnsupportedOperationError: its engine keeps no versions.
        VersionGoneError: there is no such version, or vacuum has removed its files.
    """
    moment = moment_of(version, at)
    if version is None and moment is None:
        raise ConfigurationError("say which version: --version 12, or --at 2024-03-01T12:00")
    platform = platform_of(settings)
    named = dataset_named(platform, dataset)
    done = table_of(platform, named).restore(version, moment, dry_run=dry_run)
    notes = lake_losses.beside_restored(platform, named, done.changed)
    return replace(done, notes=(*done.notes, *notes))


def _table(dataset: str, settings: Settings | None) -> VersionedTable:
    platform = platform_of(settings)
    return table_of(platform, dataset_named(platform, dataset))


def tables_named(dataset: str | None, settings: Settings | None) -> dict[str, VersionedTable]:
    """The table of a name, or every table that holds anything where None.

    Raises:
        ConfigurationError: there is no such dataset.
        UnsupportedOperationError: the engine of the one that is named keeps no versions.
    """
    if dataset is not None:
        return {dataset: _table(dataset, settings)}
    platform = platform_of(settings)
    found, refused = {}, []
    for known in stored_datasets(platform):
        try:
            table = table_of(platform, known)
            table.footprint()
        except DatasetMissingError:
            continue
        except UnsupportedOperationError:
            refused.append(known.name)
            continue
        found[known.name] = table
    if refused:
        warnings.warn(
            f"left alone, since TimescaleDB keeps no versions: {', '.join(refused)}",
            NoVersionsWarning,
            stacklevel=2,
        )
    return found
