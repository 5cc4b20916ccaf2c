"""Reports: kept, found newest first, and bounded in number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from adapters.operations import SqlReports, reports
from market_data.ports import Report

START = datetime(2024, 3, 1, 12, tzinfo=UTC)


def report(number: int, name: str = "readiness") -> Report:
    return Report(name, START + timedelta(minutes=number), "ok", {"number": number, "nested": [1]})


def test_the_newest_come_first_and_by_name(engine: sa.Engine) -> None:
    kept = SqlReports(engine)
    assert kept.newest("readiness") == []
    for number in range(3):
        kept.keep(report(number))
    kept.keep(report(9, "market_slice"))
    assert kept.newest("readiness") == [report(2)]
    assert kept.newest("readiness", 5) == [report(2), report(1), report(0)]
    assert kept.newest("market_slice", 5) == [report(9, "market_slice")]


def test_the_oldest_of_a_name_make_room(engine: sa.Engine) -> None:
    kept = SqlReports(engine)
    kept.keep(report(0, "market_slice"))
    for number in range(reports.KEPT + 3):
        kept.keep(report(number))
    found = kept.newest("readiness", 1_000)
    assert [r.body["number"] for r in found] == list(range(reports.KEPT + 2, 2, -1))
    assert len(kept.newest("market_slice", 5)) == 1
