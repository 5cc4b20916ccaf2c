"""When the warehouse counts as away, back and whole: against every history of looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.failover import load_failover
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.failover.decide import decide, seen
from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import Decision, Look, Missing, Standing, Streak

START = datetime(2024, 3, 12, tzinfo=UTC)
POLICY = FailoverPolicy()
RULES = POLICY.trigger
NOTHING = Missing()
ONE = Missing(required=1)


def through(
    looks: list[tuple[int, bool]],
    standing: Standing = Standing.NORMAL,
    missing: Missing = NOTHING,
) -> list[Decision]:
    """Decisions of a history: seconds since the look before, and what it found."""
    streak: Streak | None = None
    at, taken = START, list[Decision]()
    for seconds, reachable in looks:
        at += timedelta(seconds=seconds)
        streak = seen(streak, Look(at, reachable, "" if reachable else "no connection"), POLICY)
        found = decide(standing, streak, missing, POLICY)
        if found is not None:
            assert found.was is standing
            assert found.at == at
            standing = found.became
            taken.append(found)
    return taken


def became(taken: list[Decision]) -> list[Standing]:
    return [decision.became for decision in taken]


histories = st.lists(st.tuples(st.sampled_from([5, 30, 100, 181]), st.booleans()), max_size=60)


@settings(max_examples=300)
@given(histories, st.sampled_from(list(Standing)), st.sampled_from([NOTHING, ONE]))
def test_it_is_away_exactly_where_no_look_answered_for_so_long(
    looks: list[tuple[int, bool]], standing: Standing, missing: Missing
):
    """The rule is looked up in the whole history, which the decision has never seen."""
    taken = iter(through(looks, standing, missing))
    needed = RULES.after_missed if missing.required else RULES.unreachable_for
    times = [
        START + timedelta(seconds=sum(s for s, _ in looks[: n + 1])) for n in range(len(looks))
    ]
    for n, (_, reachable) in enumerate(looks):
        first = n
        while (
            first > 0
            and looks[first - 1][1] is reachable
            and times[first] - times[first - 1] <= RULES.longest_gap
        ):
            first -= 1
        lasted = times[n] - times[first]
        expected = None
        if not reachable and standing is not Standing.AWAY and lasted >= needed:
            expected = Standing.AWAY
        elif reachable and standing is Standing.AWAY and lasted >= POLICY.back_for:
            expected = Standing.BACK
        elif reachable and standing is Standing.BACK and not missing.required:
            expected = Standing.NORMAL
        if expected is not None:
            assert next(taken).became is expected
            standing = expected
    assert next(taken, None) is None


def test_a_server_that_comes_and_goes_is_not_away():
    assert through([(20, n % 2 == 0) for n in range(200)], missing=ONE) == []


def test_looks_that_are_far_apart_say_nothing_of_the_time_between():
    assert through([(30, False), (3600, False), (30, False)]) == []


def test_an_outage_from_its_beginning_to_its_end():
    away = [(30, False)] * 20
    back = [(30, True)] * 5
    taken = through([(30, True), *away, *back])
    assert became(taken) == [Standing.AWAY, Standing.BACK, Standing.NORMAL]
    assert taken[0].evidence["looks"]["looks"] == 11
    assert taken[0].evidence["lasted_seconds"] == 300
    assert "no connection" in taken[0].reason
    # A slice that was lost already shortens the wait, and holds the end up.
    held = through([(30, True), *away, *back], missing=ONE)
    assert became(held) == [Standing.AWAY, Standing.BACK]
    assert held[0].evidence["lasted_seconds"] == 60
    # What is optional does neither.
    assert became(through([(30, True), *away, *back], missing=Missing(optional=3))) == became(taken)


def test_a_server_that_goes_again_while_slices_are_made_is_away_again():
    looks = [(30, False)] * 12
    assert became(through(looks, Standing.BACK, ONE)) == [Standing.AWAY]


def test_what_is_remembered_survives_a_restart():
    streak = Streak(reachable=False, since=START, last=START, looks=3, reason="away")
    assert Streak.from_json(streak.to_json()) == streak


@pytest.mark.parametrize(
    ("dataset", "required"),
    [
        ("curated/bars_1d", True),
        ("quality/scores", True),
        ("features/bars_1d", True),
        ("curated/macro_calendar", False),
        ("reference/trading_sessions", False),
        ("curated/something_new", True),
    ],
)
def test_datasets_are_required_unless_said_otherwise(dataset: str, required: bool):
    assert POLICY.is_required(dataset) is required


def test_the_longer_pattern_holds():
    minutes = FailoverPolicy(required=("curated/bars_*",), optional=("curated/bars_1m",))
    assert [minutes.is_required(f"curated/bars_{t}") for t in ("1m", "1d")] == [False, True]
    daily = FailoverPolicy(required=("curated/bars_1d",), optional=("curated/*",))
    assert [daily.is_required(f"curated/bars_{t}") for t in ("1m", "1d")] == [False, True]


def policy_of(folder: Path, **content: Any) -> FailoverPolicy:
    (folder / "failover.yaml").write_text(yaml.safe_dump(content))
    return load_failover(Settings(config_dir=folder))


def test_the_shipped_file_says_what_holds_without_one():
    assert load_failover(Settings()) == FailoverPolicy()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"trigger": {"unreachable_for": "0s"}}, "trigger.unreachable_for"),
        ({"back_for": "5"}, "back_for: must be a number with a unit"),
        ({"replay": {"attempts": 0}}, "replay.attempts"),
        ({"drill": {"warn_recovery": "2h"}}, "drill: warn_recovery must not be longer"),
        ({"requierd": []}, "requierd: Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, content: dict[str, Any], told: str):
    with pytest.raises(ConfigurationError, match=r"failover\.yaml: ") as refused:
        policy_of(tmp_path, **content)
    assert told in str(refused.value)
