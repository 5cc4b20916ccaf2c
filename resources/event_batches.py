"""How many events of a run Dagster stores at once.

What belongs here: the variable that Dagster reads, set where nobody else has. Whoever makes runs
sets it: the events that plan a run are stored by the process that asks for it. What does not: how a
batch is stored (event_log.py, postgres_records.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
SIZE = "1000"


@contextmanager
def in_batches() -> Iterator[None]:
    """Runs of this process store their events in batches, or as the environment says."""
    if VARIABLE in os.environ:
        yield
        return
    os.environ[VARIABLE] = SIZE
    try:
        yield
    finally:
        del os.environ[VARIABLE]
