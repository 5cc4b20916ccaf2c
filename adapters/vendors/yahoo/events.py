"""Splits and dividends of charts.

What belongs here: Yahoo's events, as corporate actions. What does not: bars (chart.py), which
actions cannot be (market_data/corporate_actions/plausible.py), undoing adjustments of prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from math import copysign, inf, nan, prod
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from adapters.vendors.yahoo.answers import Chart
from adapters.vendors.yahoo.chart import SHAPE_ERRORS, currency_unit, zone_of
from market_data.corporate_actions.plausible import plausible_actions
from market_data.errors import MalformedAnswerError
from market_data.schemas import CORPORATE_ACTIONS

MINOR_UNITS = {"GBp": 100.0, "ZAc": 100.0, "ILA": 100.0}
"""Units in which Yahoo quotes a hundredth of the currency."""

_Told = list[tuple[date, float]]


def read_actions(
    charts: Iterable[Chart], symbol: str, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits and dividends of several answers about one symbol.

    Yahoo divides dividends by the later splits and by one of their own day, as it does prices of
    before, and quotes them in the unit of the prices. Here they are cash per share of the session
    before the ex-date, in the currency: the charts have to reach to the present for that.
    `known_at` is the ex-date at 00:00 UTC, assumed. A split of one for one says nothing.

    Returns:
        Rows of CORPORATE_ACTIONS sorted by (ex_date, kind), and dividends that cannot be as rows
        of REJECTED_ROWS.

    Raises:
        MalformedAnswerError: an event has not the shape that Yahoo promises, or a split cannot be:
            nobody could tell what the prices are divided by.
    """
    splits: _Told = []
    dividends: _Told = []
    for chart in charts:
        try:
            splits += [s for s in _splits(chart) if s[1] != 1.0]
            dividends += _dividends(chart)
        except (*SHAPE_ERRORS, AttributeError) as trouble:
            raise MalformedAnswerError(f"Yahoo: an event of {symbol} cannot be read") from trouble
    told, refused = plausible_actions(_frame("split", splits, symbol, now))
    if not refused.is_empty():
        raise MalformedAnswerError(
            f"Yahoo: a split of {symbol} cannot be: {refused['reasons'][0]} in "
            f"{refused['row'][0][:200]}"
        )
    ratios = dict(splits)
    paid = [
        (day, amount * prod(value for ex_date, value in ratios.items() if ex_date >= day))
        for day, amount in dividends
    ]
    cash, rejected = plausible_actions(_frame("dividend", paid, symbol, now))
    return pl.concat([told, cash]).sort("ex_date", "kind"), rejected


def _splits(chart: Chart) -> Iterator[tuple[date, float]]:
    zone = ZoneInfo(zone_of(chart))
    for event in ((chart.get("events") or {}).get("splits") or {}).values():
        before = _number(event["denominator"])
        yield _day(event, zone), _number(event["numerator"]) / before if before else nan


def _dividends(chart: Chart) -> Iterator[tuple[date, float]]:
    zone = ZoneInfo(zone_of(chart))
    unit = currency_unit(chart)
    for event in ((chart.get("events") or {}).get("dividends") or {}).values():
        in_major_unit = event.get("currency") not in (None, "", unit)
        scale = 1.0 if in_major_unit else MINOR_UNITS.get(unit, 1.0)
        yield _day(event, zone), _number(event["amount"]) / scale


def _number(value: Any) -> float:
    """A number of JSON; infinite where it is too great to be held.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        return copysign(inf, value > 0 or -1)


def _frame(kind: str, told: _Told, symbol: str, now: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (symbol, day, kind, value, "yahoo", min(datetime.combine(day, time(), UTC), now))
            for day, value in told
        ],
        schema=CORPORATE_ACTIONS.dtypes,
        orient="row",
    )


def _day(event: dict[str, Any], zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(event["date"], zone).date()
