"""Four processes want more than the limits allow: never over, in any window, and hardly under.

In our windows and in the vendor's, which counts what arrives, however long that was on its way.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.request_hammer import (
    Place,
    Window,
    hammer,
    most_arrived,
    most_at_once,
    open_place,
)
from tests.support.slow_way import SlowWay

SECONDS = 6.0
FAST = Window(name="half second", requests=50, seconds=0.5)
SLOW = Window(name="two seconds", requests=180, seconds=2.0)
SENT = Window(name="two seconds", requests=40, seconds=2.0)
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
    # Counted from the grant: how soon a busy machine runs a process again is no matter of windows.
    granted = hammer(place, [FAST], processes=4, seconds=SECONDS, costs=[1], margin=0)
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
    granted = hammer(place, [FAST, SLOW], processes=4, seconds=4.0, costs=[1, 2, 3], margin=0)
    for window in (FAST, SLOW):
        assert most_at_once(granted, window) <= window["requests"]
    # A costly request may find a rest that is too small for it; nothing else is lost.
    assert sum(g.cost for g in granted) > 0.9 * SLOW["requests"] * 2


@pytest.mark.parametrize("kind", ["file_place", "both_places"])
def test_a_vendor_at_the_end_of_a_slow_way_is_never_asked_more_than_it_allows(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """With a margin of 0 it is, by several requests."""
    place: Place = request.getfixturevalue(kind)
    with SlowWay() as vendor:
        hammer(place, [SENT], processes=4, seconds=4.0, costs=[1], port=vendor.port)
    assert most_arrived(vendor.arrived, SENT) <= SENT["requests"]
    in_time = [at for at in vendor.arrived if at < min(vendor.arrived) + 4_000_000]
    assert len(in_time) > 0.95 * 2 * SENT["requests"]
