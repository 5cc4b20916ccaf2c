"""The lake's tables from a notebook or a command: versions, upkeep, restore, repair.

What belongs here: from what a person writes to one call of a table, and what it answers as frames.
What does not: printing (emp/commands/lake.py), how a table does it (adapters/stores), Dagster.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, bounds_of, listed
from emp.moments import Moment, instant, period
from emp.platforms import installation, platform_of
from market_data.errors import (
    ConfigurationError,
    DatasetMissingError,
    NoVersionsWarning,
    UnsupportedOperationError,
)
from market_data.pipeline import lake_losses
from market_data.pipeline.platform import Progress, silent
from market_data.pipeline.upkeep import dataset_named, stored_datasets, table_of
from market_data.ports.lake import Damage, Tended, VersionedTable

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


@dataclass(frozen=True)
class Repaired:
    """What was wrong with a table and what was done.

    Attributes:
        damage: what was found.
        lost: which symbol-sessions lost rows: symbol, session, rows_before, rows_after, told_by.
        tended: what was done; None where nothing was.
        remade: the lost sessions were curated and scored anew.
        cures: what a person is still to do.
    """

    damage: Damage
    lost: pl.DataFrame
    tended: Tended | None
    remade: bool
    cures: list[str]

    @property
    def whole(self) -> bool:
        """Nothing is wrong, and no repair was left unfinished."""
        return self.damage.none and self.lost.is_empty()


def repair(
    dataset: str,
    settings: Settings | None = None,
    *,
    thorough: bool = False,
    dry_run: bool = True,
    remake: bool = True,
    progress: Progress = silent,
) -> Repaired:
    """What is wrong with a table; without `dry_run` it is mended, and lost sessions made anew.

    A repair that was killed is finished by the next one.

    Args:
        dataset: its name.
        settings: another installation than that of the environment.
        thorough: read every file whole; else its size and its footer are looked at.
        dry_run: only tell.
        remake: curate and score what was lost, where the dataset is made of the raw logs.
        progress: hears of it.

    Raises:
        ConfigurationError: there is no such dataset.
        DatasetMissingError: nothing was ever written to it.
        StoreConflictError: other writers won every attempt.
        UnsupportedOperationError: the table cannot be mended here; the message says what helps.
    """
    platform = platform_of(settings)
    named = dataset_named(platform, dataset)
    table = table_of(platform, named)
    damage = table.damage(thorough=thorough)
    unfinished = Unfinished(installation(settings), dataset)
    lost = pl.concat([unfinished.lost(), lake_losses.losses(platform, named, damage)]).unique(
        ["symbol", "session"], keep="last", maintain_order=True
    )
    tended = None
    if not dry_run and not (damage.none and lost.is_empty()):
        # A process that dies from here on must not take with it what it knew of the losses.
        unfinished.keep(lost)
        _, tended = table.repair(thorough=thorough)
        if tended.changed.height:  # told by what later versions had written
            lost = tended.changed.with_columns(told_by=pl.lit("later versions"))
            unfinished.keep(lost)
    remade = tended is not None and remake and lake_losses.is_made_anew(named)
    if remade:
        lake_losses.remake(platform, named, lost, progress)
    cures = lake_losses.cures(platform, named, lost)
    if tended is not None and lake_losses.is_made_anew(named) and not remade:
        cures = [f"emp lake repair {dataset} --yes"]  # it remembers what is to be made anew
    elif tended is not None:
        unfinished.done()
    return Repaired(damage, lost, tended, remade, cures)


class Unfinished:
    """What a repair that has not ended yet knew to be lost; a file below the data folder."""

    def __init__(self, settings: Settings, dataset: str) -> None:
        folder = settings.data_dir.resolve() / "repairs"
        self._file = folder / f"{dataset.replace('/', '.')}.parquet"

    def lost(self) -> pl.DataFrame:
        """Rows of LOSSES; none where every repair has ended."""
        if not self._file.exists():
            return pl.DataFrame(schema=lake_losses.LOSSES)
        return pl.read_parquet(self._file)

    def keep(self, lost: pl.DataFrame) -> None:
        """Remember them, in one step."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".tmp")
        lost.select(list(lake_losses.LOSSES)).write_parquet(draft)
        draft.replace(self._file)

    def done(self) -> None:
        """They are made anew, or a person was told."""
        self._file.unlink(missing_ok=True)


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
