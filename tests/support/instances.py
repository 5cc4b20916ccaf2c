"""Dagster's own records in SQLite files, as an installation of one machine keeps them.

What belongs here: an instance of a test's own, with the event log of the shipped dagster.yaml, and
the records of an installation, in files that are made once in a process and copied from then on:
Dagster takes longer to make them than a short run takes. What does not: tests of how the files are
made, of Dagster's own event log and of first starts; they begin with an empty folder. Instances on
PostgreSQL: dagster_records.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import dagster as dg
import yaml

from adapters.settings import PROJECT, Settings
from resources.event_log import PooledSqliteEventLog
from tests.support.operations_file import give_operations

HISTORY = ("history", "schedules")
"""The folders of the files, below that of the instance."""


@contextmanager
def kept_instance() -> Iterator[dg.DagsterInstance]:
    """An instance with runs, events and ticks in a folder of its own, which DAGSTER_HOME names."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        _give(Path(home))
        with _opened(home) as instance:
            yield instance


def give_installation(data_dir: Path) -> Settings:
    """An installation in bootstrap mode in which nothing has happened, where there is none.

    Its operations database and Dagster's records are there, as after a first command.
    """
    settings = Settings(data_dir=data_dir)
    give_operations(settings)
    if not settings.dagster_home.exists():
        _give(settings.dagster_home)
    return settings


def _give(home: Path) -> None:
    for name, content in _new_files().items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _opened(home: str) -> AbstractContextManager[dg.DagsterInstance]:
    shipped = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    events = {"event_log_storage": shipped["event_log_storage"]}
    return dg.instance_for_test(overrides=events, temp_dir=home)


@cache
def _new_files() -> dict[str, bytes]:
    """The databases of an instance in which nothing has happened, by their place in its folder."""
    with tempfile.TemporaryDirectory() as home:
        with _opened(home) as instance:
            # Each makes its database when it is looked at first.
            _ = instance.run_storage, instance.schedule_storage
            events = instance.event_log_storage
            assert isinstance(events, PooledSqliteEventLog)
            with events.run_connection("first"):
                pass
            events.delete_events("first")
        files = (file for folder in HISTORY for file in (Path(home) / folder).rglob("*"))
        return {str(f.relative_to(home)): f.read_bytes() for f in files if f.is_file()}
