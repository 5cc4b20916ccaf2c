"""Questions for historical bars, within what IB takes.

What belongs here: bar sizes, durations, the price that is asked for, and pages of a range.
What does not: sending (client.py), reading answers (answers.py).

IB counts a duration back from its end, in days on which the instrument trades; an answer may reach
further back than the range that was asked for, never less far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from market_data.timeframes import Timeframe

DAY = timedelta(days=1)
BAR_SIZES = {
    Timeframe.M1: "1 min",
    Timeframe.M5: "5 mins",
    Timeframe.M15: "15 mins",
    Timeframe.M30: "30 mins",
    Timeframe.H1: "1 hour",
    Timeframe.D1: "1 day",
}
"""4h is not among them: where IB's bars of four hours begin is documented nowhere."""
SPANS = {
    Timeframe.M1: timedelta(days=7),
    Timeframe.M5: timedelta(days=30),
    Timeframe.M15: timedelta(days=60),
    Timeframe.M30: timedelta(days=90),
    Timeframe.H1: timedelta(days=120),
    Timeframe.D1: timedelta(days=360),
}
"""Longest range of one question: some thousands of bars, as IB wishes."""

PRICES = {"CASH": "MIDPOINT", "CRYPTO": "AGGTRADES"}
"""Security type to the prices that its bars are made of; trades where it is not named."""
REGULAR_HOURS_ONLY = frozenset({"STK", "IND"})
"""Of all others the calendar holds the whole trading day, so all hours are asked for."""


@dataclass(frozen=True)
class Question:
    """One question, in IB's own words; equal questions are identical requests to IB.

    Attributes:
        end: yyyymmdd-hh:mm:ss in UTC, excluded.
        duration: how far back from there.
        bar_size: length of a bar.
        prices: what the bars are made of.
        regular_hours: whether hours outside the regular session are left out.
    """

    end: str
    duration: str
    bar_size: str
    prices: str
    regular_hours: bool

    def __str__(self) -> str:
        hours = "regular" if self.regular_hours else "all"
        return f"{self.end} {self.duration} {self.bar_size} {self.prices} {hours}"


@dataclass(frozen=True)
class Page:
    """A part of a range and the question for it: bars whose ts lies in [start, end)."""

    start: datetime
    end: datetime
    question: Question


def pages(
    kind: str, timeframe: Timeframe, start: datetime, end: datetime, now: datetime
) -> Iterator[Page]:
    """A range in questions that IB takes, the newest first.

    Args:
        kind: IB's security type.
        timeframe: one of BAR_SIZES.
        start: of the first bar, UTC.
        end: of the range, UTC, excluded.
        now: nothing is asked about what begins after it.
    """
    # A daily bar travels under its date at 00:00 UTC, hours before its session or after its start.
    spare = timedelta(0) if timeframe.is_intraday else DAY
    while start < end:
        first = max(start, end - SPANS[timeframe])
        if first >= now + spare:
            end = first
            continue
        until = min(end + spare, now)
        question = Question(
            end=f"{until.astimezone(UTC):%Y%m%d-%H:%M:%S}",
            duration=_duration(timeframe, until - first),
            bar_size=BAR_SIZES[timeframe],
            prices=PRICES.get(kind, "TRADES"),
            regular_hours=kind in REGULAR_HOURS_ONLY,
        )
        yield Page(first, end, question)
        end = first


def _duration(timeframe: Timeframe, reach: timedelta) -> str:
    """How far back a question reaches: a day more than the range, in units fit for the bars."""
    days = ceil(reach / DAY) + 1
    if timeframe.is_intraday:
        return f"{days} D"
    return "1 M" if days <= 28 else "1 Y"
