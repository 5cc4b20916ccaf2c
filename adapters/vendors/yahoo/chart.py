"""From the content of a chart answer to bars.

What belongs here: Yahoo's times, its rows without prices, its live row, numbers that are none.
What does not: splits and dividends (events.py), whether the chart is the one that was asked for
(identity.py), the vendor's promises (vendor.py), undoing adjustments of prices.
"""

from __future__ import annotations

import re
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from math import inf
from types import NoneType
from typing import Any

import polars as pl

from adapters.vendors.instants import LATEST_SECOND
from adapters.vendors.yahoo.answers import Chart
from adapters.vendors.yahoo.identity import meta_of
from market_data.errors import MalformedAnswerError
from market_data.ports import SymbolRequest
from market_data.schemas import FETCHED_BARS, PRICES, REJECTED_ROWS, UTC
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

SHAPE_ERRORS = (
    KeyError, IndexError, TypeError, ValueError, OverflowError, OSError, pl.exceptions.PolarsError,
)  # fmt: skip
"""What reading a chart of another shape ends in."""
_CURRENCY = re.compile(r"[A-Za-z]{2,5}")
_KNOWN_SECONDS = (-2_208_988_800, LATEST_SECOND)
"""From 1900 to 2100: a number beyond is no time of a bar."""
_COLUMNS = ("at", *PRICES, "adj_close", "volume")


def currency_unit(chart: Chart) -> str:
    """The unit that the chart's prices are quoted in, empty where Yahoo names none."""
    unit = str(meta_of(chart).get("currency") or "")
    return unit if _CURRENCY.fullmatch(unit) else ""


def first_trade(chart: Chart, symbol: str) -> dict[str, datetime]:
    """The symbol to its first trade at Yahoo; nothing where the chart does not tell it."""
    seconds = meta_of(chart).get("firstTradeDate")
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
        rejected as null_bar, one with some of them as null_price, one without a time as bad_time,
        one with a number that none can be as bad_ with its name.

    Raises:
        MalformedAnswerError: the chart has not the shape that Yahoo promises.
    """
    rows, zone = _rows(chart), zone_of(chart)
    timed = pl.col("at").is_between(*_KNOWN_SECONDS).fill_null(value=False)
    timeless = rows.filter(~timed).select(
        pl.lit(wanted.symbol).alias("symbol"),
        pl.lit(None, dtype=UTC).alias("ts"),
        pl.lit("bad_time").alias("reasons"),
        _as_text(rows).alias("row"),
    )
    rows = rows.filter(timed)
    try:
        rows = rows.with_columns(ts=_bar_start(timeframe, zone))
    except SHAPE_ERRORS as trouble:
        raise MalformedAnswerError(f"Yahoo: no such time zone: {zone}") from trouble
    rows = _without_live_row(rows, timeframe)
    rows = rows.filter((pl.col("ts") >= start) & (pl.col("ts") < end))
    reasons = _reasons()
    rejected = rows.filter(reasons != "").select(
        pl.lit(wanted.symbol).alias("symbol"),
        "ts",
        reasons.alias("reasons"),
        _as_text(rows).alias("row"),
    )
    bars = rows.filter(reasons == "").with_columns(
        symbol=pl.lit(wanted.symbol), vendor_symbol=pl.lit(wanted.vendor_symbol)
    )
    if wanted.instrument.asset_class is AssetClass.FX:
        bars = bars.with_columns(volume=pl.lit(None, dtype=pl.Float64))
    refused = [REJECTED_ROWS.conform(timeless), REJECTED_ROWS.conform(rejected)]
    return FETCHED_BARS.conform(bars), pl.concat(refused)


def zone_of(chart: Chart) -> str:
    """The name of the exchange's time zone; UTC where the chart names none."""
    return str(meta_of(chart).get("exchangeTimezoneName") or "UTC")


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
    except (*SHAPE_ERRORS, AttributeError) as trouble:
        raise MalformedAnswerError(
            f"Yahoo: the chart's columns cannot be read: {trouble}"
        ) from trouble


def _numbers(name: str, cells: Any, dtype: pl.DataType) -> pl.Series:
    """An array of numbers and nulls; one that is too great to be held is infinite, or no time.

    Raises:
        TypeError: it is none, or holds anything else; Polars takes true for 1 and text for null.
    """
    if not isinstance(cells, list) or not set(map(type, cells)) <= {int, float, NoneType}:
        raise TypeError(f"{name} is no array of numbers")
    try:
        return pl.Series(name, cells, dtype=dtype)
    except (OverflowError, TypeError):
        held = _held_float if dtype.is_float() else _held_second
        return pl.Series(name, [held(cell) for cell in cells], dtype=dtype)


def _held_float(cell: float | None) -> float | None:
    try:
        return None if cell is None else float(cell)
    except OverflowError:
        return inf if cell is not None and cell > 0 else -inf


def _held_second(cell: float | None) -> int | None:
    known = cell is not None and _KNOWN_SECONDS[0] <= cell <= _KNOWN_SECONDS[1]
    return int(cell) if known and cell == int(cell) else None  # type: ignore[arg-type]


def _reasons() -> pl.Expr:
    """Why a row is no bar, comma-separated; empty where it is one."""
    empty = pl.sum_horizontal(pl.col(PRICES).is_null())
    found = [
        pl.when(empty == len(PRICES)).then(pl.lit("null_bar")),
        pl.when(empty.is_between(1, len(PRICES) - 1)).then(pl.lit("null_price")),
        *(pl.when(~pl.col(name).is_finite()).then(pl.lit(f"bad_{name}")) for name in _COLUMNS[1:]),
    ]
    return pl.concat_str(found, separator=",", ignore_nulls=True)


def _as_text(rows: pl.DataFrame) -> pl.Expr:
    """A row as JSON, which knows no NaN and no infinity: where there is one, values are texts."""
    numbers = pl.col(_COLUMNS[1:])
    if rows.select(pl.any_horizontal(numbers.is_finite().not_().any())).item():
        return pl.struct(pl.col(_COLUMNS).cast(pl.String)).struct.json_encode()
    return pl.struct(_COLUMNS).struct.json_encode()


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
