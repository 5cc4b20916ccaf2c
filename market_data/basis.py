"""What a vendor's prices mean: label, day, adjustment, side, unit, hours.

What belongs here: the `Basis` record and which bases may be compared or merged. Two series meet
(in drift, in stitching) only on one basis.
What does not: the conversion of prices (market_data/corporate_actions) and of time stamps (the
vendor adapters hand over bar starts in UTC).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import polars as pl

FOREIGN_DAY = "foreign_day"
"""Flag of curated daily bars over a day that is not the instrument's own session."""
LATEST_DAY_END = timedelta(days=2, hours=12)
"""How long after a date's midnight in UTC the last day anywhere ends that began on it."""
SPLITS_DISPUTED = "splits_disputed"
"""Flag of prices that are divided by a split or not: one is on record that their vendor had not
told, that came to light after they were fetched, or that they do not show. Asking for them again
settles it."""


class Adjustment(StrEnum):
    """Which corporate actions the vendor has already worked into its prices."""

    RAW = "raw"
    SPLITS = "splits"
    TOTAL = "total"


class Side(StrEnum):
    """Whose price a bar holds."""

    TRADE = "trade"
    BID = "bid"
    ASK = "ask"
    MID = "mid"
    FIX = "fix"
    """One price of the day, a fixing or an index's level: open, high and low only repeat it."""


class Hours(StrEnum):
    """Whether a feed holds the regular session alone or the extended hours too."""

    REGULAR = "regular"
    EXTENDED = "extended"


@dataclass(frozen=True)
class Basis:
    """The meaning of one feed's prices.

    Attributes:
        adjustment: actions already worked into the prices.
        side: whose price.
        unit: currency unit as the vendor quotes it: USD, GBp ...
        hours: sessions covered.
        day: zone and hour at which the vendor's daily bar starts, e.g. "Europe/London 00:00";
            empty means the instrument's own session.
        adjusted_on: the day whose knowledge the adjustment carries, for prices that were adjusted
            before they were fetched, as in a file; None where the vendor adjusts as it answers.
        lacks_from: ex-date of the first split that is told with the prices and, as they show, not
            worked into them yet; None where none is known to be lacking.
        unclear_from: ex-date of the first split that is told with the prices, of which they do not
            show whether it is worked in; None where there is none.
        told_until: last session up to which the splits were told beside the prices, for prices
            that were adjusted before they were fetched; None where none were told.
    """

    adjustment: Adjustment = Adjustment.RAW
    side: Side = Side.TRADE
    unit: str = ""
    hours: Hours = Hours.REGULAR
    day: str = ""
    adjusted_on: date | None = None
    lacks_from: date | None = None
    unclear_from: date | None = None
    told_until: date | None = None

    def __str__(self) -> str:
        """The form that raw bars carry in their `basis` column; `parse` reads it back.

        Days are there up to the last one that is known: equal meanings have equal texts.
        """
        fields = [self.adjustment, self.side, self.unit, self.hours, self.day]
        days = ["" if day is None else day.isoformat() for day in self._days()]
        while days and not days[-1]:
            days.pop()
        return "|".join([*fields, *days])

    def _days(self) -> tuple[date | None, ...]:
        return self.adjusted_on, self.lacks_from, self.unclear_from, self.told_until

    @classmethod
    def parse(cls, text: str) -> Basis:
        """Read the form that `str` writes."""
        adjustment, side, unit, hours, day, *rest = text.split("|")
        days = [date.fromisoformat(field) if field else None for field in rest]
        return cls(Adjustment(adjustment), Side(side), unit, Hours(hours), day, *days)

    @property
    def as_asked(self) -> Basis:
        """What the vendor's prices are meant to be, without what one answer showed and told."""
        return replace(self, lacks_from=None, unclear_from=None, told_until=None)


def bases_of(rows: pl.DataFrame, *adjustments: Adjustment) -> dict[str, Basis]:
    """The bases of some rows by their texts, in no order.

    Args:
        rows: with a column `basis`.
        adjustments: only those of prices that are adjusted so; none for all.
    """
    bases = {text: Basis.parse(text) for text in rows.get_column("basis").unique()}
    return {t: b for t, b in bases.items() if not adjustments or b.adjustment in adjustments}
