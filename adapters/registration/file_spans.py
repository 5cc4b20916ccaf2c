"""Which sessions files hold of a symbol.

What belongs here: from times in files to sessions of the symbol's own calendar. What does not:
scanning the files (adapters/vendors/files/extent.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from market_data.timeframes import Timeframe
from market_data.universe import Universe

if TYPE_CHECKING:
    from adapters.vendors.files.extent import FileExtent


def session_spans(
    universe: Universe,
    vendor: str,
    symbols: Iterable[str],
    timeframe: Timeframe,
    found: Sequence[FileExtent],
) -> dict[str, tuple[date, date]]:
    """First and last session that files hold of each symbol, by the symbol's own calendar.

    Args:
        universe: with the symbols.
        vendor: who the files speak for.
        symbols: of the platform; those of which the files hold nothing are left out.
        timeframe: of the bars.
        found: what the files hold, by the vendor's names.
    """
    import polars as pl

    from market_data.calendars import with_session

    extents = {e.symbol: e for e in found}
    spans = {}
    for symbol in symbols:
        names = {t.symbol for t in universe.instrument(symbol).tickers_at(vendor)}
        names = names or {universe.vendor_symbol(vendor, symbol)}
        held = [extents[name.upper()] for name in names if name.upper() in extents]
        if not held:
            continue
        ends = pl.DataFrame(
            {"ts": [min(e.first_ts for e in held), max(e.last_ts for e in held)]}
        ).cast({"ts": pl.Datetime("us", "UTC")})
        if timeframe.is_intraday:
            sessions = with_session(ends, universe.instrument(symbol).calendar)["session"]
        else:
            sessions = ends["ts"].dt.date()
        spans[symbol] = (sessions.item(0), sessions.item(1))
    return spans
