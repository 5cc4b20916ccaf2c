"""Removing records of old runs from the command line.

What belongs here: the moment before which they go, and the instance. What does not: which may go
(resources/run_records.py), showing (emp/commands/purge.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.automation import load_automation
from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from market_data.durations import duration
from market_data.errors import ConfigurationError


@dataclass(frozen=True)
class Purged:
    """What went.

    Attributes:
        before: runs that ended before this were looked at.
        runs: of them that nothing stands on.
        kept: of them that stay.
        removed: how many were removed.
    """

    before: datetime
    runs: int
    kept: int
    removed: int


def purge(settings: Settings, now: datetime, *, older_than: str | None, dry_run: bool) -> Purged:
    """Remove what may go, all of it at once.

    Args:
        settings: of the installation.
        now: the moment, UTC.
        older_than: how long ago a run ended that goes; None for what the configuration says.
        dry_run: count, and remove nothing.

    Raises:
        ConfigurationError: a setting or the time is wrong.
    """
    from emp.instance import open_instance
    from emp.run import quiet_dagster
    from resources.run_records import purgeable, remove_runs

    quiet_dagster()
    before = now - _age(settings, older_than)
    live = [b.id for b in open_operations(decide(settings).operations_url).backfills.live()]
    with open_instance(settings) as instance:
        found = purgeable(instance, before, live)
        removed = 0 if dry_run else remove_runs(instance, found.runs)
    return Purged(before, len(found.runs), found.kept, removed)


def _age(settings: Settings, text: str | None) -> timedelta:
    if text is None:
        return load_automation(settings).retention.runs
    try:
        return duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--older-than {text}: {error}") from error
