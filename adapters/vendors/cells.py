"""From cells of text to bars, and to rows that cannot become one.

What belongs here: the reading of prices and volumes that vendors send as text, and every reason
for which a row is rejected. What does not: times (each vendor stamps in its own way), values that
are readable but wrong (market_data/validation.py).

Reasons: bad_time; missing_ and bad_ with the name of a price; bad_ with that of another number;
after them what a vendor's own reader found (`with_reason`). A number too great to be held is bad,
as is one that is none.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from adapters.vendors.instants import LATEST_SECOND
from market_data.ports import SymbolRequest
from market_data.schemas import FETCHED_BARS, PRICES, REJECTED_ROWS, UTC

TIME = "time"
"""The column of the time as it was sent."""
WHY = "why"
"""The column of further reasons, comma-separated; null where there is none."""
_NUMBERS: dict[str, pl.DataType] = {
    **dict.fromkeys((*PRICES, "adj_close", "volume", "vwap"), pl.Float64()),
    "trades": pl.Int64(),
}


def seconds_to_utc(text: pl.Expr) -> pl.Expr:
    """Whole seconds since 1970 as instants; null for anything else."""
    seconds = text.cast(pl.Int64, strict=False)
    known = pl.when(seconds.is_between(0, LATEST_SECOND)).then(seconds)
    return pl.from_epoch(known, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def with_reason(cells: pl.DataFrame, reason: str, where: pl.Expr) -> pl.DataFrame:
    """The cells, rows of which some have one reason more to be refused.

    Args:
        cells: as `read_cells` takes them.
        reason: a word for it.
        where: which rows.
    """
    found = cells.select(where.fill_null(value=False)).to_series()
    if not found.any():
        return cells
    before = pl.col(WHY) if WHY in cells.columns else pl.lit(None, dtype=pl.String)
    more = pl.when(found).then(pl.lit(reason))
    both = pl.concat_str(before, more, separator=",", ignore_nulls=True)
    return cells.with_columns(pl.when(both != "").then(both).alias(WHY))


def off_grid(step: timedelta) -> pl.Expr:
    """Whether a bar that starts at `ts` is none of this length, counted from 1970 in UTC."""
    return pl.col("ts").dt.epoch("us") % (step // timedelta(microseconds=1)) != 0


def read_cells(
    cells: pl.DataFrame, wanted: SymbolRequest, start: datetime, end: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars whose start lies in [start, end), and rows of that range or of no time that are none.

    Args:
        cells: `ts`, start of the bar in UTC, null where the time cannot be read; texts as they
            came: `time`, the prices, and any of adj_close, volume, vwap and trades; perhaps `why`.
        wanted: whose bars.
        start: first ts, UTC.
        end: end of the range, UTC, excluded.

    Returns:
        Rows of FETCHED_BARS and of REJECTED_ROWS, both by time, in the order given where equal.
    """
    ts = pl.col("ts")
    inside = cells.filter(((ts >= start) & (ts < end)).fill_null(value=True))
    inside = inside.with_columns(ts.cast(UTC)).sort("ts", maintain_order=True)
    numbers = _numbers(inside)
    bars = numbers.with_columns(
        inside["ts"],
        symbol=pl.lit(wanted.symbol),
        vendor_symbol=pl.lit(wanted.vendor_symbol),
    )
    reasons = _reasons(inside, numbers)
    if reasons is None:
        return FETCHED_BARS.conform(bars), REJECTED_ROWS.empty()
    bad = reasons != ""
    rejected = inside.filter(bad).select(
        pl.lit(wanted.symbol).alias("symbol"),
        "ts",
        reasons.filter(bad).alias("reasons"),
        pl.struct(pl.exclude("ts", WHY)).struct.json_encode().alias("row"),
    )
    return FETCHED_BARS.conform(bars.filter(~bad)), REJECTED_ROWS.conform(rejected)


def readable(cells: pl.DataFrame) -> pl.Series:
    """Which rows are bars, whatever their time.

    Args:
        cells: as `read_cells` takes them.
    """
    reasons = _reasons(cells, _numbers(cells))
    return pl.repeat(True, cells.height, eager=True) if reasons is None else reasons == ""


def _numbers(inside: pl.DataFrame) -> pl.DataFrame:
    """Prices and further numbers, null where a cell is none."""
    given = [name for name in _NUMBERS if name in inside.columns]
    numbers = inside.select(pl.col(n).cast(_NUMBERS[n], strict=False) for n in given)
    # No number is infinite, and what is said to be none is none.
    floats = [n for n in given if _NUMBERS[n].is_float()]
    whole = numbers.select(pl.col(floats).is_finite().all()).row(0) if floats else ()
    return numbers.with_columns(
        pl.when(pl.col(n).is_finite()).then(n).alias(n)
        for n, finite in zip(floats, whole, strict=True)
        if not finite
    )


def _reasons(inside: pl.DataFrame, numbers: pl.DataFrame) -> pl.Series | None:
    """All reasons of each row, comma-separated, empty where it is a bar; None where all are."""
    found: list[pl.Expr] = [
        pl.when(mask).then(pl.lit(reason))
        for reason, mask in sorted(_wrong(inside, numbers).items())
    ]
    if WHY in inside.columns:
        found.append(pl.lit(inside[WHY]))
    if not found:
        return None
    return pl.select(pl.concat_str(found, separator=",", ignore_nulls=True)).to_series()


def _wrong(inside: pl.DataFrame, numbers: pl.DataFrame) -> dict[str, pl.Series]:
    """Reasons that any row has, each with the rows that have it."""
    found = {"bad_time": inside["ts"].is_null()}
    for name in numbers.columns:
        if not numbers[name].null_count():
            continue
        cell = inside[name]
        missing = cell.is_null()
        if cell.dtype == pl.String:
            missing = missing | (cell == "").fill_null(value=False)
        found[f"bad_{name}"] = numbers[name].is_null() & ~missing
        if name in PRICES:
            found[f"missing_{name}"] = missing
    return {reason: mask for reason, mask in found.items() if mask.any()}
