"""Reports: kept, found newest first, and bounded in number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapters.operations import SqlOutbox, SqlReports, reports
from market_data.ports import Report
from market_data.ports.event_results import OperationsReport
from market_data.ports.events import Event

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


def event(number: int) -> Event:
    told = OperationsReport(report="slo_report", status="ok", body={"number": number})
    return Event(told, START, event_id=f"e{number}")


def test_a_report_and_what_tells_of_it_are_kept_together_or_not_at_all(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = SqlOutbox(engine)
    kept = SqlReports(engine, outbox)
    kept.keep(report(0), events=[event(0)])
    assert [waiting.event_id for waiting in outbox.pending(9)] == ["e0"]

    def dies(*_: object) -> None:
        raise RuntimeError("the process died")

    monkeypatch.setattr(SqlOutbox, "add", dies)
    with pytest.raises(RuntimeError, match="died"):
        kept.keep(report(1), events=[event(1)])
    monkeypatch.undo()
    assert kept.newest("readiness", 9) == [report(0)]
    # Where nobody listens, reports are kept all the same.
    SqlReports(engine).keep(report(2), events=[event(2)])
    assert kept.newest("readiness") == [report(2)]
    assert len(outbox.pending(9)) == 1
