"""One basis: a vendor's bars of many fetches as if it had given them all today.

What belongs here: turning raw bars to the splits that are known now, and saying where that cannot
be done. What does not: undoing splits (market_data/curation/undone_splits.py), files (emp).

The raw log keeps a bar once, on the basis of the day it came: a split since has divided the
vendor's whole history, but not what is kept of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.corporate_actions.adjustment import Adjust, adjust
from market_data.curation.undone_splits import DISPUTED, Splits
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_answers import own_words


@dataclass(frozen=True)
class OneBasis:
    """Bars on one basis.

    Attributes:
        bars: rows of RAW_BARS in their order, with `disputed`: those stay as they came, since
            nobody can say which splits they are divided by, or they carry the dividends until an
            earlier day than others of their symbol.
        changed: how many rows came on another basis.
    """

    bars: pl.DataFrame
    changed: int


def on_one_basis(platform: Platform, raw: pl.DataFrame, *, now: datetime) -> OneBasis:
    """Prices that a vendor adjusts for splits, divided by all splits known that had come by now.

    The adjusted close moves along with the close; volumes the other way. Prices that are not
    adjusted for splits stay as they are.

    Args:
        platform: where the actions are.
        raw: newest revisions of RAW_BARS of one vendor.
        now: the time.
    """
    whole = raw.with_columns(pl.lit(value=False).alias(DISPUTED)).with_row_index("_place")
    calendars: dict[str, list[str]] = {}
    for symbol in raw.get_column("symbol").unique().sort():
        instrument = platform.universe.instrument(symbol)
        if instrument.asset_class.is_adjustable:
            calendars.setdefault(instrument.calendar, []).append(symbol)
    parts = [whole.filter(~pl.col("symbol").is_in([s for c in calendars.values() for s in c]))]
    for calendar, symbols in calendars.items():
        rows = whole.filter(pl.col("symbol").is_in(symbols))
        actions = platform.actions.read(symbols=symbols)
        splits = Splits(actions, None, now, calendar, own_words(platform, symbols))
        traded = splits.multiplied(rows.drop(DISPUTED), actions)
        divided = adjust(traded, actions, mode=Adjust.SPLITS, as_of=now)
        values = ("open", "high", "low", "close", "vwap", "volume")
        turned = pl.col("deadjusted") & ~pl.col(DISPUTED)
        moved = divided.with_columns(
            *(pl.when(turned).then(c).otherwise(rows.get_column(c)).alias(c) for c in values),
            basis=rows.get_column("basis"),
        ).with_columns(
            adj_close=pl.when(turned & (rows.get_column("close") != 0))
            .then(pl.col("adj_close") * pl.col("close") / rows.get_column("close"))
            .otherwise("adj_close")
        )
        parts.append(moved.select(whole.columns))
    bars = pl.concat(parts).sort("_place").drop("_place")
    bars = bars.with_columns(pl.col(DISPUTED) | _until_an_earlier_day(bars))
    changed = (bars["close"] - raw["close"]).abs() > 1e-9 * raw["close"].abs()
    return OneBasis(bars, int(changed.sum()))


def _until_an_earlier_day(bars: pl.DataFrame) -> pl.Expr:
    """Prices with dividends worked in, of an earlier day than the newest of their symbol.

    No price says which dividends it carries, so that they cannot be turned to one day.
    """
    days = {t: b.adjusted_on for t, b in bases_of(bars, Adjustment.TOTAL).items()}
    if not days:
        return pl.lit(value=False)
    stated = pl.col("basis").replace_strict(days, default=None, return_dtype=pl.Date)
    carried = pl.col("basis").is_in(list(days))
    day = pl.when(carried).then(pl.coalesce(stated, pl.col("fetched_at").dt.date()))
    return (day < day.max().over("symbol")).fill_null(value=False)
