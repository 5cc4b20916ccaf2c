"""The reviewed table of releases: the parsed form of config/reference/macro_releases.yaml.

What belongs here: the records, their validation, and the instants that follow from them.
What does not: reading the file (adapters/configuration.py), dates and values (FRED's).
"""

from __future__ import annotations

from datetime import time as clock
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from market_data.calendars.wall_clock import local_instant
from market_data.errors import ConfigurationError
from market_data.quality.thresholds import Duration

SYMBOL_PATTERN = r"^[A-Z][A-Z0-9-]{1,31}$"
SERIES_PATTERN = r"^[A-Z0-9_]{1,32}$"


class Importance(StrEnum):
    """How much a release matters to its currency."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Cadence(StrEnum):
    """How often a release comes."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"

    @property
    def least_days(self) -> int:
        """A date that follows the last value so soon need not bring another.

        FRED dates a release also on days on which only lesser tables of it are published.
        """
        return {"weekly": 4, "monthly": 15, "quarterly": 45}[self]

    @property
    def most_days(self) -> int:
        """Days after one date of a release by which the next one should be announced."""
        return {"weekly": 14, "monthly": 47, "quarterly": 125}[self]


class MacroEvent(BaseModel):
    """One series of a release, as readers see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(pattern=SYMBOL_PATTERN)
    event: str = Field(min_length=1)
    series: str = Field(pattern=SERIES_PATTERN)
    importance: Importance
    effect: Annotated[int, Field(ge=-1, le=1)]
    unit: str = Field(min_length=1)
    tolerance: Annotated[float, Field(gt=0)]


class MacroRelease(BaseModel):
    """One release of FRED: when it comes out, and its series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: Annotated[int, Field(ge=1)]
    name: str = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    time: clock
    zone: str
    cadence: Cadence
    events: Annotated[tuple[MacroEvent, ...], Field(min_length=1)]

    @field_validator("zone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(
                f"{value!r} is no time zone; write one like America/New_York"
            ) from error
        return value

    @field_validator("time", mode="before")
    @classmethod
    def _a_text(cls, value: object) -> object:
        # Without quotes YAML reads 10:00 as the number 600.
        if isinstance(value, int | float):
            raise ValueError('must stand in quotes, like "08:30"')  # noqa: TRY004  for pydantic
        return value

    @field_validator("time")
    @classmethod
    def _of_a_clock(cls, value: clock) -> clock:
        if value.tzinfo is not None:
            raise ValueError("is the time on the clocks of `zone`; it takes no offset of its own")
        return value


class MacroTable(BaseModel):
    """Every release that the calendar shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overdue_after: Duration = timedelta(days=1)
    """Time after a release's instant without a value from which on it is overdue."""
    releases: tuple[MacroRelease, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> MacroTable:
        events = [e for r in self.releases for e in r.events]
        for what, values in (
            ("release", [str(r.release) for r in self.releases]),
            ("symbol", [e.symbol for e in events]),
            ("series", [e.series for e in events]),
        ):
            if twice := sorted({v for v in values if values.count(v) > 1}):
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        return self

    def release(self, number: int) -> MacroRelease:
        """The release of a number.

        Raises:
            ConfigurationError: the table has none.
        """
        found = next((r for r in self.releases if r.release == number), None)
        if found is None:
            raise ConfigurationError(
                f"release {number} is not in config/reference/macro_releases.yaml"
            )
        return found

    @property
    def numbers(self) -> tuple[int, ...]:
        """FRED's numbers of the releases."""
        return tuple(r.release for r in self.releases)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of all events."""
        return tuple(e.symbol for r in self.releases for e in r.events)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row per event: every field of it and of its release, and the cadence's days."""
        rows = [
            {
                **event.model_dump(mode="json"),
                "release": release.release,
                "calendar": release.name,
                "currency": release.currency,
                "time": timedelta(hours=release.time.hour, minutes=release.time.minute),
                "zone": release.zone,
                "least_days": release.cadence.least_days,
                "most_days": release.cadence.most_days,
            }
            for release in self.releases
            for event in release.events
        ]
        return pl.DataFrame(rows, schema=_FRAME)


_FRAME = {
    "symbol": pl.String(),
    "event": pl.String(),
    "series": pl.String(),
    "importance": pl.String(),
    "effect": pl.Int64(),
    "unit": pl.String(),
    "tolerance": pl.Float64(),
    "release": pl.Int64(),
    "calendar": pl.String(),
    "currency": pl.String(),
    "time": pl.Duration("us"),
    "zone": pl.String(),
    "least_days": pl.Int64(),
    "most_days": pl.Int64(),
}


def with_instants(frame: pl.DataFrame, table: MacroTable, *, by: str, into: str) -> pl.DataFrame:
    """Add the UTC instant at which the release of each row comes out on the row's session.

    The hour is that of the release's own zone: 08:30 in New York is 12:30 UTC in summer and 13:30
    in winter.

    Args:
        frame: has `session` (Date) and a column that names the release.
        table: the releases.
        by: "release" or "series": that column.
        into: name of the new column, Datetime(us, UTC).

    Returns:
        The rows of releases that the table has, in the same order.
    """
    clocks = table.frame.select(by, "time", "zone").unique(by, maintain_order=True)
    known = frame.join(clocks, on=by, how="inner", maintain_order="left")
    instant = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    for hour, zone in clocks.select("time", "zone").unique().sort("zone", "time").iter_rows():
        these = (pl.col("time") == hour) & (pl.col("zone") == zone)
        instant = (
            pl.when(these).then(local_instant(pl.col("session"), zone, hour)).otherwise(instant)
        )
    return known.with_columns(instant.alias(into)).drop("time", "zone")
