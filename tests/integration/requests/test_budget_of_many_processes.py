"""Four processes want more than the limits allow: never over, in any window, and hardly under."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.request_hammer import (
    Place,
    Window,
    hammer,
    most_at_once,
    open_place,
)

SECONDS = 6.0
FAST = Window(name="half second", requests=50, seconds=0.5)
SLOW = Window(name="two seconds", requests=180, seconds=2.0)
NewPlace = Callable[[], Place]


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    return Place(path=str(tmp_path / "requests.sqlite"), redis="", namespace="")


@pytest.fixture
def redis_place(redis_url: str) -> Place:
    return Place(path="", redis=redis_url, namespace=f"test:{uuid.uuid4().hex}")


@pytest.fixture
def both_places(file_place: Place, redis_place: Place) -> Place:
    return {**redis_place, "path": file_place["path"]}


@pytest.mark.parametrize("kind", ["file_place", "redis_place", "both_places"])
def test_never_over_the_limit_in_any_window_and_hardly_under_it(
    kind: str, request: pytest.FixtureRequest
) -> None:
    place: Place = request.getfixturevalue(kind)
    granted = hammer(place, [FAST], processes=4, seconds=SECONDS, costs=[1])
    assert most_at_once(granted, FAST) <= FAST["requests"]
    allowed = FAST["requests"] * SECONDS / FAST["seconds"]
    assert len(granted) > 0.95 * allowed
    # The instants are those at which the requests were really let through.
    assert all(g.before - 20_000 <= g.at <= g.after + 20_000 for g in granted)
    # What was forgotten was removed.
    (use,) = open_place(place).look("hammered").uses or [None]
    assert use is None or use.used <= FAST["requests"]


@pytest.mark.parametrize("kind", ["file_place", "both_places"])
def test_several_windows_and_costs_hold_together(kind: str, request: pytest.FixtureRequest) -> None:
    place: Place = request.getfixturevalue(kind)
    granted = hammer(place, [FAST, SLOW], processes=4, seconds=4.0, costs=[1, 2, 3])
    for window in (FAST, SLOW):
        assert most_at_once(granted, window) <= window["requests"]
    # A costly request may find a rest that is too small for it; nothing else is lost.
    assert sum(g.cost for g in granted) > 0.9 * SLOW["requests"] * 2
