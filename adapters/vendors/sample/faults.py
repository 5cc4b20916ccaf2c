"""The errors planted in the invented vendors' bars, and what the platform is to make of them.

What belongs here: the list PLANTED, one entry per error, and how each kind changes a frame.
What does not: corporate actions themselves (instruments.py).

All sessions lie in February and March 2024: the daily ones anywhere, those of 1m bars between
2024-03-08 and 2024-03-12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import polars as pl

from market_data.schemas import PRICES
from market_data.timeframes import Timeframe


class FaultKind(StrEnum):
    """What is wrong."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    SPIKE = "spike"
    SPLIT = "split"
    DRIFT = "drift"
    LATE = "late"
    STALE_TAIL = "stale_tail"
    BAD_OHLC = "bad_ohlc"
    DST_HOUR = "dst_hour"


@dataclass(frozen=True)
class PlantedFault:
    """One planted error.

    Attributes:
        kind: what is wrong.
        vendor: whose bars.
        symbol: of which instrument.
        timeframe: in which timeframe.
        session: in which session.
        detail: one sentence for a person.
        expected: code of the finding, or reason of the quarantine, that tells of it; empty where
            nothing is to be found.
        bars: first and last bar of the session concerned, counted from 0; negative numbers count
            from the session's end.
        size: relative change of a price, where the kind has one.
        visible_from: when a late bar arrives, UTC.
    """

    kind: FaultKind
    vendor: str
    symbol: str
    timeframe: Timeframe
    session: date
    detail: str
    expected: str
    bars: tuple[int, int] = (0, -1)
    size: float = 0.0
    visible_from: datetime | None = None

    @property
    def hit(self) -> pl.Expr:
        """True for the rows concerned, over the columns session, position and count."""
        first, last = (pl.lit(n) if n >= 0 else pl.col("count") + n for n in self.bars)
        return (pl.col("session") == self.session) & pl.col("position").is_between(first, last)


_A, _B = "sample_a", "sample_b"
_ACME, _GLOBEX, _EURUSD, _BTC = "DEMO-ACME", "DEMO-GLOBEX", "DEMO-EURUSD", "DEMO-BTC"
_D1, _M1 = Timeframe.D1, Timeframe.M1

PLANTED: tuple[PlantedFault, ...] = (
    PlantedFault(
        FaultKind.GAP, _A, _ACME, _D1, date(2024, 2, 14),
        "one vendor lacks the day; the other fills it", "no_data",
    ),
    PlantedFault(
        FaultKind.GAP, _A, _EURUSD, _D1, date(2024, 2, 8),
        "both vendors lack the day: it stays missing", "no_data",
    ),
    PlantedFault(
        FaultKind.GAP, _B, _EURUSD, _D1, date(2024, 2, 8),
        "both vendors lack the day: it stays missing", "no_data",
    ),
    PlantedFault(
        FaultKind.DUPLICATE, _A, _EURUSD, _D1, date(2024, 2, 21),
        "the day is sent twice, equal in every cell", "duplicate_rows",
    ),
    PlantedFault(
        FaultKind.CONTRADICTION, _A, _BTC, _D1, date(2024, 2, 27),
        "the day is sent twice, the second time 1 % higher", "contradiction", size=0.01,
    ),
    PlantedFault(
        FaultKind.SPIKE, _A, _ACME, _D1, date(2024, 2, 22),
        "both vendors close the day 25 % too high", "false_tick", size=0.25,
    ),
    PlantedFault(
        FaultKind.SPIKE, _B, _ACME, _D1, date(2024, 2, 22),
        "both vendors close the day 25 % too high", "false_tick", size=0.25,
    ),
    PlantedFault(
        FaultKind.BAD_OHLC, _A, _GLOBEX, _D1, date(2024, 2, 28),
        "high and low are swapped", "ohlc",
    ),
    PlantedFault(
        FaultKind.SPLIT, _A, _GLOBEX, _D1, date(2024, 3, 4),
        "2:1 split, reported as an action: the price halves and nothing is wrong", "",
    ),
    PlantedFault(
        FaultKind.SPLIT, _B, _GLOBEX, _D1, date(2024, 3, 4),
        "2:1 split, reported as an action: the price halves and nothing is wrong", "",
    ),
    PlantedFault(
        FaultKind.LATE, _A, _ACME, _D1, date(2024, 3, 13),
        "the day arrives a week late; the other vendor fills it until then", "no_data",
        visible_from=datetime(2024, 3, 20, tzinfo=UTC),
    ),
    PlantedFault(
        FaultKind.DRIFT, _B, _BTC, _D1, date(2024, 3, 20),
        "the second vendor is 4 % too high", "drift", size=0.04,
    ),
    PlantedFault(
        FaultKind.DUPLICATE, _A, _ACME, _M1, date(2024, 3, 8),
        "three minutes are sent twice, equal in every cell", "duplicate_rows", bars=(30, 32),
    ),
    PlantedFault(
        FaultKind.DRIFT, _B, _GLOBEX, _M1, date(2024, 3, 8),
        "the second vendor is 3 % too high all day", "drift", size=0.03,
    ),
    PlantedFault(
        FaultKind.CONTRADICTION, _A, _BTC, _M1, date(2024, 3, 9),
        "one minute is sent twice, the second time 1 % higher", "contradiction",
        bars=(700, 700), size=0.01,
    ),
    PlantedFault(
        FaultKind.LATE, _A, _BTC, _M1, date(2024, 3, 10),
        "five minutes arrive a week late; the other vendor fills them until then", "",
        bars=(600, 604), visible_from=datetime(2024, 3, 17, tzinfo=UTC),
    ),
    PlantedFault(
        FaultKind.GAP, _A, _EURUSD, _M1, date(2024, 3, 11),
        "both vendors lack the same eleven hours", "coverage_low", bars=(360, 1019),
    ),
    PlantedFault(
        FaultKind.GAP, _B, _EURUSD, _M1, date(2024, 3, 11),
        "both vendors lack the same eleven hours", "coverage_low", bars=(360, 1019),
    ),
    PlantedFault(
        FaultKind.BAD_OHLC, _A, _GLOBEX, _M1, date(2024, 3, 11),
        "high and low of one minute are swapped", "ohlc", bars=(100, 100),
    ),
    PlantedFault(
        FaultKind.DST_HOUR, _B, _ACME, _M1, date(2024, 3, 11),
        "the clock change of the day before is missed: every bar is stamped an hour late",
        "outside_session",
    ),
    PlantedFault(
        FaultKind.SPIKE, _A, _EURUSD, _M1, date(2024, 3, 12),
        "both vendors close one minute 3 % too high", "false_tick", bars=(400, 400), size=0.03,
    ),
    PlantedFault(
        FaultKind.SPIKE, _B, _EURUSD, _M1, date(2024, 3, 12),
        "both vendors close one minute 3 % too high", "false_tick", bars=(400, 400), size=0.03,
    ),
    PlantedFault(
        FaultKind.STALE_TAIL, _A, _GLOBEX, _M1, date(2024, 3, 12),
        "both vendors stop 35 minutes before the close", "stale", bars=(-35, -1),
    ),
    PlantedFault(
        FaultKind.STALE_TAIL, _B, _GLOBEX, _M1, date(2024, 3, 12),
        "both vendors stop 35 minutes before the close", "stale", bars=(-35, -1),
    ),
)  # fmt: skip
"""Every planted error."""


