"""Dagster's own records in SQLite files, as an installation of one machine keeps them.

What belongs here: an instance of a test's own, with the event log of the shipped dagster.yaml, in
files that are made once in a process and copied from then on: Dagster takes longer to make them
than a short run takes. What does not: tests of how the files are made, and of Dagster's own event
log; they begin with an empty folder. Instances on PostgreSQL: dagster_records.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from adapters.settings import PROJECT
from resources.event_log import PooledSqliteEventLog

HISTORY = ("history", "schedules")
"""The folders of the files, below that of the instance."""


@contextmanager
def kept_instance(**settings: Any) -> Iterator[dg.DagsterInstance]:
    """An instance that keeps runs, events and ticks in a folder of its own; DAGSTER_HOME names it.

    Args:
        settings: entries of its dagster.yaml besides the event log.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for name, content in _new_files().items():
            file = Path(home) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        with _opened(home, settings) as instance:
            yield instance


def _opened(home: str, settings: dict[str, Any]) -> Any:
    shipped = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    entries = {"event_log_storage": shipped["event_log_storage"], **settings}
    return dg.instance_for_test(overrides=entries, temp_dir=home)


@cache
def _new_files() -> dict[str, bytes]:
    """The databases of an instance in which nothing has happened, by their place in its folder."""
    with tempfile.TemporaryDirectory() as home:
        with _opened(home, {}) as instance:
            # Each makes its database when it is looked at first.
            _ = instance.run_storage, instance.schedule_storage
            events = instance.event_log_storage
            assert isinstance(events, PooledSqliteEventLog)
            with events.run_connection("first"):
                pass
            events.delete_events("first")
        files = (file for folder in HISTORY for file in (Path(home) / folder).rglob("*"))
        return {str(f.relative_to(home)): f.read_bytes() for f in files if f.is_file()}
