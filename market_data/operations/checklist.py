"""The daily checklist: jobs done, nothing RED, coverage spot-checked, anomalies looked at.

What belongs here: the items of the day, their verdict and what they show. What does not: how a
single item is judged elsewhere (dimension_health.py, trends.py, slo.py, readiness.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from market_data.operations.account import Account
from market_data.operations.dimension_health import dimension_reasons
from market_data.operations.evidence import Evidence
from market_data.operations.failed_sessions import FETCH, RUN, SCORE
from market_data.operations.failed_sessions import REPORT as FAILED
from market_data.operations.grades import Grade, Reason, worst, worst_of
from market_data.operations.kept_reports import OLD
from market_data.operations.limits import OperationsLimits
from market_data.operations.metrics import ingest_metrics
from market_data.operations.newest_scores import newest_scores
from market_data.operations.slo import measured, objectives, slo_reasons
from market_data.operations.trends import FEED, ingest_trends, recent_runs, trend_reasons

NAME = "daily_checklist"
DAY = timedelta(days=1)
_DAILY, _ON_DEMAND = "readiness", "market_slice"
"""Reports of other parts: one is made every day, one whenever somebody asks for it."""


@dataclass(frozen=True)
class Item:
    """One thing to tick off.

    Attributes:
        name: of the item.
        grade: ok where it can be ticked off.
        text: what was found, in a sentence.
        rows: what a person looks at, as JSON objects.
    """

    name: str
    grade: Grade
    text: str
    rows: Sequence[Mapping[str, Any]] = field(default=())


def checklist(evidence: Evidence, limits: OperationsLimits) -> list[Item]:
    """The items of the day, in the order in which a person goes through them."""
    metrics = ingest_metrics(evidence, limits.health.window)
    trends = ingest_trends(recent_runs(evidence.attempts, limits.trends.runs))
    judged = objectives(measured(evidence, limits), limits)
    newest = newest_scores(evidence.scores)
    return [
        _jobs(evidence),
        _judged("data current", dimension_reasons(evidence, metrics, limits.health)),
        *_failed(evidence, limits.checklist.shown),
        _no_red(newest),
        _coverage(newest, limits.checklist.shown),
        _anomalies(evidence, newest, limits.checklist.shown),
        _judged("trends", list(trend_reasons(trends, limits.trends))),
        _judged("objectives", list(slo_reasons(judged))),
        *_reports(evidence),
    ]


def checklist_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The checklist as a report."""
    items = checklist(evidence, limits)
    still_open = [item for item in items if item.grade is not Grade.OK]
    return Account(
        name=NAME,
        title="Daily checklist",
        at=evidence.at,
        reasons=tuple(Reason(i.grade, i.text, "item_open", i.name) for i in still_open),
        body={
            "items": [
                {
                    "item": i.name,
                    "status": str(i.grade),
                    "text": i.text,
                    "rows": [dict(row) for row in i.rows],
                }
                for i in items
            ]
        },
        tables=[
            (
                "",
                ("", "item", "found"),
                [("[x]" if i.grade is Grade.OK else "[ ]", i.name, i.text) for i in items],
            ),
            *(
                (i.name.capitalize(), list(i.rows[0]), [list(row.values()) for row in i.rows])
                for i in items
                if i.rows
            ),
        ],
        facts={"items": len(items), "open": len(still_open)},
    )


def _jobs(evidence: Evidence) -> Item:
    """Whether the newest attempt of every feed of the day succeeded.

    What is known is not asked for, so that a day without attempts is none of trouble: unless bars
    are due that are not there.
    """
    today = evidence.attempts_since(DAY)
    newest = today.sort("started_at").group_by(FEED, maintain_order=True).tail(1)
    bad = newest.filter(pl.col("status") != "ok").select(*FEED, "status", "rows")
    text = f"{today.height} attempts of {newest.height} feeds in 24 hours"
    if newest.is_empty():
        return _idle(evidence.reach)
    if bad.is_empty():
        return Item("jobs done", Grade.OK, f"{text}, the newest of each succeeded")
    failed = bad.filter(pl.col("status") == "failed").height
    grade = Grade.FAIL if failed else Grade.WARN
    return Item(
        "jobs done", grade, f"{text}, the newest of {bad.height} did not succeed", bad.to_dicts()
    )


def _idle(reach: pl.DataFrame) -> Item:
    """Nobody was asked for anything: whether there was a reason to ask."""
    due = reach.filter(pl.col("newest").is_null() | (pl.col("newest") < pl.col("due_warn")))
    text = "nobody was asked for anything in 24 hours"
    if due.is_empty():
        return Item("jobs done", Grade.OK, text)
    names = due["symbol"].n_unique()
    text = f"{text}, though bars of {names} symbols are due: do the schedules and the daemon run?"
    return Item("jobs done", Grade.WARN, text)


