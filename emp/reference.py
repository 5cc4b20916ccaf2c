"""Reference data for notebooks and commands: instruments, trading sessions, tickers, changes.

What belongs here: from the files and published tables of an installation to frames.
What does not: what the frames hold (market_data/reference/tables.py), Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import days_of
from emp.moments import Moment
from emp.platforms import installation, platform_of

if TYPE_CHECKING:
    from adapters.settings import Settings
    from adapters.stores.reference_tables import ReferenceStore
    from market_data.pipeline.reference_impact import ReferenceImpact
    from market_data.universe import Universe


def universe_of(settings: Settings | None, *, refresh: bool = False) -> Universe:
    """The universe that the files of an installation describe now.

    Raises:
        ConfigurationError: naming the file, the entry and what is wrong with it.
    """
    from adapters.configuration import load_universe

    return load_universe(installation(settings), refresh=refresh)


def get_instruments(
    symbols: str | list[str] | None = None,
    *,
    refresh: bool = False,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """The instruments of the configuration, sorted by symbol.

    Args:
        symbols: only these; None for all.
        refresh: read config/reference again whatever is remembered of it.
        settings: another installation than that of the environment.

    Returns:
        symbol, name, asset_class (equity, fx, crypto, index, future), calendar, currency (String),
        listed, delisted (Date, null where unknown or none), vendors (those that serve it,
        comma-separated), aliases ("yahoo=EURUSD=X, ..."), tickers ("yahoo=FB ..2022-06-08, ...",
        names by session), assumed (Boolean: registered by its symbol alone).

    Raises:
        ConfigurationError: a file is wrong, or a symbol is not in the universe.
    """
    from market_data.reference.tables import instruments_table

    universe = universe_of(settings, refresh=refresh)
    frame = instruments_table(universe)
    if symbols is None:
        return frame
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    for name in names:
        universe.instrument(name)
    return frame.filter(pl.col("symbol").is_in(names))


def get_trading_sessions(
    calendar: str,
    start: Moment,
    end: Moment,
    *,
    refresh: bool = False,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """The sessions of a calendar, holidays left out, as the configuration changes them.

    Args:
        calendar: an exchange's MIC ("XNYS"), "fx", "24/7", or a code of sessions.yaml.
        start: first session.
        end: last session, included.
        refresh: read config/reference again whatever is remembered of it.
        settings: another installation than that of the environment.

    Returns:
        calendar (String), session (Date), open, close, break_start, break_end (Datetime us, UTC;
        the break null where there is none), early_close (Boolean), minutes (Int64, without the
        break), expected_from, expected_until (Datetime us, UTC; null where bars are expected from
        open to close; equal where none is), changed (what the configuration says of a changed
        day), sorted by session.

    Raises:
        ConfigurationError: a file is wrong, the calendar is unknown, or a day is none.
    """
    from market_data.calendars import trading_sessions, versioned

    first, last = days_of(start, end)
    rules = universe_of(settings, refresh=refresh).calendars
    return trading_sessions(versioned(calendar, rules), first, last)


def published_tables(settings: Settings) -> ReferenceStore:
    """The reference tables that the graph has published.

    Raises:
        ConfigurationError: a server of institutional mode refuses.
    """
    from adapters.modes import decide
    from adapters.stores.reference_tables import ReferenceTables

    servers = decide(settings).servers
    if servers is None:
        return ReferenceTables(settings.warehouse_place)
    from adapters.timescale.factory import open_connections, open_reference_tables

    return open_reference_tables(open_connections(servers.timescale))


def impact_of(settings: Settings) -> ReferenceImpact:
    """What the files change against the published tables, with gaps per symbol.

    Raises:
        ConfigurationError: a file is wrong.
    """
    from market_data.pipeline.reference_impact import reference_impact

    store = published_tables(settings)
    return reference_impact(
        platform_of(settings),
        _published(store, "reference/instruments"),
        _published(store, "reference/trading_sessions"),
    )


def _published(store: ReferenceStore, name: str) -> pl.DataFrame | None:
    try:
        return store.get(name)
    except FileNotFoundError:
        return None
