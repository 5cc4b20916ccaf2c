"""The reports that exports leave among those of the operations database.

What belongs here: a report per run and per look, also of one that failed. What does not: what
readiness makes of them (market_data/exports/health.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from adapters.exports.engine import Tell
from adapters.exports.store import ExportStore
from adapters.exports.verifying import Whole, read_back
from market_data.exports.health import REPORT, RUN, VERIFIED
from market_data.exports.jobs import ExportJob
from market_data.exports.manifest import Manifest
from market_data.operations.grades import Grade
from market_data.ports import Clock, Report, Reports
from market_data.ports.redaction import sanitised_text

_SHOWN = 20


@dataclass
class Kept:
    """What a run made; set within `reported`."""

    manifest: Manifest | None = None


@contextmanager
def reported(reports: Reports, clock: Clock, job: ExportJob) -> Iterator[Kept]:
    """Keep a report of the run within, also of its failure."""
    kept, started = Kept(), time.perf_counter()
    body: dict[str, Any] = {"action": RUN, "job": job.name}
    try:
        yield kept
    except Exception as error:
        body |= {"error": sanitised_text(str(error))[:2000], "kind": type(error).__name__}
        reports.keep(Report(REPORT, clock.now(), str(Grade.FAIL), body))
        raise
    if kept.manifest is not None:
        body |= kept.manifest.summary()
    body["seconds"] = round(time.perf_counter() - started, 3)
    reports.keep(Report(REPORT, clock.now(), str(Grade.OK), body))


def verified(
    store: ExportStore, job: ExportJob, reports: Reports, clock: Clock, tell: Tell
) -> Whole:
    """Read an export back and report how it was.

    Raises:
        DatasetMissingError: nothing was exported yet.
        CopyMismatchError: the manifest is damaged.
    """
    body: dict[str, Any] = {"action": VERIFIED, "job": job.name}
    try:
        whole = read_back(store, job, tell)
    except Exception as error:
        body |= {"error": sanitised_text(str(error))[:2000], "kind": type(error).__name__}
        reports.keep(Report(REPORT, clock.now(), str(Grade.FAIL), body))
        raise
    body |= {"number": whole.manifest.number, "problems": list(whole.problems[:_SHOWN])}
    grade = Grade.FAIL if whole.problems else Grade.OK
    reports.keep(Report(REPORT, clock.now(), str(grade), body))
    return whole
