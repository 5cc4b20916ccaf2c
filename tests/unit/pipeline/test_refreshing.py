"""What messages become: large ones are parked alone, and none vanishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from market_data.automation.messages import MessageRules
from market_data.backfill.plans import BackfillPlan
from market_data.backfill.policy import BackfillPolicy
from market_data.pipeline.refreshing import answer
from tests.support.small_world import DAYS, fill, small_world
from tests.support.worlds import World

RULES = MessageRules()


def wish(symbol: str, last: str, first: str = "2024-02-12", dataset: str = "bars_1d") -> bytes:
    content = {
        "version": 1,
        "dataset": dataset,
        "symbols": [symbol],
        "start": first,
        "end": last,
    }
    return json.dumps(content).encode()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = small_world(tmp_path)
    fill(made)
    return made


def test_a_plan_above_the_guard_is_parked_with_the_reason(world: World) -> None:
    platform = world.platform
    bodies = [b"{", wish("AAA", "2024-02-16"), wish("BBB", "2024-02-12")]
    large = answer(platform, bodies, RULES, BackfillPolicy(guard_symbol_sessions=2), [])
    assert [plan.request.symbols for plan in large.plans] == [("BBB",)]
    assert sorted(large.poison) == [0, 1]
    assert "--pilot first" in large.poison[1]
    assert large.known == 0
    free = answer(platform, bodies, RULES, BackfillPolicy(), [])
    assert {plan.request.symbols for plan in free.plans} == {("AAA",), ("BBB",)}
    assert sorted(free.poison) == [0]


def made(plans: tuple[BackfillPlan, ...]) -> Iterator[tuple[str, date]]:
    for plan in plans:
        for piece in plan.pieces:
            for symbol in piece.symbols:
                for n in range(piece.days):
                    yield symbol, piece.first + timedelta(days=n)


@pytest.mark.parametrize("guard", [1, 2, 3, 5])
def test_small_messages_that_are_much_together_are_several_backfills(
    world: World, guard: int
) -> None:
    """And a large one among them is parked alone, whatever it overlaps."""
    small = [wish(symbol, day, day) for symbol in ("AAA", "BBB") for day in DAYS]
    policy = BackfillPolicy(guard_symbol_sessions=guard)
    found = answer(world.platform, [*small, wish("AAA", "2024-02-23")], RULES, policy, [])
    assert list(found.poison) == [len(small)]
    assert all(0 < plan.symbol_sessions <= guard for plan in found.plans)
    done = list(made(found.plans))
    assert sorted(done) == [(s, date.fromisoformat(d)) for s in ("AAA", "BBB") for d in DAYS]
    assert len({plan.snapshot for plan in found.plans}) == len(found.plans)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        # It is Friday, 2024-03-01, 12:00 UTC, before New York opens.
        ("2024-03-01", "2024-03-01"),
        ("2024-03-02", "2024-03-04"),
        ("2024-12-09", "2024-12-11"),
        ("2150-01-01", "2150-02-01"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_sessions_that_lie_ahead_are_parked_until_they_begin(
    world: World, first: str, last: str
) -> None:
    bodies = [wish("AAA", last, first), wish("AAA", "2024-02-16")]
    found = answer(world.platform, bodies, RULES, BackfillPolicy(), [])
    assert list(found.poison) == [0]
    assert f"its sessions lie ahead ({first} to {last})" in found.poison[0]
    assert [str(plan.request.last) for plan in found.plans] == ["2024-02-16"]


def test_of_what_lies_ahead_in_part_the_rest_is_done(world: World) -> None:
    found = answer(world.platform, [wish("AAA", "2026-12-31")], RULES, BackfillPolicy(), [])
    (plan,) = found.plans
    assert (plan.request.last, plan.symbol_sessions) == (date(2024, 3, 2), 13)


def test_what_asks_for_nothing_that_lacks_is_told_apart(world: World) -> None:
    weekend = wish("AAA", "2024-02-18", "2024-02-17")
    found = answer(world.platform, [weekend], RULES, BackfillPolicy(), [])
    assert (found.plans, found.poison, found.known) == ((), {}, 0)
    (nothing,) = found.complete
    assert (nothing.pieces, nothing.complete, nothing.not_begun) == ((), 0, 0)
