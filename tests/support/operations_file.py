"""A new operations database without its migrations, for tests that make many installations.

What belongs here: the file, migrated once per process and copied from then on. What does not: tests
of migrations, and of the first start of an installation; they begin with nothing.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from adapters.operations import open_database
from adapters.settings import Settings


def give_operations(settings: Settings) -> None:
    """The file of an installation in bootstrap mode, where it has none."""
    _, _, path = settings.local_operations_url.partition("sqlite:///")
    file = Path(path)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "operations.sqlite"
        # The last connection takes the write-ahead log into the file.
        open_database(f"sqlite:///{file}").dispose()
        return file.read_bytes()
