"""Retention of data: whether there is as much history as config/retention.yaml asks for.

What belongs here: the verdict by dataset and rule, what would go by the same policy, the report.
What does not: reading how much there is (market_data/pipeline/retaining.py), the policy
(market_data/retention).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from market_data.operations.account import Account
from market_data.operations.evidence import Evidence
from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import OperationsLimits
from market_data.operations.readiness import Section
from market_data.retention.leaving import Leaving
from market_data.retention.policy import SLACK

NAME = "data_retention"
ALL_SYMBOLS = "*"
"""The symbol under which a dataset is judged as a whole."""
_TOLD = 5


def graded(history: pl.DataFrame, today: date) -> pl.DataFrame:
    """Rows of HISTORY with `days` (of history, 0 where there is none) and `grade`.

    History is counted from the oldest session to today, and is whole where it begins within two
    weeks of what is asked for: sessions lie apart. Nothing is asked for before a listing.
    """
    late = pl.lit(SLACK)
    days = (pl.lit(today) - pl.col("oldest")).dt.total_days().fill_null(0)

    def short(limit: str) -> pl.Expr:
        begins = pl.max_horizontal(pl.lit(today) - pl.duration(days=pl.col(limit)), "listed")
        lacking = pl.col("oldest").is_null() | (pl.col("oldest") > begins + late)
        # A listing of this week has brought nothing yet.
        due = pl.col("listed").is_null() | (pl.col("listed") + late <= pl.lit(today))
        return pl.col(limit).is_not_null() & lacking & due

    grade = (
        pl.when(short("minimum_days"))
        .then(pl.lit(str(Grade.FAIL)))
        .when(short("target_days") | (pl.col("empty_months") > 0))
        .then(pl.lit(str(Grade.WARN)))
        .otherwise(pl.lit(str(Grade.OK)))
    )
    return history.with_columns(days=days, grade=grade)


def retention_reasons(judged: pl.DataFrame, today: date) -> Iterator[Reason]:
    """What is too short, or has holes, by dataset and rule.

    Args:
        judged: what `graded` tells.
        today: the day of the verdict.
    """
    for _, rows in judged.group_by("dataset", "rule", maintain_order=True):
        failing = rows.filter(pl.col("grade") == str(Grade.FAIL))
        yield from _short(failing, Grade.FAIL, rows.height, today)
        below = rows.filter(
            pl.col("grade") == str(Grade.WARN), pl.col("days") < pl.col("target_days") - SLACK.days
        )
        yield from _short(below, Grade.WARN, rows.height, today)
        broken = rows.filter(pl.col("empty_months") > 0)
        if not broken.is_empty():
            months = int(broken["empty_months"].sum())
            text = (
                f"{months} months hold nothing between others, of {_named(broken)}: "
                f"{_cure(broken, today)}"
            )
            subject = str(broken["dataset"][0])
            yield Reason(Grade.WARN, text, "history_broken", subject, months, 0)


def _short(rows: pl.DataFrame, grade: Grade, of: int, today: date) -> Iterator[Reason]:
    if rows.is_empty():
        return
    column = "minimum_days" if grade is Grade.FAIL else "target_days"
    limit, least = int(rows[column][0]), int(rows["days"].min())  # type: ignore[arg-type]
    subject = str(rows["dataset"][0])
    whose = "its history" if rows["symbol"][0] == ALL_SYMBOLS else f"{rows.height} of {of} symbols"
    text = (
        f"{whose} reach back less than {limit} days, the least {least}, {_named(rows)}: "
        f"{_cure(rows, today)}"
    )
    if grade is Grade.FAIL:
        yield Reason(grade, text, "history_short", subject, least, limit)
    else:
        yield Reason(grade, text, "history_below_target", subject, least, limit)


def _named(rows: pl.DataFrame) -> str:
    names = rows.sort("days", "symbol")["symbol"].to_list()
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _cure(rows: pl.DataFrame, today: date) -> str:
    dataset = str(rows["dataset"][0])
    start = today - timedelta(days=int(rows["target_days"][0]))
    if rows["symbol"][0] == ALL_SYMBOLS:
        return f"'emp macro ingest --start {start} --end {today}'"
    return (
        f"'emp backfill plan {dataset} --symbols ... --start {start} --end {today}', or an "
        "exception in config/retention.yaml"
    )


def retention_account(evidence: Evidence, limits: OperationsLimits) -> Account:  # noqa: ARG001
    """History by dataset and rule, and what would go, as a report."""
    today = evidence.at.date()
    judged = graded(evidence.history, today)
    summary = _summary(judged)
    leaving = [_going(found) for found in evidence.leaving]
    return Account(
        name=NAME,
        title="Retention of data",
        at=evidence.at,
        reasons=tuple(retention_reasons(judged, today)),
        body={"history": summary, "short": _rows_of(judged), "leaving": leaving},
        tables=[
            (
                "History",
                (
                    "dataset", "rule", "symbols", "least days", "target", "minimum", "oldest",
                    "status",
                ),
                [
                    (
                        row["dataset"], row["rule"], row["symbols"], row["least_days"],
                        row["target_days"], row["minimum_days"], row["oldest"], row["status"],
                    )
                    for row in summary
                ],
            ),
            *(
                [("Older than is kept", tuple(leaving[0]), [tuple(g.values()) for g in leaving])]
                if leaving
                else []
            ),
        ],
        facts={
            "symbols": judged.height,
            "short": judged.filter(pl.col("grade") != str(Grade.OK)).height,
            "rows older than kept": sum(found.rows for found in evidence.leaving),
        },
    )  # fmt: skip


def retention_section(section: Section) -> Section:
    """The section of readiness: an installation with little history is fit for what it has.

    Whoever needs more is alerted by the check of the report, which fails.
    """
    reasons = tuple(replace(r, grade=Grade.WARN) for r in section.reasons)
    return section if section.off else Section.of(section.name, reasons, section.facts)


def _summary(judged: pl.DataFrame) -> list[dict[str, Any]]:
    order = {str(grade): rank for rank, grade in enumerate(Grade)}
    found = judged.group_by("dataset", "rule", maintain_order=True).agg(
        symbols=pl.len(),
        least_days=pl.col("days").min(),
        target_days=pl.col("target_days").first(),
        minimum_days=pl.col("minimum_days").first(),
        oldest=pl.col("oldest").min().cast(pl.String),
        rows=pl.col("rows").sum(),
        empty_months=pl.col("empty_months").sum(),
        status=pl.col("grade").sort_by(pl.col("grade").replace_strict(order)).last(),
    )
    return found.to_dicts()


def _rows_of(judged: pl.DataFrame) -> list[dict[str, Any]]:
    """The symbols that are not well, the shortest history first."""
    bad = judged.filter(pl.col("grade") != str(Grade.OK)).sort("days", "dataset", "symbol")
    columns = [pl.col("oldest", "newest", "listed").cast(pl.String)]
    return bad.with_columns(columns).head(200).to_dicts()


def _going(found: Leaving) -> dict[str, Any]:
    first, last = found.sessions
    return {
        "dataset": found.dataset,
        "rows": found.rows,
        "of": found.held,
        "share": round(found.share, 4),
        "first": str(first),
        "last": str(last),
    }
