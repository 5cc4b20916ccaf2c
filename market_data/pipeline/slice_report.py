"""What a market slice brought: the same words for the same rows, whenever it is asked again.

What belongs here: rows and outcomes per symbol of each part, its status, the status of the whole.
What does not: running the parts (jobs/market_slice.py), planning them (market_slice.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import polars as pl

from market_data.datasets import curated_bars
from market_data.pipeline.macro_calendar import read_macro_events
from market_data.pipeline.market_slice import SlicePart
from market_data.pipeline.platform import Platform


class PartStatus(StrEnum):
    """How a part went, best first.

    held: its bars are stored, a check holds back what is downstream of them.
    """

    OFF = "off"
    OK = "ok"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True)
class PartReport:
    """What one part brought.

    Attributes:
        name: daily, intraday or macro.
        status: how it went.
        reasons: why not ok.
        content: for JSON: its run, sessions, vendors, rows and outcomes per symbol.
    """

    name: str
    status: PartStatus
    reasons: tuple[str, ...] = ()
    content: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The part as one JSON object."""
        return {
            "part": self.name,
            "status": str(self.status),
            "reasons": list(self.reasons),
            **(self.content or {}),
        }


def overall(parts: Sequence[PartReport]) -> PartStatus:
    """The worst status of any part."""
    order = list(PartStatus)
    return max((p.status for p in parts), key=order.index, default=PartStatus.OFF)


def grade_of(status: PartStatus) -> str:
    """The status in the words of every report: ok, warn or fail."""
    return {PartStatus.FAILED: "fail", PartStatus.HELD: "warn"}.get(status, "ok")


def brought(platform: Platform, part: SlicePart) -> dict[str, Any]:
    """What is stored of a part now, sorted by symbol."""
    sessions = (part.first, part.last)
    stored = platform.store.scan(
        curated_bars(part.wanted), symbols=part.symbols, sessions=sessions, columns=["symbol"]
    )
    counted = dict(stored.group_by("symbol").len().iter_rows())
    ledger = platform.ledger.read(
        timeframe=part.timeframe,
        vendors=[feed.vendor for feed in part.feeds],
        symbols=part.symbols,
        sessions=sessions,
    )
    outcomes = ledger.group_by("symbol", "outcome").len().sort("symbol", "outcome")
    return {
        "timeframe": str(part.wanted),
        "sessions": {"first": str(part.first), "last": str(part.last)},
        "vendors": {feed.vendor: list(feed.symbols) for feed in part.feeds},
        "rows": {symbol: counted.get(symbol, 0) for symbol in sorted(part.symbols)},
        "outcomes": {
            symbol: _counts(outcomes.filter(pl.col("symbol") == symbol))
            for symbol in sorted(part.symbols)
        },
    }


def macro_brought(platform: Platform, first: date, last: date) -> dict[str, Any]:
    """What is stored of a window of macro releases now."""
    events = read_macro_events(platform, first, last)
    return {
        "days": {"first": str(first), "last": str(last)},
        "rows": dict(events.group_by("symbol").len().sort("symbol").iter_rows()),
        "outcomes": dict(events.group_by("status").len().sort("status").iter_rows()),
    }


def _counts(outcomes: pl.DataFrame) -> dict[str, int]:
    return dict(outcomes.select("outcome", "len").iter_rows())
