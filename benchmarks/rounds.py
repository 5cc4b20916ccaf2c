"""Steps measured in turns.

What belongs here: the order of measured steps, and their times. What does not: what they measure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from benchmarks.delta_store import seconds


class Times:
    """Seconds of each step in each round.

    A ratio is taken of the shortest times: the rounds that a busy machine disturbed least.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def turn(self, steps: Mapping[str, Callable[[], object]], *, backwards: bool = False) -> None:
        """One round; every second one backwards, so that no step always comes first."""
        for name, step in reversed(steps.items()) if backwards else steps.items():
            self.add(name, seconds(step))

    def add(self, name: str, took: float) -> None:
        """One time that was measured elsewhere."""
        self._seconds.setdefault(name, []).append(took)

    def shortest(self, name: str) -> float:
        """The least disturbed time."""
        return min(self._seconds[name])

    def ratio(self, one: str, other: str) -> float:
        """How many times as long as the other the one takes."""
        return self.shortest(one) / self.shortest(other)

    def told(self, *names: str) -> str:
        """Shortest and median times, for people."""
        return ", ".join(
            f"{name} {self.shortest(name) * 1e3:.4g} ms "
            f"(median {statistics.median(self._seconds[name]) * 1e3:.4g})"
            for name in names
        )
