"""The parsed form of config/automation.yaml: what runs by itself, when, and how it fails.

What belongs here: the records with their defaults, and questions that they answer alone. What does
not: reading the file (adapters/automation.py), schedules (jobs/automation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from market_data.automation.drop import DropFolder
from market_data.automation.messages import MessageRules
from market_data.automation.recovery import RecoveryRules
from market_data.automation.retention import RetentionPolicy
from market_data.backfill.policy import BackfillPolicy
from market_data.durations import Duration
from market_data.timeframes import Timeframe

_DAY_MINUTES = 24 * 60
_HOUR = timedelta(hours=1)
_READ_ON = timedelta(days=1)
"""What a run began to read may be so old already: it waited for its turn before."""
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

Days = Annotated[int, Field(ge=0, le=365)]
Share = Annotated[float, Field(ge=0, le=1)]
Span = Annotated[Duration, Field(gt=timedelta(0))]


@dataclass(frozen=True)
class WallClock:
    """A time of day on the wall clock of a zone."""

    at: time
    zone: str

    def cron(self, delay: timedelta = timedelta(0)) -> str:
        """The daily cron expression of the time a delay later."""
        minutes = self.at.hour * 60 + self.at.minute + int(delay.total_seconds() // 60)
        hour, minute = divmod(minutes % _DAY_MINUTES, 60)
        return f"{minute} {hour} * * *"


def _time(value: object) -> time:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a time of day in quotes, such as "01:00"')
    return time(int(match[1]), int(match[2]))


def _wall_clock(value: object) -> WallClock:
    if isinstance(value, WallClock):
        return value
    at, _, zone = value.partition(" ") if isinstance(value, str) else ("", "", "")
    try:
        return WallClock(_time(at), ZoneInfo(zone).key)
    except (ValueError, LookupError, OSError) as error:
        raise ValueError(
            'must be a time of day and a time zone, such as "16:00 America/New_York"'
        ) from error


def _hourly_share(value: timedelta) -> timedelta:
    """Refuse what no cron expression of minutes says evenly."""
    if value % timedelta(minutes=1) or not value or _HOUR % value:
        raise ValueError("must divide an hour into whole minutes: 1m, 5m, 10m, 15m, 20m, 30m, 60m")
    return value


def _whole_minutes(value: timedelta) -> timedelta:
    """Refuse what a cron expression cannot say."""
    if value % timedelta(minutes=1):
        raise ValueError("must be whole minutes, such as 30m")
    return value


TimeOfDay = Annotated[time, BeforeValidator(_time)]
Close = Annotated[WallClock, BeforeValidator(_wall_clock)]
Interval = Annotated[Duration, Field(ge=timedelta(minutes=1)), Field(le=_HOUR)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetryRules(_Strict):
    """Attempts of a step of a scheduled run: `waits` are the pauses before each further one."""

    waits: Annotated[tuple[Span, ...], Field(max_length=5)] = (
        timedelta(minutes=5),
        timedelta(minutes=10),
        timedelta(minutes=20),
    )


class CutoffRules(_Strict):
    """When a schedule stops trying.

    Attributes:
        failures: so many ticks in a row whose runs failed cut it off.
        probe: one tick so often is let through, to see whether it fares better.
    """

    failures: Annotated[int, Field(ge=1, le=20)] = 3
    probe: Span = timedelta(hours=6)


class DailyRules(_Strict):
    """The run of every day.

    Attributes:
        at: time of day, UTC.
        lookback: calendar days before today; what the ledger has an answer to is not asked again.
        timeframes: one ranged run each.
        sla: its runs are over so long after `at`, or it alerts.
    """

    at: TimeOfDay = time(1, 0)
    lookback: Days = 7
    timeframes: tuple[Timeframe, ...] = (
        Timeframe.D1,
        Timeframe.H1,
        Timeframe.M15,
        Timeframe.M5,
        Timeframe.M1,
    )
    sla: Span = timedelta(hours=2)

    def due_before(self, now: datetime) -> datetime:
        """The newest tick whose time is up by a moment, UTC."""
        latest = now - self.sla
        tick = latest.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)
        return tick if tick <= latest else tick - timedelta(days=1)


def _closes() -> dict[str, WallClock]:
    return {
        name: _wall_clock(text)
        for name, text in (
            ("XNYS", "16:00 America/New_York"),
            ("XNAS", "16:00 America/New_York"),
            ("XTSE", "16:00 America/Toronto"),
            ("XLON", "16:30 Europe/London"),
            ("XFRA", "17:30 Europe/Berlin"),
            ("XPAR", "17:30 Europe/Paris"),
            ("XSWX", "17:30 Europe/Zurich"),
            ("XTKS", "15:30 Asia/Tokyo"),
            ("XHKG", "16:00 Asia/Hong_Kong"),
            ("fx", "17:00 America/New_York"),
            ("24/7", "00:00 UTC"),
        )
    }


class CloseRules(_Strict):
    """The run after each market's close.

    Attributes:
        delay: so long after the close.
        lookback: calendar days before the session that has closed.
        timeframes: one ranged run each.
        times: usual closes, by calendar; one that is not named here is looked at every hour.
    """

    delay: Annotated[Duration, Field(lt=_HOUR), AfterValidator(_whole_minutes)] = timedelta(
        minutes=30
    )
    lookback: Days = 3
    timeframes: tuple[Timeframe, ...] = (Timeframe.D1,)
    times: Mapping[str, Close] = Field(default_factory=_closes)


class RefreshRules(_Strict):
    """Bars of sessions that are running.

    Attributes:
        every: interval by timeframe; a timeframe that is not named is not refreshed.
        reserve: share of a vendor's allowance of a day or longer that a refresh leaves to others.
    """

    every: Mapping[Timeframe, Interval] = Field(
        default_factory=lambda: {
            Timeframe.M1: timedelta(minutes=5),
            Timeframe.M5: timedelta(minutes=5),
            Timeframe.M15: timedelta(minutes=15),
            Timeframe.M30: timedelta(minutes=15),
            Timeframe.H1: timedelta(minutes=15),
            Timeframe.D1: timedelta(hours=1),
        }
    )
    reserve: Share = 0.2

    @model_validator(mode="after")
    def _even(self) -> RefreshRules:
        for interval in self.every.values():
            _hourly_share(interval)
        return self

    def cron(self, timeframe: Timeframe) -> str:
        """The cron expression of a timeframe's interval."""
        minutes = int(self.every[timeframe].total_seconds() // 60)
        return "0 * * * *" if minutes == 60 else f"*/{minutes} * * * *"


def _days_of(length: timedelta) -> str:
    hours = length / _HOUR
    return f"{hours:g}h" if length < timedelta(days=1) else f"{hours / 24:g}d"


class UpkeepRules(_Strict):
    """Upkeep of the files: the monthly one removes what no version of so long needs.

    Of notebooks and other programs nobody knows how long they read; a week is for these. Of runs it
    is known, see `AutomationPolicy`.
    """

    keep: Annotated[Duration, Field(ge=timedelta(days=7))] = timedelta(days=30)


class AutomationPolicy(_Strict):
    """The whole file; what it leaves out has the defaults of these records.

    Attributes:
        started: whether schedules that ask vendors are on until somebody says otherwise in the
            UI; auto: in institutional mode.
        jitter: a scheduled run waits for up to so long before its first question.
        max_runtime: a scheduled run that takes longer is ended.
    """

    started: Literal["auto", "on", "off"] = "auto"
    jitter: Annotated[Duration, Field(le=timedelta(minutes=10))] = timedelta(minutes=2)
    max_runtime: Annotated[Duration, Field(ge=_HOUR)] = timedelta(hours=6)
    retries: RetryRules = RetryRules()
    cutoff: CutoffRules = CutoffRules()
    daily: DailyRules = DailyRules()
    close: CloseRules = CloseRules()
    refresh: RefreshRules = RefreshRules()
    upkeep: UpkeepRules = UpkeepRules()
    backfill: BackfillPolicy = BackfillPolicy()
    recovery: RecoveryRules = RecoveryRules()
    drop: tuple[DropFolder, ...] = ()
    messages: MessageRules = MessageRules()
    retention: RetentionPolicy = RetentionPolicy()

    @field_validator("started", mode="before")
    @classmethod
    def _switched(cls, said: object) -> object:
        """To YAML a bare on is true, and a bare off is false."""
        if isinstance(said, bool):
            return "on" if said else "off"
        return said

    @model_validator(mode="after")
    def _longer_than_readers(self) -> AutomationPolicy:
        """A reader works on the version that it began with, however long it takes."""
        longest = max(self.max_runtime, self.backfill.max_runtime)
        if self.upkeep.keep < longest + _READ_ON:
            raise ValueError(
                f"upkeep.keep must be at least {_days_of(longest + _READ_ON)}: a run may take "
                f"{_days_of(longest)} (max_runtime, backfill.max_runtime), and what it reads from "
                "must not be removed meanwhile"
            )
        return self

    def starts(self, *, institutional: bool) -> bool:
        """Whether a schedule that asks vendors is on by default."""
        return self.started == "on" or (self.started == "auto" and institutional)
