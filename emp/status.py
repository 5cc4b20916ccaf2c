"""The state of an installation, gathered for dashboards and for a person who asks.

What belongs here: sections of the status, and which of them are missing.
What does not: making a report (emp/reporting.py, emp/slices.py, emp/rehearsal.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from emp.parts import installed, manifest
from emp.reporting import operations_of

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.ports import Report

REPORTS = {
    "readiness": "run 'emp readiness', or materialise operations/readiness",
    "market_slice": "run 'emp ingest-once', or the job ingest_market_slice",
    "rehearsal": "run 'emp rehearse'; institutional mode only",
}
"""Every report that a dashboard expects, and how it is made."""


def status(settings: Settings, now: datetime) -> dict[str, Any]:
    """The newest report of each kind, the connectors, the recent fetches.

    Returns:
        at, mode, connectors, fetches (newest attempts), one entry per report of `REPORTS` (null
        where there is none), missing (name of a report to how it is made).

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    found = installed(settings)
    operations = operations_of(found)
    newest = {name: operations.reports.newest(name) for name in REPORTS}
    reports = {name: _told(kept[0], now) if kept else None for name, kept in newest.items()}
    return {
        "at": now.isoformat(),
        **manifest(found),
        "fetches": [
            {
                "vendor": run.vendor,
                "timeframe": str(run.timeframe),
                "status": run.status,
                "rows": run.rows,
                "symbols": len(run.symbols),
                "ended_at": run.ended_at.isoformat(),
                "duration_seconds": run.duration_seconds,
                "freshness_seconds": run.freshness_seconds,
            }
            for run in operations.journal.runs(limit=10)
        ],
        **reports,
        "missing": {name: REPORTS[name] for name, kept in reports.items() if kept is None},
    }


def _told(report: Report, now: datetime) -> dict[str, Any]:
    return {
        "at": report.at.isoformat(),
        "age_seconds": round((now - report.at).total_seconds()),
        "status": report.status,
        "report": dict(report.body),
    }
