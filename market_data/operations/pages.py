"""Which page of docs/runbooks says what to do about a finding of operations.

What belongs here: from a code to a page and its place. What does not: the pages.
"""

from __future__ import annotations

PAGES = {
    "ingest-health": "no_rows missing_symbols late_symbols events_overdue row_drop "
    "freshness_regression runs_failing",
    "latency": "slow_fetch slow_delivery",
    "cache-health": "few_hits evictions unreadable_entries",
    "kafka-lag": "kafka_lag kafka_lost kafka_stranded kafka_waiting kafka_no_sender "
    "kafka_unreachable kafka_topics kafka_unseen",
    "objectives": "objective_missed item_open",
}
_PAGE_OF = {code: page for page, codes in PAGES.items() for code in codes.split()}


def runbook_of(code: str) -> str:
    """The name of the page, without .md; empty for a code that no page is about."""
    return _PAGE_OF.get(code, "")


def page_of(code: str) -> str:
    """The page and the place in it, such as kafka-lag.md#kafka_lag; empty where there is none."""
    page = runbook_of(code)
    return f"{page}.md#{code}" if page else ""
