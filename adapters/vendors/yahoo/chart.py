"""From the content of a chart answer to frames.

What belongs here: Yahoo's times, its rows without prices, its live row, its events.
What does not: the vendor's promises (vendor.py), undoing adjustments of prices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, time, timedelta
from math import inf, prod
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from adapters.vendors.instants import LATEST_SECOND
from adapters.vendors.yahoo.answers import Chart
from market_data.errors import MalformedAnswerError
from market_data.ports import SymbolRequest
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS, PRICES, REJECTED_ROWS, UTC
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

MINOR_UNITS = {"GBp": 100.0, "ZAc": 100.0, "ILA": 100.0}
"""Units in which Yahoo quotes a hundredth of the currency."""

_SHAPE_ERRORS = (
    KeyError, IndexError, TypeError, ValueError, OverflowError, OSError, pl.exceptions.PolarsError,
)  # fmt: skip
_CURRENCY = re.compile(r"[A-Za-z]{2,5}")
_KNOWN_SECONDS = (-2_208_988_800, LATEST_SECOND)
"""From 1900 to 2100: a number beyond is no time of a bar."""
_COLUMNS = ("at", *PRICES, "adj_close", "volume")


def currency_unit(chart: Chart) -> str:
    """The unit that the chart's prices are quoted in, empty where Yahoo names none."""
    unit = str(_meta(chart).get("currency") or "")
    return unit if _CURRENCY.fullmatch(unit) else ""


def first_trade(chart: Chart, symbol: str) -> dict[str, datetime]:
    """The symbol to its first trade at Yahoo; nothing where the chart does not tell it."""
    seconds = _meta(chart).get("firstTradeDate")
    # Nobody can trade before there is a clock: 0 and less stand for "not known".
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds == 0:
        return {}
    if not _KNOWN_SECONDS[0] <= seconds <= _KNOWN_SECONDS[1]:
        return {}
    return {symbol: datetime(1970, 1, 1, tzinfo=UTC_ZONE) + timedelta(seconds=seconds)}


