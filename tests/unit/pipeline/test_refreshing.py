"""Messages that ask for too much at once are parked, and never launched past the guard."""

from __future__ import annotations

import json
from pathlib import Path

from market_data.automation.messages import MessageRules
from market_data.backfill.policy import BackfillPolicy
from market_data.pipeline.refreshing import answer
from tests.support.small_world import fill, small_world

RULES = MessageRules()


def wish(symbol: str, last: str) -> bytes:
    content = {
        "version": 1,
        "dataset": "bars_1d",
        "symbols": [symbol],
        "start": "2024-02-12",
        "end": last,
    }
    return json.dumps(content).encode()


def test_a_plan_above_the_guard_is_parked_with_the_reason(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    fill(world)
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