def apply_faults(
    frame: pl.DataFrame, vendor: str, symbol: str, timeframe: Timeframe, now: datetime
) -> pl.DataFrame:
    """The bars of one vendor and instrument with their planted errors.

    Args:
        frame: columns of `adapters.vendors.sample.truth.TRUTH`.
        vendor: whose bars they are.
        symbol: of which instrument.
        timeframe: in which timeframe.
        now: the time of asking, UTC; decides whether late bars have arrived.

    Returns:
        The same columns; repeated rows come last.
    """
    series = (vendor, symbol, timeframe)
    for fault in PLANTED:
        if (fault.vendor, fault.symbol, fault.timeframe) == series:
            frame = _KINDS[fault.kind](frame, fault, now)
    return frame


def _missing(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    return frame.filter(~fault.hit)


def _late(frame: pl.DataFrame, fault: PlantedFault, now: datetime) -> pl.DataFrame:
    arrived = fault.visible_from is not None and now >= fault.visible_from
    return frame if arrived else frame.filter(~fault.hit)


def _repeated(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    again = frame.filter(fault.hit).with_columns(pl.col(PRICES) * (1 + fault.size))
    return pl.concat([frame, again])


def _scaled(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    factor = pl.when(fault.hit).then(1 + fault.size).otherwise(1.0)
    return frame.with_columns(pl.col(PRICES) * factor)


def _spiked(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    close = pl.when(fault.hit).then(pl.col("close") * (1 + fault.size)).otherwise("close")
    return frame.with_columns(
        close=close,
        high=pl.max_horizontal("high", close),
        low=pl.min_horizontal("low", close),
    )


def _swapped(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    return frame.with_columns(
        high=pl.when(fault.hit).then("low").otherwise("high"),
        low=pl.when(fault.hit).then("high").otherwise("low"),
    )


def _hour_late(frame: pl.DataFrame, fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    shift = pl.when(fault.hit).then(timedelta(hours=1)).otherwise(timedelta(0))
    return frame.with_columns(ts=pl.col("ts") + shift)


def _as_it_is(frame: pl.DataFrame, _fault: PlantedFault, _now: datetime) -> pl.DataFrame:
    return frame


_KINDS: dict[FaultKind, Callable[[pl.DataFrame, PlantedFault, datetime], pl.DataFrame]] = {
    FaultKind.GAP: _missing,
    FaultKind.STALE_TAIL: _missing,
    FaultKind.LATE: _late,
    FaultKind.DUPLICATE: _repeated,
    FaultKind.CONTRADICTION: _repeated,
    FaultKind.DRIFT: _scaled,
    FaultKind.SPIKE: _spiked,
    FaultKind.BAD_OHLC: _swapped,
    FaultKind.DST_HOUR: _hour_late,
    FaultKind.SPLIT: _as_it_is,
}
