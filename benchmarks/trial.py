"""What a detector is tried on, and what became of it.

What belongs here: the record of a trial, the counts. What does not: the trials themselves
(trials_of_prices.py, trials_of_sessions.py, trials_of_actions.py), the table (detectors.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.planted import Kind
from market_data.quality.volume import TRADED


@dataclass(frozen=True)
class Judged:
    """What was planted in a series, and what a detector told of it.

    Attributes:
        planted: numbers of bars, or ordinals of sessions.
        told: the same of what was found.
        bars: how many the series has.
    """

    planted: frozenset[int]
    told: frozenset[int]
    bars: int


Judge = Callable[[pl.DataFrame, Kind, np.random.Generator], Judged]
"""Plants faults in sound bars of a kind, and looks for them."""


@dataclass(frozen=True)
class Trial:
    """A detector, what is planted for it, and the kinds of series that it is tried on.

    Attributes:
        name: of the detector.
        fault: what is planted, for the table.
        judge: plants and detects.
        applies: whether a kind of series can have the fault.
    """

    name: str
    fault: str
    judge: Judge
    applies: Callable[[Kind], bool] = lambda _kind: True


@dataclass
class Count:
    """What became of planted faults, in bars or in sessions."""

    found: int = 0
    wrong: int = 0
    missed: int = 0
    bars: int = 0

    def add(self, judged: Judged) -> None:
        """Count one series."""
        self.found += len(judged.planted & judged.told)
        self.wrong += len(judged.told - judged.planted)
        self.missed += len(judged.planted - judged.told)
        self.bars += judged.bars

    @property
    def precision(self) -> float | None:
        """Of what was told, the share that was planted."""
        told = self.found + self.wrong
        return self.found / told if told else None

    @property
    def recall(self) -> float | None:
        """Of what was planted, the share that was told."""
        planted = self.found + self.missed
        return self.found / planted if planted else None

    @property
    def alarms(self) -> float:
        """False alarms per 1,000 bars."""
        return 1000 * self.wrong / self.bars


def is_equity(kind: Kind) -> bool:
    """Whether it can be split."""
    return kind.asset_class == "equity"


def is_daily_equity(kind: Kind) -> bool:
    """Whether it has days that a split or a dividend falls on."""
    return kind.daily and is_equity(kind)


def has_volume(kind: Kind) -> bool:
    """Whether its volume means traded units, and it has sessions enough to tell the usual one."""
    known = kind.daily or is_sampled(kind)
    return has_own_prices(kind) and kind.asset_class in TRADED and known


def is_sampled(kind: Kind) -> bool:
    """Whether it has the sessions of a calendar."""
    return bool(kind.symbol)


def has_own_prices(kind: Kind) -> bool:
    """Whether its prices and volumes are such as its asset class has."""
    return not kind.sessions_only
