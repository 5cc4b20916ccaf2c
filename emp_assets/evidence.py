"""The tables that show what a check found, within what a run may add to the event log.

What belongs here: how many rows are shown, of which sessions, and where to find the rest.
What does not: judging data (market_data/quality), results of checks (bar_checks.py).

Dagster keeps each evaluation three times, so a row of a table costs about two kilobytes. However
much a run finds, it shows a bounded number of rows. The result over all sessions of the run names
the command that shows the rest.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from emp_assets.metadata import table
from market_data.quality.findings import KEY

ONE_RESULT = 20
"""Rows of one table."""
ALL_SESSIONS = 100
"""Rows that the results of single sessions show, over all sessions and checks of a run."""
PAGES = 30
"""Results of single sessions, the newest, that hold the text of a runbook; the others name it."""
RECORDED = 80
"""Failures of single sessions, of all checks together, that a run records where it records nothing
else of these checks; errors go first."""
RECORDED_WARNINGS = 60
"""So many of them may be warnings."""
SUMMARY_LINES = 200
"""Lines of the summary of a run, by session and check."""


class Evidence:
    """Tables for one check of a run, until there is no room left.

    Args:
        room: rows that may be shown.
        of_one: rows of one table at most.
        pages: of runbooks that may be shown.
    """

    def __init__(self, room: int, of_one: int = ONE_RESULT, *, pages: int = 1) -> None:
        self._room = room
        self._of_one = of_one
        self._pages = pages

    def of(self, findings: pl.DataFrame, rows: pl.DataFrame | None) -> dict[str, Any]:
        """Metadata of a result: the first findings, and the first rows that they are about.

        Without room it is the number of symbols alone: a record of less than half a page of SQLite
        shares that page with another.

        Args:
            findings: rows of FINDINGS of the result.
            rows: offending rows of the check, with symbol and session; None where it has none.
        """
        told: dict[str, Any] = {"symbols": findings["symbol"].n_unique()}
        shown = self._take(findings.drop("check", "dataset"))
        if shown.height:
            told["findings"] = table(shown, rows=self._of_one)
        if rows is None or rows.is_empty():
            return told
        wanted = findings.select(KEY).unique()
        sample = self._take(rows.join(wanted, on=KEY, how="semi", maintain_order="left"))
        return told | ({"rows": table(sample, rows=self._of_one)} if sample.height else {})

    def page(self) -> bool:
        """Whether there is room for the text of one more page of the runbooks."""
        self._pages -= 1
        return self._pages >= 0

    def _take(self, frame: pl.DataFrame) -> pl.DataFrame:
        shown = frame.head(min(self._of_one, self._room))
        self._room -= shown.height
        return shown
