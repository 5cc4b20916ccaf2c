"""Repairing a table of the lake, and making anew what it lost.

What belongs here: one repair from damage to rows, and what a repair that was killed remembers.
What does not: versions and upkeep (lake.py), printing (emp/commands/lake_telling.py), how a table
is mended (adapters/stores), Dagster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from emp.platforms import installation, platform_of
from market_data.pipeline import lake_losses
from market_data.pipeline.platform import Progress, silent
from market_data.pipeline.upkeep import dataset_named, table_of
from market_data.ports.lake import Damage, Tended

if TYPE_CHECKING:
    from adapters.settings import Settings


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
        if tended.changed.height:  # told by what later versions held
            told = tended.changed.with_columns(told_by=pl.lit("later versions"))
            # Beside what a repair before this one knew of and did not make anew.
            lost = pl.concat([lost, told.select(lost.columns)]).unique(
                ["symbol", "session"], keep="last", maintain_order=True
            )
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
