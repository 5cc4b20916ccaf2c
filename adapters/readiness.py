"""Readiness: the verdict over an installation.

What belongs here: making the report from its sections, and keeping it. What does not: the sections
(readiness_sections.py), what they are made from (readiness_evidence.py), the verdicts and the
report's forms (market_data/operations), Dagster's way to it (emp_assets/operations/readiness.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from adapters.modes import Installation
from adapters.operations_opening import Operations
from adapters.probes import Probe, run_probes
from adapters.readiness_evidence import Evidence
from adapters.readiness_sections import SECTIONS
from market_data.errors import MarketDataError
from market_data.operations.readiness import Readiness, fuse
from market_data.pipeline.platform import Platform
from market_data.ports import Clock, Report

REPORT = "readiness"


def readiness(
    found: Installation,
    probes: Sequence[Probe],
    clock: Clock,
    *,
    platform: Callable[[], Platform],
    operations: Callable[[], Operations],
    timeout: float = 20.0,
) -> Readiness:
    """The verdict over an installation now; a part that is away fails its section alone.

    It is kept among the reports where the operations database answers.

    Args:
        found: the installation with its mode decided.
        probes: looks at its parts, run side by side.
        clock: tells when.
        platform: opens its stores and ports.
        operations: opens the ports of its operations database.
        timeout: seconds after which a part counts as not answering.
    """
    findings = run_probes(probes, timeout=timeout)
    evidence = Evidence(found, findings, clock.now(), platform, operations)
    makers = {name: partial(make, evidence) for name, make in SECTIONS.items()}
    made = fuse(evidence.now, str(found.mode), makers)
    # Where they cannot be kept, the verdict says so already.
    with suppress(MarketDataError, SQLAlchemyError):
        reports = evidence.operations.reports
        reports.keep(Report(REPORT, made.at, str(made.grade), made.to_json()))
    return made
