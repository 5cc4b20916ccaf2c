"""Which page of docs/runbooks says what to do about a finding of operations.

What belongs here: which code is on which page. What does not: the pages, how a place is written
(market_data/runbook_places.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from market_data.runbook_places import Places

PAGES = {
    "ingest-health": "no_rows missing_symbols late_symbols events_overdue row_drop "
    "freshness_regression runs_failing",
    "latency": "slow_fetch slow_delivery",
    "cache-health": "few_hits evictions unreadable_entries cache_unreachable",
    "kafka-lag": "kafka_lag kafka_lost kafka_stranded kafka_requests kafka_requests_lost "
    "kafka_waiting kafka_no_sender "
    "kafka_unreachable kafka_topics kafka_unseen",
    "data-retention": "history_short history_below_target history_broken",
    "objectives": "objective_missed item_open",
}
UNSEEN = frozenset({"cache_unreachable", "kafka_unreachable"})
"""Of a part with one of these nobody knows how it does otherwise."""
_PLACES = Places(PAGES)


def place_of(code: str) -> str:
    """The page and the place in it, such as kafka-lag#kafka_lag; empty where there is none."""
    return _PLACES.of(code, suffix="")


def page_of(code: str) -> str:
    """The same as the name of a file: kafka-lag.md#kafka_lag."""
    return _PLACES.of(code)


def page_of_all(codes: Iterable[str]) -> str:
    """The page of several findings: the first one's, with its place where it is alone."""
    return _PLACES.of_all(codes)
