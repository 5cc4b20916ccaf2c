"""The cut-off: after three failed ticks, a probe every six hours, or a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from market_data.alerts.alert import Kind
from market_data.alerts.automation_sources import sightings_of_cut_offs, sightings_of_sla
from market_data.alerts.facts import SlaFact
from market_data.automation.cutoff import CutoffState, TickEnd, Turn, resumed, turn
from market_data.automation.policy import CutoffRules

RULES = CutoffRules()
NAME = "refresh_1m"
START = datetime(2024, 3, 12, 12, tzinfo=UTC)
MINUTES = timedelta(minutes=5)


class Schedule:
    """A schedule that ticks every five minutes."""

    def __init__(self) -> None:
        self.state, self.now = CutoffState(NAME), START
        self.ends: list[TickEnd] = []

    def tick(self, *, failing: bool, after: timedelta = MINUTES) -> Turn:
        self.now += after
        self.state, decided = turn(self.state, self.ends, self.now, RULES)
        if decided is not Turn.SKIP:
            self.ends.insert(0, TickEnd(self.now, failing))
        return decided


def test_three_failures_in_a_row_cut_it_off():
    schedule = Schedule()
    assert [schedule.tick(failing=True) for _ in range(4)] == [Turn.GO] * 3 + [Turn.SKIP]
    assert schedule.state.failures == 3
    assert schedule.state.cut_at == schedule.now
    assert schedule.tick(failing=True) is Turn.SKIP
    assert len(schedule.ends) == 3


def test_a_success_in_between_counts_from_the_start():
    schedule = Schedule()
    turns = [schedule.tick(failing=failing) for failing in (True, True, False, True, True, False)]
    assert turns == [Turn.GO] * 6


def test_one_probe_in_six_hours_and_its_success_ends_it():
    schedule = Schedule()
    for _ in range(4):
        schedule.tick(failing=True)
    # The newest tick that failed is one tick ago.
    assert schedule.tick(failing=True, after=RULES.probe - 2 * MINUTES) is Turn.SKIP
    assert schedule.tick(failing=True) is Turn.PROBE
    assert schedule.tick(failing=True) is Turn.SKIP
    assert schedule.tick(failing=False, after=RULES.probe) is Turn.PROBE
    assert schedule.tick(failing=False) is Turn.GO
    assert schedule.state == CutoffState(NAME)


def test_one_that_ticks_once_a_day_loses_no_day():
    schedule, day = Schedule(), timedelta(days=1)
    turns = [schedule.tick(failing=True, after=day) for _ in range(5)]
    assert turns == [Turn.GO] * 3 + [Turn.PROBE] * 2
    assert schedule.state.cut_at == START + 4 * day, "it is told of all the same"
    assert schedule.tick(failing=False, after=day) is Turn.PROBE
    assert schedule.tick(failing=False, after=day) is Turn.GO
    assert schedule.state.cut_at is None


def test_a_probe_that_is_asked_about_again_is_one_again():
    """The tick broke off after it was decided, and is repeated."""
    ends = [TickEnd(START - RULES.probe - n * MINUTES, failed=True) for n in range(3)]
    once, decided = turn(CutoffState(NAME), ends, START, RULES)
    assert decided is Turn.PROBE
    assert turn(once, ends, START, RULES) == (once, Turn.PROBE)
    assert turn(once, ends, START + MINUTES, RULES)[1] is Turn.SKIP


def test_a_person_lets_it_run_again_and_older_failures_count_no_more():
    schedule = Schedule()
    for _ in range(4):
        schedule.tick(failing=True)
    schedule.state = resumed(schedule.state, schedule.now)
    assert schedule.state.cut_at is None
    assert [schedule.tick(failing=True) for _ in range(4)] == [Turn.GO] * 3 + [Turn.SKIP]


def test_looking_again_changes_nothing():
    """Two daemons by mistake, or a tick that is repeated."""
    ends = [TickEnd(START - n * MINUTES, failed=True) for n in range(3)]
    once, decided = turn(CutoffState(NAME), ends, START, RULES)
    assert turn(once, ends, START, RULES) == (once, decided)
    assert decided is Turn.SKIP


def test_what_is_told_of_it():
    cut = CutoffState(NAME, 3, cut_at=START)
    told, fine = sightings_of_cut_offs([cut, CutoffState("daily_market_data")], START)
    assert told.fingerprint == "cut_off|refresh_1m"
    assert told.trouble is not None
    assert told.trouble.kind is Kind.CUT_OFF
    assert "2024-03-12 12:00" in told.trouble.title
    assert fine.trouble is None


@pytest.mark.parametrize(
    ("fact", "detail"),
    [
        (SlaFact("daily_market_data", None), None),
        (SlaFact("daily_market_data", START), None),
        (SlaFact("daily_market_data", START, ("a failed", "b failed")), "a failed; b failed"),
        (SlaFact("daily_market_data", START, tuple("abcde")), "a; b; c and 2 more"),
    ],
)
def test_what_is_told_of_late_runs(fact: SlaFact, detail: str | None):
    (found,) = sightings_of_sla(fact, START)
    assert found.fingerprint == "sla|daily_market_data"
    assert (found.trouble and found.trouble.detail) == detail
