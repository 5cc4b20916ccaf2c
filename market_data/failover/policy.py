"""The parsed form of config/failover.yaml: when the warehouse counts as away, and what then.

What belongs here: the records with their defaults, and questions that they answer alone. What does
not: reading the file (adapters/failover.py), deciding (decide.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market_data.durations import Duration

Span = Annotated[Duration, Field(gt=timedelta(0))]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trigger(_Strict):
    """When the warehouse counts as away.

    Attributes:
        unreachable_for: its server has not answered for so long.
        after_missed: the same, where a slice of a required dataset could not be written already.
        longest_gap: looks that are further apart say nothing of the time between them.
    """

    unreachable_for: Span = timedelta(minutes=5)
    after_missed: Span = timedelta(minutes=1)
    longest_gap: Span = timedelta(minutes=3)


class ReplayRules(_Strict):
    """How missed slices are made.

    Attributes:
        attempts: runs for one slice; then a person has to look.
        at_once: so many runs at a time.
    """

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    at_once: Annotated[int, Field(ge=1, le=20)] = 2


class DrillRules(_Strict):
    """The rehearsal.

    Attributes:
        every: one that is older is missing.
        sessions: so many of the newest sessions that were fetched are missed and made again.
        symbols: whose; empty for those that were fetched last, ten at most.
        warn_recovery: a recovery that takes longer is worth a warning.
        fail_recovery: one that takes longer has failed.
    """

    every: Span = timedelta(days=35)
    sessions: Annotated[int, Field(ge=1, le=31)] = 5
    symbols: tuple[str, ...] = ()
    warn_recovery: Span = timedelta(minutes=5)
    fail_recovery: Span = timedelta(minutes=30)

    @model_validator(mode="after")
    def _ordered(self) -> DrillRules:
        if self.warn_recovery > self.fail_recovery:
            raise ValueError("warn_recovery must not be longer than fail_recovery")
        return self


class FailoverPolicy(_Strict):
    """The whole file; what it leaves out has the defaults of these records.

    Attributes:
        trigger: when the warehouse counts as away.
        back_for: it counts as back once its server has answered for so long.
        required: datasets whose missed slices hold the end of a failover up; patterns with *.
        optional: datasets that are made later as well, and hold nothing up. Of two patterns that
            fit the longer one holds; what neither list names is required.
        replay: how missed slices are made.
        drill: the rehearsal.
    """

    trigger: Trigger = Trigger()
    back_for: Span = timedelta(minutes=1)
    required: tuple[str, ...] = ("curated/bars_*", "quality/scores", "features/*")
    optional: tuple[str, ...] = ("curated/macro_calendar", "reference/*")
    replay: ReplayRules = ReplayRules()
    drill: DrillRules = DrillRules()

    def is_required(self, dataset: str) -> bool:
        """Whether a failover is not over before a dataset is whole again."""
        return _closeness(self.required, dataset) >= _closeness(self.optional, dataset)


def _closeness(patterns: Iterable[str], dataset: str) -> int:
    """Length of the longest pattern that fits; -1 where none does."""
    return max((len(p) for p in patterns if fnmatchcase(dataset, p)), default=-1)
