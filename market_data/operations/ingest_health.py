"""Health of ingest: from the journal to a grade with reasons.

What belongs here: how attempts to fetch have gone lately, per vendor and timeframe.
What does not: whether the bars that should be there are (market_data/quality).

Numbers of rows are not compared between attempts: an attempt asks only for what is lacking, so
that a good one may bring a year or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import TrendLimits
from market_data.operations.readiness import Section
from market_data.ports import IngestRun

QUIET = timedelta(days=7)
"""Attempts older than this say nothing any more."""


def evaluate_ingest_health(
    runs: Sequence[IngestRun], now: datetime, limits: TrendLimits
) -> Section:
    """The grade of the recent attempts.

    Args:
        runs: attempts, newest first.
        now: the moment, aware.
        limits: with how many failures in a row a feed fails; before, it warns.
    """
    recent = [run for run in runs if run.started_at >= now - QUIET]
    feeds: dict[tuple[str, str], list[IngestRun]] = defaultdict(list)
    for run in recent:
        feeds[run.vendor, str(run.timeframe)].append(run)
    facts = {
        "feeds": len(feeds),
        "attempts": len(recent),
        "failed": sum(run.status == "failed" for run in recent),
        "rows": sum(run.rows for run in recent),
        "newest": max((run.ended_at for run in recent), default=None),
    }
    told = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in facts.items()}
    return Section.of("ingest", _reasons(feeds, limits.failures), told)


def _reasons(feeds: dict[tuple[str, str], list[IngestRun]], most: int) -> Iterator[Reason]:
    if not feeds:
        yield Reason(
            Grade.WARN, f"nobody was asked for bars in {QUIET.days} days: run 'emp ingest'"
        )
    for (vendor, timeframe), runs in sorted(feeds.items()):
        failed = 0
        for run in runs:
            if run.status == "ok":
                break
            failed += 1
        if failed:
            grade = Grade.FAIL if failed >= most else Grade.WARN
            why = runs[0].error or runs[0].status
            yield Reason(
                grade, f"{vendor} {timeframe}: the last {failed} attempts did not succeed: {why}"
            )
