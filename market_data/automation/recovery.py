"""How stale symbols are recovered: the form of the section `recovery` of config/automation.yaml.

What belongs here: the record with its defaults. What does not: which symbols are stale
(market_data/pipeline/recovery.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from market_data.durations import Duration


class RecoveryRules(BaseModel):
    """When a stale symbol is asked for again, and how far back.

    Attributes:
        attempts: it is asked for so often per session that is due; then it is left to a person.
        lookback: calendar days before its newest session that the first attempt reaches back.
        factor: each further attempt reaches back so many times as far.
        pause: so long after an attempt was launched another may be.
        reach: one whose newest session lies further back than this is not kept current, and left
            alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    lookback: Annotated[int, Field(ge=0, le=365)] = 14
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    pause: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=1)
    reach: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=30)

    def days_back(self, attempt: int) -> timedelta:
        """How far before the newest session an attempt reaches; the first is number 0."""
        return timedelta(days=round(self.lookback * self.factor**attempt))
