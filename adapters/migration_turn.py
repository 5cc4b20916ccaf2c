"""One run of Alembic at a time in a process.

What belongs here: the lock. What does not: what keeps other processes away (adapters/operations,
adapters/timescale, emp/instance.py).

Alembic keeps the run that is under way in its modules, for all threads: of two runs one would work
on the other's database, or fail. Dagster makes its own records by Alembic too.
"""

from __future__ import annotations

import threading

TURN = threading.Lock()
"""Hold it while Alembic runs."""
