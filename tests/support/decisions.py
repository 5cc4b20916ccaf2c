"""Decisions of people in a world that several tests share.

What belongs here: taking back what a test decided, however it ended. What does not: decisions that
are the matter of a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from market_data.ports import Decision
from market_data.quality.annotations import standing
from tests.support.worlds import World


@contextmanager
def taken_back_afterwards(world: World) -> Iterator[None]:
    """No decision stands in the world when this is over."""
    try:
        yield
    finally:
        annotations = world.platform.annotations
        for stands in standing(annotations.read()):
            nothing = {"vendor": "", "codes": (), "imputation": ""}
            back = {"decision": Decision.TAKE_BACK, "takes_back": stands.id}
            annotations.add(replace(stands, **nothing, **back))
