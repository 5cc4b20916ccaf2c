"""The plan of a backfill as text, and back.

What belongs here: the one form in which plans are kept. What does not: the records (plans.py),
where they are kept (adapters/operations).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from market_data.backfill.estimate import Estimate
from market_data.backfill.plans import LOCAL, BackfillPlan, BackfillRequest, Piece
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

VERSION = 1
"""Of the form."""


def plan_to_json(plan: BackfillPlan) -> str:
    """A plan as text, see `plan_from_json`."""
    return json.dumps(
        {
            "version": VERSION,
            "request": _request_json(plan.request),
            "pieces": [_piece_json(piece) for piece in plan.pieces],
            "complete": plan.complete,
            "not_begun": plan.not_begun,
            "estimate": plan.estimate.to_json(),
            "pilot": plan.pilot,
            "off_peak": plan.off_peak,
            "snapshot": plan.snapshot,
        },
        sort_keys=True,
    )


def plan_from_json(text: str) -> BackfillPlan:
    """A plan as it was written.

    Raises:
        ConfigurationError: a newer program has written it.
    """
    content = json.loads(text)
    if content["version"] > VERSION:
        raise ConfigurationError(
            f"the backfill was planned by a newer version (form {content['version']}, this "
            f"one reads {VERSION}); use that one"
        )
    return BackfillPlan(
        _request(content["request"]),
        tuple(_piece(item) for item in content["pieces"]),
        content["complete"],
        content["not_begun"],
        Estimate.from_json(content["estimate"]),
        content["pilot"],
        # What was launched by an earlier version knows no such window.
        content.get("off_peak", False),
        content.get("snapshot", ""),
    )


def _request_json(request: BackfillRequest) -> dict[str, Any]:
    return {
        "dataset": request.dataset,
        "symbols": list(request.symbols),
        "first": request.first.isoformat(),
        "last": request.last.isoformat(),
        "vendors": list(request.vendors),
        "refetch": request.refetch,
        "overwrite_curated": request.overwrite_curated,
        "outdated": request.outdated,
        "only": [[symbol, *_dates(span)] for symbol, *span in request.only],
        "overwrite_features": request.overwrite_features,
        "thorough": request.thorough,
        "engine": request.engine,
    }


def _request(content: Mapping[str, Any]) -> BackfillRequest:
    return BackfillRequest(
        content["dataset"],
        tuple(content["symbols"]),
        date.fromisoformat(content["first"]),
        date.fromisoformat(content["last"]),
        tuple(content["vendors"]),
        content["refetch"],
        content["overwrite_curated"],
        content["outdated"],
        tuple((s, *_span(days)) for s, *days in content.get("only", ())),
        content.get("overwrite_features", False),
        content.get("thorough", False),
        content.get("engine", LOCAL),
    )


def _dates(span: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in span]


def _span(days: Iterable[str]) -> tuple[date, date]:
    first, last = days
    return date.fromisoformat(first), date.fromisoformat(last)


def _piece_json(piece: Piece) -> dict[str, Any]:
    return {
        "number": piece.number,
        "timeframe": str(piece.timeframe),
        "first": piece.first.isoformat(),
        "last": piece.last.isoformat(),
        "symbols": list(piece.symbols),
        "asked": {vendor: list(symbols) for vendor, symbols in piece.asked.items()},
        "also": [str(timeframe) for timeframe in piece.also],
        "symbol_sessions": piece.symbol_sessions,
        "bars": piece.bars,
        "requests": dict(piece.requests),
        "spans": {symbol: _dates(span) for symbol, span in piece.spans.items()},
        "curated": piece.curated,
        "features": piece.features,
        "features_of": [str(timeframe) for timeframe in piece.features_of],
    }


def _piece(content: Mapping[str, Any]) -> Piece:
    return Piece(
        content["number"],
        Timeframe(content["timeframe"]),
        date.fromisoformat(content["first"]),
        date.fromisoformat(content["last"]),
        tuple(content["symbols"]),
        {vendor: tuple(symbols) for vendor, symbols in content["asked"].items()},
        tuple(Timeframe(t) for t in content["also"]),
        content["symbol_sessions"],
        content["bars"],
        content["requests"],
        {symbol: _span(days) for symbol, days in content.get("spans", {}).items()},
        content.get("curated", True),
        content.get("features", False),
        tuple(Timeframe(t) for t in content.get("features_of", ())),
    )
