"""The engine for one machine: Polars, streaming, without a JVM.

What belongs here: the rows of a unit into its files. What does not: which rows (sources.py).

Rows keep the order of their source: a sort would need all of a unit in memory.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from adapters.disk import writing_to
from adapters.exports.engine import Tell
from adapters.exports.files import Facts, all_facts
from adapters.exports.sources import Reading
from market_data.exports.jobs import ExportJob, Unit

ROW_GROUP = 131_072


class PolarsEngine:
    """Writes one file per unit and part of its source."""

    name = "polars"

    def versions(self) -> Mapping[str, str]:
        """Of Python and Polars."""
        return {"python": platform.python_version(), "polars": pl.__version__}

    def write(
        self, job: ExportJob, reading: Reading, units: Sequence[Unit], folder: Path, tell: Tell
    ) -> list[Facts]:
        """Write units one after the other, see the protocol."""
        made: list[str] = []
        for number, unit in enumerate(units, 1):
            tell(f"{job.name}: {unit.name} ({number} of {len(units)})")
            with writing_to(folder):
                made += self._unit(job, reading, unit, folder)
        tell(f"{job.name}: reading {len(made)} files back")
        found = all_facts(made)
        return [file for file in found if file.rows or _removed(file)]

    def _unit(self, job: ExportJob, reading: Reading, unit: Unit, folder: Path) -> list[str]:
        made = []
        for part, rows in enumerate(reading.parts(unit)):
            file = folder / unit.name / f"part-{part:05d}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows.select(job.dataset.schema.names).sink_parquet(
                file,
                compression="zstd",
                row_group_size=ROW_GROUP,
                maintain_order=False,
                statistics=True,
            )
            made.append(str(file))
        return made


def _removed(file: Facts) -> bool:
    """Remove a file in which no row was left; always false."""
    Path(file.path).unlink()
    return False
