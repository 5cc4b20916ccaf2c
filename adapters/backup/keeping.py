"""Backups as a person or a schedule asks for them: made, read back, reported, the oldest removed.

What belongs here: the steps around a backup, and the reports that they leave among those of the
operations database. What does not: the steps themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from adapters.backup.creating import Wanted, create, forget
from adapters.backup.manifest import Manifest
from adapters.backup.restoring import Restored, restore
from adapters.backup.verifying import Verified, verify
from adapters.modes import Installation
from market_data.errors import MarketDataError
from market_data.operations.backups import CREATED, REPORT, RESTORED, VERIFIED
from market_data.operations.grades import Grade
from market_data.pipeline.migration import Tell
from market_data.ports import Clock, Report


@dataclass(frozen=True)
class Kept:
    """A backup that was made: what it says of itself, and the names of those that went for it."""

    manifest: Manifest
    verified: bool
    removed: tuple[str, ...]


def back_up(
    found: Installation,
    wanted: Wanted,
    clock: Clock,
    tell: Tell,
    *,
    keep: int = 0,
    reading_back: bool = True,
) -> Kept:
    """Make a backup, read it back, and remove what is older than the newest ones.

    Args:
        found: the installation with its mode decided.
        wanted: where to, and its name.
        clock: tells when.
        tell: hears of progress.
        keep: so many whole backups of this installation stay; 0 keeps all.
        reading_back: verify it; otherwise it does not count as a backup in readiness.

    Raises:
        MarketDataError: see `create` and `verify`.
    """
    with _reported(found, clock, CREATED, wanted.name) as body:
        made = create(found, wanted, tell)
        body.update(made.summary(), taken_at=made.created_at.isoformat())
        if reading_back:
            verify(wanted.root / wanted.name, tell).demand_whole()
            body["verified"] = True
    # Only a backup that is there makes older ones dispensable.
    removed = forget(wanted.root, keep, made.installation, tell)
    return Kept(made, reading_back, tuple(removed))


def look(found: Installation, folder: Path, clock: Clock, tell: Tell) -> Verified:
    """Read a backup back and report how it was.

    Raises:
        MarketDataError: see `verify`.
    """
    with _reported(found, clock, VERIFIED, folder.name) as body:
        checked = verify(folder, tell)
        body["taken_at"] = checked.manifest.created_at.isoformat()
        body["verified"] = not checked.problems
        if checked.problems:
            body["error"] = checked.problems[0]
    return checked


def put_back(
    found: Installation, folder: Path, clock: Clock, tell: Tell, *, overwrite: bool
) -> Restored:
    """Put a backup in place and report it.

    Raises:
        MarketDataError: see `restore`.
    """
    done = restore(found, folder, clock.now(), tell, overwrite=overwrite)
    with _reported(found, clock, RESTORED, folder.name) as body:
        body.update(rows=done.rows, aside=len(done.aside))
    return done


@contextmanager
def _reported(
    found: Installation, clock: Clock, action: str, name: str
) -> Iterator[dict[str, Any]]:
    """Keep a report of what is done within, also of its failure."""
    body: dict[str, Any] = {"action": action, "name": name}
    try:
        yield body
    except MarketDataError as error:
        body["error"] = str(error)
        # What went wrong is told by the error; where no database answers it cannot be kept.
        with suppress(MarketDataError, SQLAlchemyError):
            _keep(found, clock.now(), Grade.FAIL, body)
        raise
    _keep(found, clock.now(), Grade.FAIL if "error" in body else Grade.OK, body)


def _keep(found: Installation, at: datetime, grade: Grade, body: dict[str, Any]) -> None:
    from adapters.operations import SqlReports
    from adapters.operations.database import open_existing

    engine = open_existing(found.operations_url)
    if engine is None:
        return
    try:
        SqlReports(engine).keep(Report(REPORT, at, str(grade), body))
    finally:
        engine.dispose()
