"""What an engine does: the rows of some units into files.

What belongs here: the protocol, what went in and came out. What does not: the engines
(polars_engine.py, spark_engine.py), what is done with the files (running.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from adapters.exports.files import Facts
from adapters.exports.sources import Reading
from market_data.exports.jobs import ExportJob, Unit

Tell = Callable[[str], None]
"""Hears of progress."""


class Engine(Protocol):
    """Writes Parquet, zstd, in folders of units."""

    @property
    def name(self) -> str:
        """As a setting names it."""
        ...

    def versions(self) -> Mapping[str, str]:
        """What takes part, with its version."""
        ...

    def write(
        self, job: ExportJob, reading: Reading, units: Sequence[Unit], folder: Path, tell: Tell
    ) -> list[Facts]:
        """Write the rows of some units below a folder that is empty; what the files hold.

        Raises:
            StorageError: the disk takes no more.
        """
        ...
