"""Sessions that a run has no room to tell one by one: one alert per asset and check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from market_data.alerts import Alert, Phase, Severity, observe, tell
from market_data.alerts.facts import CheckFact, RunFact, UntoldFact
from market_data.alerts.sources import sightings_of_run
from tests.support.alert_rows import START, rules

ASSET = "curated/bars_1d"
FIRST, LAST = date(2003, 1, 2), date(2003, 8, 29)
RANGE = f"check|{ASSET}|price_sanity|range|2003-01-03..2003-06-30"
LEFT_OUT = UntoldFact(
    "price_sanity",
    first=date(2003, 1, 3),
    last=date(2003, 6, 30),
    untold=37,
    failed=97,
    errors=1,
    sessions=167,
    findings=1204,
)
CONSOLE = {"name": "log", "type": "console"}
PAGER = {"name": "pager", "type": "console", "severities": ["error"]}


def run(
    *untold: UntoldFact,
    at: datetime = START,
    first: date = FIRST,
    last: date = LAST,
    failing: tuple[date, ...] = (),
) -> RunFact:
    """A run over a range with its summary, and warnings of single sessions."""
    warned = [
        CheckFact(ASSET, "price_sanity", passed=False, error=False, session=day, at=at)
        for day in failing
    ]
    summary = CheckFact(
        ASSET,
        "run_summary",
        passed=not untold and not failing,
        error=False,
        session=None,
        at=at,
        covers=(first, last),
        untold=untold,
    )
    return RunFact("r1", "assets", True, at, (first, last), checks=(*warned, summary))


def after(known: Mapping[str, Alert], *runs: RunFact) -> dict[str, Alert]:
    alerts = dict(known)
    for one in runs:
        alerts |= observe(alerts, sightings_of_run(one, alerts), rules(CONSOLE))
    return alerts


def later(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def test_what_was_left_out_is_told_although_other_sessions_are():
    alerts = after({}, run(LEFT_OUT, failing=(LAST,)))
    assert set(alerts) == {RANGE, f"check|{ASSET}|price_sanity|{LAST}"}
    trouble = alerts[RANGE].trouble
    assert trouble.severity is Severity.ERROR
    assert trouble.title == f"price_sanity of {ASSET} failed in 97 sessions of 167, 1 in error"
    assert trouble.detail.startswith("1,204 findings in 2003-01-02 to 2003-08-29; 37 of these")
    assert trouble.runbook == "check-price-sanity"
    told = tell(alerts, later(1), rules(CONSOLE, PAGER))
    log, pager = told.messages
    assert log.body["alerts"][0]["key"] == RANGE
    assert [a["key"] for a in pager.body["alerts"]] == [RANGE]


def test_warnings_alone_are_a_warning():
    alerts = after({}, run(replace(LEFT_OUT, errors=0)))
    assert [a.trouble.severity for a in alerts.values()] == [Severity.WARN]


def test_an_unchanged_state_is_one_message_and_its_mending_another():
    alerts = after({}, run(LEFT_OUT, failing=(LAST,)))
    told = tell(alerts, later(1), rules(CONSOLE))
    alerts |= told.alerts
    assert len(told.messages) == 1
    narrower = replace(LEFT_OUT, first=date(2003, 2, 3), untold=30)
    for hours, again in ((2, LEFT_OUT), (3, narrower)):
        alerts = after(alerts, run(again, at=later(hours), failing=(LAST,)))
        assert set(alerts) == {RANGE, f"check|{ASSET}|price_sanity|{LAST}"}
        assert not tell(alerts, later(hours), rules(CONSOLE)).messages
        assert alerts[RANGE].phase is Phase.OPEN
    alerts = after(alerts, run(at=later(4)))
    told = tell(alerts, later(4), rules(CONSOLE))
    assert [str(m.state) for m in told.messages] == ["recovered"]
    assert set(told.alerts) == set(alerts)


def test_a_summary_mends_what_it_covers_even_where_it_tells_of_single_sessions():
    alerts = after({}, run(LEFT_OUT))
    half = after(alerts, run(at=later(1), last=date(2003, 3, 31)))
    assert half[RANGE].phase is Phase.WAITING
    told_singly = run(at=later(2), first=date(2003, 4, 1), failing=(date(2003, 4, 1),))
    whole = after(half, told_singly)
    assert whole[RANGE].phase is Phase.CLOSED
    # A session at its edge mends itself, never the range.
    edge = run(at=later(1), first=LEFT_OUT.first, last=LEFT_OUT.first)
    assert after(alerts, edge)[RANGE].phase is Phase.WAITING


def test_a_failing_run_of_one_session_speaks_for_its_own_checks_alone():
    day = LEFT_OUT.first
    alerts = after({}, run(replace(LEFT_OUT, last=day)))
    (name,) = alerts
    other = run(at=later(1), first=day, last=day, failing=(day,))
    renamed = replace(other.checks[0], check="coverage")
    silent = replace(other, checks=(renamed, *other.checks[1:]))
    assert after(alerts, silent)[name].phase is Phase.WAITING
    assert after(alerts, other)[name].phase is Phase.CLOSED