def read_bars(
    chart: Chart, wanted: SymbolRequest, timeframe: Timeframe, start: datetime, end: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars whose ts lies in [start, end), and rows of that range that are no bars.

    Daily bars carry the exchange's date at 00:00 UTC, intraday bars their start. Yahoo's extra
    row for the running bar is left out. Prices stay in Yahoo's unit, divided by later splits.

    Args:
        chart: content of an answer.
        wanted: whose bars; an FX pair's volume is always empty, Yahoo sends 0.
        timeframe: their length.
        start: first ts, UTC.
        end: end of the range, UTC, excluded.

    Returns:
        Rows of FETCHED_BARS and of REJECTED_ROWS, both by time. A row without any price is
        rejected as null_bar, one with some of them as null_price, one without a time as bad_time.

    Raises:
        MalformedAnswerError: the chart has not the shape that Yahoo promises.
    """
    rows, zone = _rows(chart), _zone(chart)
    timed = pl.col("at").is_between(*_KNOWN_SECONDS).fill_null(value=False)
    timeless = rows.filter(~timed).select(
        pl.lit(wanted.symbol).alias("symbol"),
        pl.lit(None, dtype=UTC).alias("ts"),
        pl.lit("bad_time").alias("reasons"),
        pl.struct(_COLUMNS).struct.json_encode().alias("row"),
    )
    rows = rows.filter(timed)
    try:
        rows = rows.with_columns(ts=_bar_start(timeframe, zone))
    except _SHAPE_ERRORS as trouble:
        raise MalformedAnswerError(f"Yahoo: no such time zone: {zone}") from trouble
    rows = _without_live_row(rows, timeframe)
    rows = rows.filter((pl.col("ts") >= start) & (pl.col("ts") < end))
    empty = pl.sum_horizontal(pl.col(PRICES).is_null())
    rejected = rows.filter(empty > 0).select(
        pl.lit(wanted.symbol).alias("symbol"),
        "ts",
        pl.when(empty == len(PRICES))
        .then(pl.lit("null_bar"))
        .otherwise(pl.lit("null_price"))
        .alias("reasons"),
        pl.struct(_COLUMNS).struct.json_encode().alias("row"),
    )
    bars = rows.filter(empty == 0).with_columns(
        symbol=pl.lit(wanted.symbol), vendor_symbol=pl.lit(wanted.vendor_symbol)
    )
    if wanted.instrument.asset_class is AssetClass.FX:
        bars = bars.with_columns(volume=pl.lit(None, dtype=pl.Float64))
    refused = [REJECTED_ROWS.conform(timeless), REJECTED_ROWS.conform(rejected)]
    return FETCHED_BARS.conform(bars), pl.concat(refused)


def read_actions(charts: Iterable[Chart], symbol: str, now: datetime) -> pl.DataFrame:
    """Splits and dividends of several answers about one symbol.

    Yahoo divides dividends by the later splits, as it does prices, and quotes them in the unit of
    the prices. Here they are cash per share as paid, in the currency: the charts have to reach to
    the present for that. `known_at` is the ex-date at 00:00 UTC, assumed.

    Returns:
        Rows of CORPORATE_ACTIONS sorted by (ex_date, kind).

    Raises:
        MalformedAnswerError: an event has not the shape that Yahoo promises.
    """
    splits: dict[date, float] = {}
    dividends: dict[date, float] = {}
    for chart in charts:
        scale = MINOR_UNITS.get(currency_unit(chart), 1.0)
        try:
            zone = ZoneInfo(_zone(chart))
            events = chart.get("events") or {}
            for event in (events.get("splits") or {}).values():
                ratio = float(event["numerator"]) / float(event["denominator"])
                splits[_day(event, zone)] = _told(ratio)
            for event in (events.get("dividends") or {}).values():
                in_major_unit = event.get("currency") not in (None, "", currency_unit(chart))
                amount = float(event["amount"]) / (1.0 if in_major_unit else scale)
                dividends[_day(event, zone)] = _told(amount)
        except (*_SHAPE_ERRORS, AttributeError, ZeroDivisionError) as trouble:
            raise MalformedAnswerError(f"Yahoo: an event of {symbol} cannot be read") from trouble
    paid = {
        day: amount * prod(value for ex_date, value in splits.items() if ex_date > day)
        for day, amount in dividends.items()
    }
    found = [("split", d, v) for d, v in splits.items()]
    found += [("dividend", d, v) for d, v in paid.items()]
    return pl.DataFrame(
        [
            (symbol, day, kind, value, "yahoo", min(datetime.combine(day, time(), UTC_ZONE), now))
            for kind, day, value in found
        ],
        schema=CORPORATE_ACTIONS.dtypes,
        orient="row",
    ).sort("ex_date", "kind")


def _meta(chart: Chart) -> dict[str, Any]:
    meta = chart.get("meta")
    if not isinstance(meta, dict):
        raise MalformedAnswerError("Yahoo: a chart without its meta data")
    return meta


def _zone(chart: Chart) -> str:
    return str(_meta(chart).get("exchangeTimezoneName") or "UTC")


def _told(value: float) -> float:
    """The value of an event.

    Raises:
        ValueError: no split or dividend can be that.
    """
    if not 0.0 < value < inf:
        raise ValueError(f"{value} is no split and no dividend")
    return value


def _day(event: dict[str, Any], zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(event["date"], zone).date()


def _rows(chart: Chart) -> pl.DataFrame:
    """The chart's arrays as columns of `_COLUMNS`, sorted by `at` (seconds since 1970)."""
    stamps = chart.get("timestamp") or []
    try:
        indicators = chart["indicators"]
        quote = indicators["quote"][0] if stamps else {}
        adjusted = (indicators.get("adjclose") or [{}])[0].get("adjclose")
        values = {name: quote[name] if stamps else [] for name in (*PRICES, "volume")}
        values["adj_close"] = adjusted or [None] * len(stamps)
        columns = [_numbers(name, cells, pl.Float64()) for name, cells in values.items()]
        columns.append(_numbers("at", stamps, pl.Int64()))
        return pl.DataFrame(columns).select(_COLUMNS).sort("at", maintain_order=True)
    except (*_SHAPE_ERRORS, AttributeError) as trouble:
        raise MalformedAnswerError(
            f"Yahoo: the chart's columns cannot be read: {trouble}"
        ) from trouble


def _numbers(name: str, cells: Any, dtype: pl.DataType) -> pl.Series:
    """An array of numbers and nulls.

    Raises:
        TypeError: it is none, or holds anything else; Polars takes true for 1 and text for null.
    """
    if not isinstance(cells, list) or not set(map(type, cells)) <= {int, float, NoneType}:
        raise TypeError(f"{name} is no array of numbers")
    return pl.Series(name, cells, dtype=dtype)


def _bar_start(timeframe: Timeframe, zone: str) -> pl.Expr:
    instant = pl.from_epoch("at", time_unit="s").dt.replace_time_zone("UTC").cast(UTC)
    if timeframe.is_intraday:
        return instant
    local = instant.dt.convert_time_zone(zone)
    # Around changes of the clock Yahoo stamps some zones' days one or two hours before midnight.
    evening = (local.dt.hour() >= 22) & (local.dt.minute() == 0) & (local.dt.second() == 0)
    day = local.dt.date() + pl.when(evening).then(timedelta(days=1)).otherwise(timedelta(0))
    return day.cast(UTC)


def _without_live_row(rows: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The rows without the one that repeats the running bar as of the time of asking.

    A daily chart ends with the day so far twice, the later row being the newer; an intraday chart
    ends with a row at the second of the last trade.
    """
    if rows.is_empty():
        return rows
    last = rows.height - 1
    before, newest = rows["ts"].shift(1).item(last), rows["ts"].item(last)
    if not timeframe.is_intraday:
        return rows.remove(pl.int_range(pl.len()) == last - 1) if before == newest else rows
    within = before is not None and newest - before < timeframe.duration
    return rows.head(last) if within or newest.second else rows
