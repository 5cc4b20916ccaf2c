"""What an ingest would ask, as a person and as JSON see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from market_data.calendars import calendar_name

if TYPE_CHECKING:
    from emp.ingestion import Prepared
    from market_data.pipeline.planning import IngestPlan, PlannedFetch
    from market_data.requests.cost import Cost


def told(prepared: Prepared, plan: IngestPlan, cost: Cost | None) -> dict[str, Any]:
    """The plan for JSON: vendor, timeframe, sessions, counts, cost, questions, registrations."""
    feed = prepared.feed
    return {
        "dry_run": True,
        "vendor": feed.vendor,
        "timeframe": str(prepared.timeframe),
        "symbols": list(feed.symbols),
        "sessions": {"first": str(prepared.first), "last": str(prepared.last)},
        "path": feed.path,
        "spec": feed.spec,
        "lacking": sum(fetch.sessions for fetch in plan.fetches),
        "answered": plan.answered,
        "not_begun": plan.not_begun,
        "cost": cost_told(cost),
        "requests": [
            {
                "symbols": list(fetch.symbols),
                "vendor_symbols": _vendor_symbols(prepared, fetch),
                "calendar": calendar_name(fetch.calendar),
                "first": str(fetch.first),
                "last": str(fetch.last),
                "start": fetch.window(prepared.timeframe)[0].isoformat(),
                "end": fetch.window(prepared.timeframe)[1].isoformat(),
                "symbol_sessions": fetch.sessions,
            }
            for fetch in plan.fetches
        ],
        "registered": prepared.registration.told(),
        "notes": prepared.notes,
    }


def cost_told(cost: Cost | None) -> dict[str, Any] | None:
    """Requests, seconds and windows; None where nobody sets a limit, or nobody can be asked."""
    if cost is None or not cost.windows:
        return None
    return {
        "requests": cost.requests,
        "seconds_at_most": cost.duration.total_seconds(),
        "fits_today": cost.fits_today,
        "refused_now": cost.requests - cost.short.left if cost.short else 0,
        "windows": [
            {
                "per": window.allowance.name,
                "limit": window.allowance.requests,
                "used": window.used,
                "left": window.left,
            }
            for window in cost.windows
        ],
    }


def plan_frame(prepared: Prepared, plan: IngestPlan) -> pl.DataFrame:
    """The questions, one row each."""
    rows = [
        (
            prepared.feed.vendor,
            ", ".join(_vendor_symbols(prepared, fetch)),
            calendar_name(fetch.calendar),
            fetch.first,
            fetch.last,
            fetch.sessions,
        )
        for fetch in plan.fetches
    ]
    names = ["vendor", "vendor symbols", "calendar", "first", "last", "symbol-sessions"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _vendor_symbols(prepared: Prepared, fetch: PlannedFetch) -> list[str]:
    universe, vendor = prepared.universe, prepared.feed.vendor
    return [universe.vendor_symbol(vendor, s, fetch.first) for s in fetch.symbols]
