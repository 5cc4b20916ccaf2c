"""The platform as commands open it.

What belongs here: the ordinary one, and the one of a rehearsal, which leaves the data folder as it
is. What does not: which adapter stands behind which port (adapters/backend.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.backend import assemble, open_lake, open_operations, open_warehouse

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.pipeline.platform import Platform
    from market_data.universe import Universe


@contextmanager
def rehearsal(settings: Settings, universe: Universe) -> Iterator[Platform]:
    """A platform that knows the ledger and a given universe, and writes nothing.

    Where there is no operations database yet, an empty one elsewhere stands in for it.
    """
    database = Path(settings.operations_url.removeprefix("sqlite:///"))
    with tempfile.TemporaryDirectory(prefix="emp-rehearsal-") as elsewhere:
        url = (
            settings.operations_url
            if database.exists()
            else f"sqlite:///{Path(elsewhere) / database.name}"
        )
        platform = assemble(
            settings,
            lake=open_lake(str(settings.lake_root)),
            store=open_warehouse(str(settings.warehouse_root)),
            operations=open_operations(url),
        )
        yield replace(platform, universe=universe)
