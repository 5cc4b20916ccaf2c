"""Anomalies of feeds, by the names that dashboards know: feed_break, stale_feed, missing_freshness.

What belongs here: which finding of a dimension is which anomaly, and how bad. What does not:
finding it (dimension_health.py), the payload that holds them (observability.py).

- `feed_break`, critical: bars were due, and fewer rows than `min_rows` came.
- `stale_feed`: bars or values that are due are missing; a warning, and critical once they are late
  by the limit of errors.
- `missing_freshness`, a warning: nobody can say how fresh a symbol is, no bar of it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from market_data.operations.grades import Grade, Reason

FEED_BREAK, STALE_FEED, MISSING_FRESHNESS = "feed_break", "stale_feed", "missing_freshness"
CRITICAL, WARNING = "critical", "warning"
_NAMES = {
    "no_rows": FEED_BREAK,
    "late_symbols": STALE_FEED,
    "events_overdue": STALE_FEED,
    "missing_symbols": MISSING_FRESHNESS,
}


@dataclass(frozen=True)
class Anomaly:
    """One thing that is odd about a feed.

    Attributes:
        dimension: daily_bars, intraday_bars or macro_events.
        code: feed_break, stale_feed or missing_freshness.
        severity: critical or warning.
        message: one sentence, with the cure.
        value: what was measured: rows of a break, else symbols.
        threshold: what it broke.
    """

    dimension: str
    code: str
    severity: str
    message: str
    value: float | None
    threshold: float | None

    def told(self) -> dict[str, Any]:
        """Everything for JSON."""
        return asdict(self)


def feed_anomalies(reasons: Iterable[Reason]) -> list[Anomaly]:
    """The anomalies among what keeps dimensions from being ok, in the order given.

    Args:
        reasons: of `market_data.operations.dimension_health.dimension_reasons`.
    """
    return [
        Anomaly(
            reason.subject,
            _NAMES[reason.code],
            _severity(reason),
            reason.text,
            reason.value,
            reason.limit,
        )
        for reason in reasons
        if reason.code in _NAMES
    ]


def _severity(reason: Reason) -> str:
    if _NAMES[reason.code] == MISSING_FRESHNESS:
        return WARNING
    return CRITICAL if reason.grade is Grade.FAIL else WARNING