def _failed(evidence: Evidence, shown: int) -> Iterator[Item]:
    """What a vendor or a run left, and nobody has made good; RED scores are an item of their own.

    Nothing where the inventory was never made.
    """
    made = evidence.report(FAILED)
    if made is None:
        return
    counts = made.body["counts"]
    left = {FETCH: counts[FETCH], RUN: counts[RUN]}
    text = (
        f"{left[FETCH]} symbol-sessions that vendors left and {left[RUN]} sessions that runs left, "
        f"at {made.at:%Y-%m-%d %H:%M} UTC"
    )
    columns = ("kind", "dataset", "first", "last", "count", "since", "why", "cure")
    rows = [
        {name: entry[name] for name in columns}
        for entry in made.body["failed"]
        if entry["kind"] != SCORE
    ]
    grade = Grade.WARN if sum(left.values()) else Grade.OK
    if evidence.at - made.at > OLD:
        grade, text = Grade.WARN, f"{text}, which is long ago"
    yield Item("failed sessions", grade, text, rows[:shown])


def _no_red(newest: pl.DataFrame) -> Item:
    red = newest.filter(pl.col("status") == "RED")
    if newest.is_empty():
        return Item("no RED", Grade.OK, "nothing was scored lately")
    text = f"{red.height} of {newest.height} symbols are RED in their newest session"
    shown = _shown(red.sort("score", "symbol"), "dataset", "symbol", "session", "score", "reasons")
    return Item("no RED", Grade.OK if red.is_empty() else Grade.FAIL, text, shown)


def _coverage(newest: pl.DataFrame, shown: int) -> Item:
    """The symbols that lack most; a person looks at them."""
    if newest.is_empty():
        return Item("coverage", Grade.OK, "nothing was scored lately")
    lacking = newest.filter(pl.col("coverage") < 1).sort("coverage", "dataset", "symbol")
    least: float = newest["coverage"].min()  # type: ignore[assignment]
    text = f"{lacking.height} of {newest.height} lack bars; the least is {least:.1%}"
    rows = _shown(
        lacking.head(shown), "dataset", "symbol", "session", "coverage", "observed", "expected"
    )
    # Whether it is too little is said by the status, which has limits by asset class.
    worrying = not lacking.filter(pl.col("status") != "GREEN").is_empty()
    return Item("coverage", Grade.WARN if worrying else Grade.OK, text, rows)


def _anomalies(evidence: Evidence, newest: pl.DataFrame, shown: int) -> Item:
    """Rows that wait for a decision, outliers of the newest sessions, open alerts."""
    odd = newest.filter(pl.col("outliers") > 0)
    text = (
        f"{odd['outliers'].sum()} outliers in the newest sessions, {evidence.quarantined} rows in "
        f"quarantine, {evidence.open_alerts} alerts open"
    )
    quiet = odd.is_empty() and not evidence.quarantined and not evidence.open_alerts
    rows = _shown(
        odd.sort("outliers", descending=True).head(shown),
        "dataset",
        "symbol",
        "session",
        "outliers",
        "reasons",
    )
    return Item("anomaly log", Grade.OK if quiet else Grade.WARN, text, rows)


def _judged(name: str, reasons: Sequence[Reason]) -> Item:
    if not reasons:
        return Item(name, Grade.OK, "nothing found")
    rows = [{"at": r.subject, "grade": str(r.grade), "found": r.text} for r in reasons]
    return Item(name, worst(reasons), f"{len(reasons)} things found", rows)


def _reports(evidence: Evidence) -> Iterator[Item]:
    """What other parts said of themselves last.

    Readiness has a section on this very list: left in, one bad day would keep both open for good.
    """
    for name in (_DAILY, _ON_DEMAND):
        made = evidence.report(name)
        old = made is not None and evidence.at - made.at > OLD
        # What somebody asked for some day says nothing of this one.
        if made is not None and not (old and name == _ON_DEMAND):
            sections = made.body.get("sections", {})
            others = [s["status"] for part, s in sections.items() if part != NAME]
            said = [Grade(status) for status in others if status != "off"]
            grade = worst_of(said) if sections else Grade(made.status)
            text = f"{grade} at {made.at:%Y-%m-%d %H:%M} UTC"
            if old:
                grade, text = worst_of([grade, Grade.WARN]), f"{text}, which is long ago"
            yield Item(name.replace("_", " "), grade, text)


def _shown(frame: pl.DataFrame, *columns: str) -> list[dict[str, Any]]:
    return frame.select(columns).with_columns(pl.col("session").cast(pl.String)).to_dicts()
