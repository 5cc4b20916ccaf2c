"""Which page of docs/runbooks says what to do about a finding of operations.

What belongs here: from a code to a page and its place. What does not: the pages.
"""

from __future__ import annotations

from collections.abc import Iterable

PAGES = {
    "ingest-health": "no_rows missing_symbols late_symbols events_overdue row_drop "
    "freshness_regression runs_failing",
    "latency": "slow_fetch slow_delivery",
    "cache-health": "few_hits evictions unreadable_entries cache_unreachable",
    "kafka-lag": "kafka_lag kafka_lost kafka_stranded kafka_waiting kafka_no_sender "
    "kafka_unreachable kafka_topics kafka_unseen",
    "objectives": "objective_missed item_open",
}
UNSEEN = frozenset({"cache_unreachable", "kafka_unreachable"})
"""Of a part with one of these nobody knows how it does otherwise."""
_PAGE_OF = {code: page for page, codes in PAGES.items() for code in codes.split()}


def place_of(code: str) -> str:
    """The page and the place in it, such as kafka-lag#kafka_lag; empty where there is none."""
    page = _PAGE_OF.get(code, "")
    return f"{page}#{code}" if page else ""


def page_of(code: str) -> str:
    """The same as the name of a file: kafka-lag.md#kafka_lag."""
    page = _PAGE_OF.get(code, "")
    return f"{page}.md#{code}" if page else ""


def page_of_all(codes: Iterable[str]) -> str:
    """The page of several findings: the first one's, with its place where it is alone."""
    known = sorted({code for code in codes if code in _PAGE_OF})
    if len(known) == 1:
        return page_of(known[0])
    return f"{_PAGE_OF[known[0]]}.md" if known else ""
