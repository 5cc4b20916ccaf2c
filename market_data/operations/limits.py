"""From when on the installation itself counts as in trouble: the form of config/operations.yaml.

What belongs here: the records with their defaults. What does not: reading the file
(adapters/operations_limits.py), applying a limit (the modules beside this one), Kafka's own limits
(KAFKA_READINESS_*), limits of market data (market_data/quality/thresholds.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market_data.durations import Duration
from market_data.operations.attempts import DAILY, INTRADAY, MACRO, IngestDimension

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]

MEASURES = ("freshness", "completeness", "score", "success", "latency")
"""What an objective may be about, see slo.py."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HealthLimits(_Strict):
    """Health of each dimension.

    Attributes:
        window: attempts of so long count.
        min_rows: rows that a dimension has to bring in that time, where bars were due.
    """

    window: Duration = timedelta(days=7)
    min_rows: Mapping[IngestDimension, Count] = Field(
        default_factory=lambda: {DAILY: 1, INTRADAY: 1, MACRO: 0}
    )


class TrendLimits(_Strict):
    """Trends over the last runs of a feed.

    Attributes:
        runs: so many runs are compared.
        row_drop: share of the mean yield of the earlier runs below which the newest one warns.
        freshness_growth: multiple of the smallest lag above which the newest one warns.
        freshness_floor: a lag below this never warns.
        failures: so many failed runs in a row fail.
    """

    runs: Annotated[int, Field(ge=2, le=200)] = 10
    row_drop: Share = 0.5
    freshness_growth: Annotated[float, Field(ge=1)] = 1.5
    freshness_floor: Duration = timedelta(hours=1)
    failures: Annotated[int, Field(ge=1)] = 2


class LatencyLimits(_Strict):
    """Latency of fetches, and of events on their way to the brokers.

    Attributes:
        window: what ended in so long counts.
        samples: with fewer, nothing is said.
        fetch_warn: 95 of 100 fetches end within this, or it warns.
        fetch_fail: the same, or it fails.
        delivery_warn: 95 of 100 events reach the broker within this, or it warns.
        delivery_fail: the same, or it fails.
    """

    window: Duration = timedelta(days=1)
    samples: Annotated[int, Field(ge=1)] = 5
    fetch_warn: Duration = timedelta(minutes=5)
    fetch_fail: Duration = timedelta(minutes=30)
    delivery_warn: Duration = timedelta(minutes=10)
    delivery_fail: Duration = timedelta(minutes=30)


class CacheLimits(_Strict):
    """Health of the read cache: a ratio counts once so many questions were not answered."""

    warn_ratio: Share = 0.25
    warn_misses: Count = 5
    fail_ratio: Share = 0.10
    fail_misses: Count = 20


class Objective(_Strict):
    """One objective: below `target` it warns, below `floor` it fails."""

    target: Share
    floor: Share

    @model_validator(mode="after")
    def _ordered(self) -> Objective:
        if self.floor > self.target:
            raise ValueError("floor must not be above target")
        return self


def _bars() -> dict[str, Objective]:
    return {
        "freshness": Objective(target=0.99, floor=0.9),
        "completeness": Objective(target=0.995, floor=0.95),
        "score": Objective(target=0.85, floor=0.6),
        "success": Objective(target=0.95, floor=0.8),
        "latency": Objective(target=0.95, floor=0.8),
    }


def _shipped() -> dict[IngestDimension, dict[str, Objective]]:
    macro = {
        "completeness": Objective(target=0.97, floor=0.9),
        "success": Objective(target=0.95, floor=0.8),
    }
    return {DAILY: _bars(), INTRADAY: _bars(), MACRO: macro}


class SloLimits(_Strict):
    """Service level objectives.

    Attributes:
        window: what happened in so long counts.
        objectives: dimension to measure to objective.
    """

    window: Duration = timedelta(days=30)
    objectives: Mapping[IngestDimension, Mapping[str, Objective]] = Field(default_factory=_shipped)

    @model_validator(mode="after")
    def _known(self) -> SloLimits:
        for dimension, measures in self.objectives.items():
            unknown = sorted(set(measures) - set(MEASURES))
            if unknown:
                known = ", ".join(MEASURES)
                raise ValueError(f"{dimension}: no measure {unknown[0]!r}; there are: {known}")
        return self


class ChecklistLimits(_Strict):
    """The daily checklist: so many symbols are shown of a spot-check."""

    shown: Annotated[int, Field(ge=1, le=100)] = 5


class OperationsLimits(_Strict):
    """The whole file; what it leaves out has the defaults of these records."""

    health: HealthLimits = HealthLimits()
    trends: TrendLimits = TrendLimits()
    latency: LatencyLimits = LatencyLimits()
    cache: CacheLimits = CacheLimits()
    slo: SloLimits = SloLimits()
    checklist: ChecklistLimits = ChecklistLimits()
