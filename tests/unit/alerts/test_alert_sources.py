"""From runs and the state of the platform to looks: what opens an alert, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from market_data.alerts import Alert, Kind, Phase, Severity, Sighting, observe
from market_data.alerts.facts import (
    BackfillFact,
    BreakerFact,
    CheckFact,
    DaemonFact,
    RouteFact,
    RunFact,
    StepFact,
    TickFact,
)
from market_data.alerts.platform_sources import (
    sightings_of_backfills,
    sightings_of_breakers,
    sightings_of_daemons,
    sightings_of_routes,
    sightings_of_several_daemons,
    sightings_of_ticks,
)
from market_data.alerts.rules import Watch
from market_data.alerts.sources import sightings_of_run
from tests.support.alert_rows import START, minutes, rules

ASSET = "curated/bars_1d"
DAY = date(2024, 2, 8)
RANGE = (date(2024, 2, 5), date(2024, 2, 9))
WATCH = Watch()


def check(
    passed: bool, session: date | None = DAY, name: str = "coverage", **more: Any
) -> CheckFact:
    facts: dict[str, Any] = {"error": True, "at": START, "detail": "0 of 1 bars"}
    return CheckFact(ASSET, name, passed, session=session, **{**facts, **more})


def run(*checks: CheckFact, **more: Any) -> RunFact:
    facts: dict[str, Any] = {"succeeded": True, "at": START, "sessions": RANGE}
    return RunFact("r1", "assets", checks=checks, **{**facts, **more})


def live(*sightings: Sighting) -> dict[str, Alert]:
    return observe({}, sightings, rules())


def bad_ones(sightings: list[Sighting]) -> set[str]:
    return {s.fingerprint for s in sightings if s.trouble is not None}


def good_ones(sightings: list[Sighting]) -> set[str]:
    """What is right again as a whole."""
    return {s.fingerprint for s in sightings if s.trouble is None and s.part is None}


@pytest.mark.parametrize("name", ["cache_health", "kafka_readiness"])
def test_what_looks_tell_is_not_told_by_the_report_as_well(name: str):
    failed = replace(check(False, session=None, name=name), asset="operations/readiness")
    told = f"check|operations/readiness|{name}"
    seen = sightings_of_run(run(failed), {}, parts_watched=False)
    assert bad_ones(seen) == {told}
    opened = live(*seen)
    # Looks have begun to tell of it thing by thing: what a run had told is closed.
    assert [(s.fingerprint, s.trouble) for s in sightings_of_run(run(failed), opened)] == [
        (told, None)
    ]
    assert sightings_of_run(run(failed), {}) == []
    other = check(False, session=None, name=name)
    assert bad_ones(sightings_of_run(run(other), {})) == {f"check|{ASSET}|{name}"}


def test_a_failed_check_alerts_although_the_run_is_green():
    (seen,) = sightings_of_run(run(check(False)), {})
    assert seen.fingerprint == "check|curated/bars_1d|coverage|2024-02-08"
    trouble = seen.trouble
    assert trouble is not None
    assert (trouble.kind, trouble.severity, trouble.asset) == (Kind.CHECK, Severity.ERROR, ASSET)
    assert trouble.sessions == (DAY, DAY)
    assert trouble.runbook == "check-coverage"


def test_a_session_s_verdict_goes_before_that_of_the_whole_range():
    seen = sightings_of_run(run(check(False), check(False, session=None)), {})
    assert bad_ones(seen) == {"check|curated/bars_1d|coverage|2024-02-08"}


def test_a_summary_mends_the_sessions_of_its_range_that_it_does_not_complain_of():
    """A long range records failing sessions alone."""
    opened = live(*sightings_of_run(run(check(False), check(False, date(2024, 2, 6))), {}))
    summary = check(False, None, "run_summary", error=False, covers=RANGE, at=minutes(1))
    seen = sightings_of_run(run(check(False, at=minutes(1)), summary), opened)
    assert bad_ones(seen) == {"check|curated/bars_1d|coverage|2024-02-08"}
    assert good_ones(seen) == {"check|curated/bars_1d|coverage|2024-02-06"}
    elsewhere = replace(summary, covers=(date(2024, 3, 1), date(2024, 3, 9)))
    assert good_ones(sightings_of_run(run(elsewhere), opened)) == set()


def test_a_summary_that_blocks_is_told_and_a_healthy_symbol_does_not_mend_it():
    blocking = check(False, None, "run_summary", covers=RANGE)
    steps = (StepFact("curated__bars_1d__checks", START, blocked=True),)
    chosen = {"curated__bars_1d__checks": ("EURUSD",)}
    seen = sightings_of_run(
        run(check(False), blocking, succeeded=False, steps=steps, symbols=chosen), {}
    )
    (summary,) = bad_ones(seen) - {"check|curated/bars_1d|coverage|2024-02-08"}
    assert summary.startswith("check|curated/bars_1d|run_summary|2024-02-05..2024-02-09|")
    opened = live(*seen)
    fine = check(False, None, "run_summary", error=False, covers=RANGE, at=minutes(1))
    other = {"curated__bars_1d__checks": ("AAPL",)}
    assert summary not in good_ones(
        sightings_of_run(run(check(False), fine, symbols=other), opened)
    )
    same = sightings_of_run(run(check(False), fine, symbols=chosen), opened)
    assert summary in good_ones(same)


def failed(
    error: str = "KeyError: 'close'", step: str = "raw__yahoo_bars_1d", **more: Any
) -> RunFact:
    return run(succeeded=False, steps=(StepFact(step, START, error),), **more)


def test_a_failed_step_is_mended_by_a_run_that_covers_its_sessions_and_symbols():
    opened = live(*sightings_of_run(failed(symbols={"raw__yahoo_bars_1d": ("AAPL", "MSFT")}), {}))
    (name,) = opened
    done = (StepFact("raw__yahoo_bars_1d", minutes(1)),)

    def mended(**more: Any) -> bool:
        return name in good_ones(sightings_of_run(run(steps=done, **more), opened))

    assert not mended(symbols={"raw__yahoo_bars_1d": ("AAPL",)})
    assert not mended(sessions=(DAY, DAY))
    assert mended(symbols={"raw__yahoo_bars_1d": ("AAPL", "GOOG", "MSFT")})
    assert mended()
    assert not sightings_of_run(run(steps=(StepFact("other", START),)), opened)


def test_an_exception_in_a_check_is_a_failure_that_alerts():
    seen = sightings_of_run(failed(step="curated__bars_1d__checks"), {})
    (trouble,) = [s.trouble for s in seen if s.trouble]
    assert trouble.kind is Kind.RUN
    assert "could not be run" in trouble.title
    assert "KeyError" in trouble.detail


def test_a_run_that_died_without_a_failed_step_alerts_and_a_later_one_mends_it():
    opened = live(*sightings_of_run(run(succeeded=False, error="the process died"), {}))
    (name,) = opened
    assert opened[name].trouble.detail == "the process died"
    assert good_ones(sightings_of_run(run(), opened)) == {name}
    assert not good_ones(sightings_of_run(replace(run(), job="other"), opened))


def week(first: int, **more: Any) -> dict[str, Any]:
    """What a schedule asks for on one morning: a window that moves on."""
    window = (date(2024, 2, first), date(2024, 2, first + 7))
    return {"schedule": "daily_market_data 1d", "sessions": window, **more}


STEP = "raw__yahoo_bars_1d"
DONE = (StepFact(STEP, minutes(1)),)


def test_one_outage_is_one_alert_on_however_many_mornings_a_schedule_fails():
    monday = live(*sightings_of_run(failed(**week(1)), {}))
    # The universe has grown meanwhile: it is the same outage.
    tuesday = failed(**week(2, symbols={STEP: ("AAPL", "MSFT")}))
    both = {**monday, **observe(monday, sightings_of_run(tuesday, monday), rules())}
    (alert,) = both.values()
    assert alert.fingerprint == f"step|{STEP}|by daily_market_data 1d"
    assert alert.sightings == 2

    good = run(steps=DONE, **week(3, symbols={STEP: ("AAPL", "MSFT")}))
    assert good_ones(sightings_of_run(good, both)) == {alert.fingerprint}


@pytest.mark.parametrize(
    ("change", "mends"),
    [
        ({}, True),
        ({"schedule": ""}, False),
        ({"schedule": "close_xnys 1d"}, False),
        ({"schedule": "daily_market_data 1m"}, False),
        ({"steps": (StepFact("raw__tiingo_bars_1d", minutes(1)),)}, False),
        # Repeated by hand, of a window before that which failed.
        (week(1), False),
        ({"schedule": "", "sessions": (date(2024, 1, 1), date(2024, 3, 1))}, True),
    ],
)
def test_the_same_step_of_the_same_schedule_mends_what_it_failed(
    change: dict[str, Any], mends: bool
):
    opened = live(*sightings_of_run(failed(**week(2)), {}))
    later = run(**{"steps": DONE, **week(3), **change})
    assert (good_ones(sightings_of_run(later, opened)) == set(opened)) == mends


def test_a_schedule_whose_run_died_is_mended_by_its_next_one():
    dead = run(succeeded=False, error="the process died", **week(1))
    opened = live(*sightings_of_run(dead, {}))
    again = replace(dead, sessions=(date(2024, 2, 2), date(2024, 2, 9)))
    assert bad_ones(sightings_of_run(again, opened)) == set(opened)
    assert good_ones(sightings_of_run(run(**week(3)), opened)) == set(opened)
    other = week(3, schedule="close_xnys 1d")
    assert good_ones(sightings_of_run(run(**other), opened)) == set()


def test_a_failing_summary_of_one_session_mends_nothing():
    """Such a run may not have recorded the other checks at all."""
    opened = live(*sightings_of_run(run(check(False)), {}))
    summary = check(False, None, "run_summary", error=False, covers=(DAY, DAY), at=minutes(1))
    assert good_ones(sightings_of_run(run(summary), opened)) == set()
    other = check(False, name="ohlc", at=minutes(1))
    assert good_ones(sightings_of_run(run(other, summary), opened)) == set()
    # Nor does one of a range whose run says of no session what is wrong with it.
    assert good_ones(sightings_of_run(run(replace(summary, covers=RANGE)), opened)) == set()
    passed = replace(summary, passed=True)
    assert good_ones(sightings_of_run(run(passed), opened)) == set(opened)


def test_ticks():
    def fact(*errors: str, running: bool = True) -> TickFact:
        ticks = tuple((minutes(-n), error) for n, error in enumerate(errors))
        return TickFact("reference_files", "sensor", ticks, running)

    def verdict(fact: TickFact) -> list[bool]:
        return [s.trouble is None for s in sightings_of_ticks([fact], WATCH)]

    assert verdict(fact("boom", "boom")) == [False]
    assert verdict(fact("boom", "")) == []
    assert verdict(fact("", "boom")) == [True]
    assert verdict(fact("boom", "boom", running=False)) == [True]
    assert verdict(fact()) == []


@pytest.mark.parametrize(
    ("over", "failed_", "idle", "bad"),
    [
        (False, False, 59, False),
        (False, False, 61, True),
        (True, False, 600, False),
        (True, True, 0, True),
    ],
)
def test_backfills(over: bool, failed_: bool, idle: int, bad: bool):
    fact = BackfillFact("abc", "bars", over, failed_, minutes(-idle))
    (seen,) = sightings_of_backfills([fact], WATCH, START)
    assert (seen.trouble is not None) == bad


def test_daemons():
    def verdict(beat: datetime | None, *errors: str) -> bool:
        (seen,) = sightings_of_daemons([DaemonFact("SENSOR", beat, errors)], WATCH, START)
        return seen.trouble is not None

    assert not verdict(minutes(-4))
    assert verdict(minutes(-5))
    assert not verdict(None)
    assert verdict(minutes(0), "boom")


@pytest.mark.parametrize(("several", "bad"), [(True, [True]), (False, [False]), (None, [])])
def test_a_daemon_that_is_not_alone(several: bool | None, bad: list[bool]):
    seen = sightings_of_several_daemons(several, "two", START)
    assert [s.trouble is not None for s in seen] == bad


def test_breakers_and_routes():
    (left_alone,) = sightings_of_breakers([BreakerFact("yahoo", "open", "429")], START)
    assert left_alone.trouble is not None
    assert left_alone.trouble.runbook == "vendor-limits"
    down = RouteFact("hook", minutes(-10), "status 500")
    (seen,) = sightings_of_routes([down], WATCH, START)
    assert seen.trouble is not None
    assert not rules({"name": "hook", "type": "console"}).routes_for(seen.trouble)
    assert list(sightings_of_routes([replace(down, down_since=minutes(-9))], WATCH, START)) == []
    (fine,) = sightings_of_routes([RouteFact("hook", None)], WATCH, START)
    assert fine.trouble is None


def test_an_alert_is_open_until_its_phase_says_otherwise():
    (alert,) = live(*sightings_of_run(failed(), {})).values()
    assert alert.phase is Phase.WAITING
