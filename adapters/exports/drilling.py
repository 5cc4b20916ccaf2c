"""A drill of exports: the same rows exported again and again, in a folder of its own.

What belongs here: the cycles, and what is looked at after each. What does not: the verdict
(market_data/exports/drill.py), killing executors (tests).

It works beside the exports, reads what they read, and removes what it wrote: nothing of the
installation changes. Every cycle replaces the one before, so that the window for which replaced
files stay is exercised as well: with `keep` at zero one former manifest may be left, never more.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from adapters.exports.engine import Tell
from adapters.exports.running import Exporter
from adapters.exports.store import ExportStore
from adapters.exports.verifying import read_back
from market_data.errors import MarketDataError
from market_data.exports.drill import CYCLES, Cycle, Drilled, Limits
from market_data.exports.jobs import ExportJob

_PREFIX, _NEW, _LOCK = ".drill-", ".new", ".lock"
_BEGUN = 3600.0
"""Seconds after which a folder without its name yet is nobody's any more."""


def drill(
    exporter: Exporter,
    jobs: Sequence[ExportJob],
    tell: Tell,
    *,
    cycles: int = CYCLES,
    limits: Limits | None = None,
) -> Drilled:
    """Export everything so many times, read it back each time, and judge it.

    Args:
        exporter: of the installation; its folder is left alone.
        jobs: what is exported; those without rows are left out.
        tell: hears of progress.
        cycles: how often each.
        limits: durations of a cycle.
    """
    done: list[Cycle] = []
    error = ""
    with _scratch(exporter.store.root) as folder:
        beside = replace(exporter, store=ExportStore(folder, timedelta(0)))
        try:
            for job in jobs:
                if exporter.source.read(job).held() is None:
                    continue
                # Those before an error count as well.
                done.extend(_cycle(beside, job, number, tell) for number in range(1, cycles + 1))
        except MarketDataError as trouble:
            error = str(trouble)
    engine = exporter.engine.name
    return Drilled(exporter.clock.now(), engine, limits or Limits(), tuple(done), error)


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder of its own, on the disk of the exports: its speed is what counts.

    Those of drills that were killed go first; the system frees their locks with the process.
    """
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    made = Path(mkdtemp(prefix=f"{_NEW}{_PREFIX}", dir=root))
    own = FileLock(made / _LOCK)
    own.acquire()
    # Whoever sweeps sees it with its lock.
    scratch = made.rename(root / made.name.removeprefix(_NEW))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
        own.release()


def _sweep(root: Path) -> None:
    """Remove the folders of drills that were killed."""
    from filelock import FileLock, Timeout

    for left in root.glob(f"{_PREFIX}*"):
        lock = FileLock(left / _LOCK, timeout=0)
        try:
            lock.acquire()
        except (Timeout, FileNotFoundError):
            continue  # of a drill that is at work, or just ended
        shutil.rmtree(left, ignore_errors=True)
        lock.release()
    for left in root.glob(f"{_NEW}{_PREFIX}*"):
        if time.time() - left.stat().st_mtime > _BEGUN:
            shutil.rmtree(left, ignore_errors=True)


def _cycle(exporter: Exporter, job: ExportJob, number: int, tell: Tell) -> Cycle:
    started = time.perf_counter()
    manifest = exporter.run(job, None, f"drill-{number}", tell)
    problems = read_back(exporter.store, job, tell).problems
    seconds = time.perf_counter() - started
    kept, unnamed = len(exporter.store.former(job)), len(exporter.store.unnamed(job))
    return Cycle(job.name, number, seconds, manifest.rows, manifest.digest, problems, kept, unnamed)
