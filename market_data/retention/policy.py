"""The parsed form of config/retention.yaml: how much history has to be there, and what may go.

What belongs here: the records with their defaults, which rule counts. What does not: reading the
file (adapters/retention.py), how much there is (market_data/pipeline/retaining.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market_data.datasets import MACRO_CALENDAR, STORED
from market_data.durations import Duration

SLACK = timedelta(days=14)
"""Sessions may be so far apart: holidays. A history counts as whole where it begins so late."""
_MAY_GO = "curated/", "quality/"
"""The layers that are made anew of the raw logs whenever their sessions are."""
Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetentionRule(_Strict):
    """One rule.

    Attributes:
        name: of what it speaks, in a few words.
        datasets: patterns of names of datasets of the warehouse.
        symbols: patterns of symbols.
        target: with less history it warns; None where none has to be there.
        minimum: with less history it fails.
        keep: rows of sessions that are older may go; None keeps them for good. Only of curated and
            quality datasets.
    """

    name: Annotated[str, Field(min_length=1)]
    datasets: Patterns
    symbols: Patterns = ("*",)
    target: Duration | None = None
    minimum: Duration | None = None
    keep: Annotated[Duration, Field(ge=timedelta(days=30))] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum is not None and (self.target is None or self.minimum > self.target):
            raise ValueError(f"{self.name}: minimum needs a target that is no shorter")
        if self.keep is not None and self.target is not None and self.keep < self.target + SLACK:
            raise ValueError(
                f"{self.name}: keep must be longer than target by at least {SLACK.days} days; what "
                "has to be there cannot go"
            )
        return self

    @model_validator(mode="after")
    def _of_the_warehouse(self) -> Self:
        for pattern in self.datasets:
            if not any(fnmatchcase(d.name, pattern) for d in STORED):
                raise ValueError(
                    f"{self.name}: no dataset of the warehouse is called {pattern}; the raw logs "
                    "hold what vendors said, and are kept for good"
                )
        return self

    @model_validator(mode="after")
    def _made_again(self) -> Self:
        """Nothing makes features and forecasts of former days again by itself."""
        for dataset in STORED if self.keep is not None else ():
            if self.of_dataset(dataset.name) and not dataset.name.startswith(_MAY_GO):
                raise ValueError(
                    f"{self.name}: keep would remove rows of {dataset.name}, which nothing makes "
                    "again by itself; name datasets of curated/ and quality/"
                )
        return self

    def of_dataset(self, dataset: str) -> bool:
        """Whether it may speak of a dataset."""
        return any(fnmatchcase(dataset, pattern) for pattern in self.datasets)

    def fits(self, dataset: str, symbol: str) -> bool:
        """Whether it speaks of a symbol of a dataset."""
        return self.of_dataset(dataset) and any(fnmatchcase(symbol, p) for p in self.symbols)

    def horizon(self, today: date) -> date | None:
        """The first session that stays; None where all do."""
        return None if self.keep is None else today - self.keep


class Removal(_Strict):
    """What a removal that nobody watches may do.

    Attributes:
        at_most: share of a dataset's rows; where more would go, nothing of the dataset does.
    """

    at_most: Annotated[float, Field(gt=0, le=1)] = 0.25


def _days(count: int) -> timedelta:
    return timedelta(days=count)


def _shipped() -> tuple[RetentionRule, ...]:
    return (
        RetentionRule(
            name="daily bars",
            datasets=("curated/bars_1d",),
            target=_days(365),
            minimum=_days(300),
        ),
        RetentionRule(
            name="intraday bars", datasets=("curated/bars_*",), target=_days(30), minimum=_days(7)
        ),
        RetentionRule(
            name="macro events",
            datasets=(MACRO_CALENDAR.name,),
            target=_days(365),
            minimum=_days(180),
        ),
    )


class DataRetention(_Strict):
    """The whole file; what it leaves out has the defaults of these records.

    Attributes:
        rules: the first one that fits a dataset and a symbol counts; what none fits is neither
            asked for nor removed.
        removal: what a scheduled removal may do.
    """

    rules: tuple[RetentionRule, ...] = Field(default_factory=_shipped)
    removal: Removal = Removal()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are called {twice[0]!r}")
        return self

    def rule(self, dataset: str, symbol: str) -> RetentionRule | None:
        """The rule that counts for a symbol of a dataset; None where none fits."""
        return next((rule for rule in self.rules if rule.fits(dataset, symbol)), None)

    def asked_of(self, dataset: str) -> bool:
        """Whether any rule may ask for history of a dataset."""
        return any(r.target is not None and r.of_dataset(dataset) for r in self.rules)

    def may_lose(self, dataset: str) -> bool:
        """Whether any rule lets rows of a dataset go."""
        return any(r.keep is not None and r.of_dataset(dataset) for r in self.rules)

    def horizons(self, dataset: str, symbols: Iterable[str], today: date) -> dict[str, date]:
        """Symbol to the first session that stays, of symbols of which rows may go."""
        found = ((symbol, self.rule(dataset, symbol)) for symbol in symbols)
        horizons = ((s, rule.horizon(today)) for s, rule in found if rule is not None)
        return {symbol: horizon for symbol, horizon in horizons if horizon is not None}
