"""Ticker history out of LEAN's map files.

What belongs here: the text of a map file as names by session. What does not: opening files, whose
names they are (market_data/universe.py).

A row of a map file says until when, its date included, a ticker was the name: the first row dates
the beginning, later rows the end of each ticker. An end in 2050 means that there is none; a
beginning on 2 January 1998 is that of LEAN's own history, not of the name.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from market_data.errors import SchemaError
from market_data.universe import Ticker

_HISTORY_BEGINS = date(1998, 1, 2)
_ENDLESS = date(2050, 12, 31)
_LEAST_COLUMNS = 2


def parse_map_file(text: str, vendor: str) -> tuple[Ticker, ...]:
    """The tickers of a LEAN map file, in capitals, oldest first.

    Args:
        text: rows of date (yyyymmdd), ticker, and what else there is; no header.
        vendor: who uses these names.

    Raises:
        SchemaError: the text is no map file; the message names the row.
    """
    rows: list[tuple[date, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) < _LEAST_COLUMNS or not cells[1]:
            raise SchemaError(f"not a LEAN map file: row {number} is {line!r}, not 'date,ticker'")
        day = pl.Series([cells[0]]).str.to_date("%Y%m%d", strict=False).item()
        if day is None:
            raise SchemaError(f"not a LEAN map file: row {number}: {cells[0]!r} is no date")
        rows.append((day, cells[1].upper()))
    if len(rows) < 2 or rows != sorted(rows, key=lambda row: row[0]):
        raise SchemaError("not a LEAN map file: it takes a beginning and ends in order of time")
    ends = [
        (name, until)
        for (until, name), (_, following) in zip(rows[1:], [*rows[2:], (None, "")], strict=True)
        if name != following
    ]
    begin = rows[0][0]
    tickers = []
    for name, until in ends:
        first = None if begin <= _HISTORY_BEGINS else begin
        last = None if until >= _ENDLESS else until
        tickers.append(
            Ticker.model_validate({"vendor": vendor, "symbol": name, "from": first, "to": last})
        )
        begin = until + timedelta(days=1)
    return tuple(tickers)
