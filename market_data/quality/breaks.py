"""Lunch breaks: time of a session in which no bar is due.

What belongs here: the breaks of symbol-sessions, and how much of one lies between two moments. What
does not: which exchanges have one (market_data/calendars), what is late (staleness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from market_data.calendars import trading_sessions
from market_data.schemas import UTC
from market_data.universe import Instrument

_BREAK = pl.Schema(
    {"session": pl.Date(), "break_start": UTC, "break_end": UTC, "symbol": pl.String()}
)


def with_breaks(rows: pl.DataFrame, instruments: Sequence[Instrument]) -> pl.DataFrame:
    """Adds break_start and break_end (UTC) of each row's session, null where it has no break.

    Args:
        rows: symbol, session.
        instruments: at least those of the rows.
    """
    breaks = pl.DataFrame(schema=_BREAK)
    if not rows.is_empty():
        first, last = rows.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
        named = set(rows.get_column("symbol").unique())
        of_symbols = pl.DataFrame(
            [(i.symbol, i.calendar) for i in instruments if i.symbol in named],
            schema={"symbol": pl.String, "calendar": pl.String},
            orient="row",
        )
        found = [
            trading_sessions(calendar, first, last)
            .select("session", "break_start", "break_end", calendar=pl.lit(calendar))
            .drop_nulls()
            for calendar in sorted(of_symbols.get_column("calendar").unique())
        ]
        if any(not of_calendar.is_empty() for of_calendar in found):
            breaks = pl.concat(found).join(of_symbols, on="calendar").select(_BREAK.names())
    return rows.join(breaks, on=["symbol", "session"], how="left", maintain_order="left")


def pause(since: pl.Expr, until: pl.Expr) -> pl.Expr:
    """How much of the break lies between two moments; none where there is no break."""
    begin, end = pl.max_horizontal("break_start", since), pl.min_horizontal("break_end", until)
    return (
        pl.when(pl.col("break_start").is_not_null() & (end > begin))
        .then(end - begin)
        .otherwise(pl.lit(timedelta(0), pl.Duration("us")))
    )
