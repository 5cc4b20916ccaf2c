"""Bars of several vendors made comparable, so that their closes can be held against each other.

What belongs here: what a drift check compares: fit rows, de-adjusted, in the instrument's
currency, each with the group of bases that it may be compared within.
What does not: the comparison (market_data/quality/drift.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from market_data.calendars import with_bar_end
from market_data.candidates import by_basis
from market_data.preparation import groups_of, prepare
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from market_data.validation import PriceRange

PEERS = {
    "vendor": pl.String(),
    "symbol": pl.String(),
    "ts": pl.Datetime("us", "UTC"),
    "session": pl.Date(),
    "close": pl.Float64(),
    "basis_group": pl.String(),
}
"""Columns of `comparable`."""


def comparable(
    logs: Sequence[pl.DataFrame],
    *,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    actions: pl.DataFrame,
    thresholds: Thresholds,
    now: datetime,
) -> pl.DataFrame:
    """The finished, fit bars of all vendors.

    Args:
        logs: rows of RAW_BARS, the newest revisions, one frame per vendor.
        instruments: at least those that the rows name.
        timeframe: timeframe of the rows.
        actions: rows of CORPORATE_ACTIONS.
        thresholds: for the range of fit prices.
        now: bars that end later are left out, and those that were fetched before their end.

    Returns:
        Rows of PEERS, one per vendor, symbol, ts and group of bases.
    """
    parts = [pl.DataFrame(schema=PEERS)]
    for group, members in groups_of(instruments, logs).items():
        rules = thresholds.rule(group.asset_class, timeframe)
        symbols = [i.symbol for i in members]
        for log in logs:
            rows = log.filter(pl.col("symbol").is_in(symbols))
            if rows.is_empty():
                continue
            fit = prepare(
                rows,
                group=group,
                timeframe=timeframe,
                actions=actions,
                prices=PriceRange(rules.price_min, rules.price_max),
                now=now,
            ).bars
            ended = with_bar_end(fit, group.calendar, timeframe).filter(
                pl.col("bar_end") <= pl.min_horizontal("fetched_at", pl.lit(now))
            )
            parts += [
                found_rows.select(
                    *(c for c in PEERS if c != "basis_group"), basis_group=pl.lit(found.group)
                )
                for found, found_rows in by_basis(ended, group, timeframe)
            ]
    return pl.concat(parts)
