"""Troubles, looks and rules for tests of alerts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from market_data.alerts import AlertRules, Kind, Severity, Sighting, Trouble

START = datetime(2024, 2, 9, 12, tzinfo=UTC)
SESSION = date(2024, 2, 8)


def minutes(number: float) -> datetime:
    """So many minutes after the start."""
    return START + timedelta(minutes=number)


def trouble(**changes: Any) -> Trouble:
    """A failed check of one session."""
    told: dict[str, Any] = {
        "kind": Kind.CHECK,
        "severity": Severity.ERROR,
        "group": "curated/bars_1d",
        "title": "coverage of curated/bars_1d failed",
        "detail": "AAPL 2024-02-08: 0 of 1 bars",
        "asset": "curated/bars_1d",
        "check": "coverage",
        "asset_group": "curated",
        "owners": ("team:market-data",),
        "sessions": (SESSION, SESSION),
        "symbols": ("AAPL",),
        "symbol_count": 1,
        "rows": 1,
        "run_id": "run-1",
        "runbook": "check-coverage",
    }
    return Trouble(**{**told, **changes})


def bad(at: datetime, name: str = "check|a", **changes: Any) -> Sighting:
    """A look at something that is wrong."""
    return Sighting(name, at, trouble(**changes))


def good(at: datetime, name: str = "check|a") -> Sighting:
    """A look at something that is well."""
    return Sighting(name, at)


def rules(*routes: dict[str, Any], **changes: Any) -> AlertRules:
    """Rules with these routes, or one that is told of everything, and without any delay."""
    given: dict[str, Any] = {"collect": "0s", "routes": list(routes) or [console("all")]}
    return AlertRules.model_validate({**given, **changes})


def console(name: str, **changes: Any) -> dict[str, Any]:
    """A route that needs nothing."""
    return {"name": name, "type": "console", **changes}
