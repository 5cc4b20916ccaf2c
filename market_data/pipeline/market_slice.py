"""A market slice: the newest days of some symbols, daily and intraday, in one call.

What belongs here: from look-backs to ranges of sessions and feeds, part by part.
What does not: running the parts (jobs/market_slice.py), what the ledger lacks (planning.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import polars as pl

from market_data.calendars import trading_sessions
from market_data.errors import ConfigurationError
from market_data.pipeline.feed import Feed
from market_data.timeframes import Timeframe
from market_data.universe import Universe

_DAY = timedelta(days=1)
DAILY, INTRADAY = "daily", "intraday"


@dataclass(frozen=True)
class MarketSlice:
    """What one call asks for.

    Attributes:
        symbols: of which instruments; empty for all.
        daily_lookback_days: calendar days of daily bars; 0 for none.
        intraday_lookback_days: calendar days of intraday bars; 0 for none.
        intraday_timeframe: of these.
        vendors: only these; empty for all that can be asked without files.
        refetch: ask again for what the ledger has an answer to.
    """

    symbols: tuple[str, ...] = ()
    daily_lookback_days: int = 60
    intraday_lookback_days: int = 2
    intraday_timeframe: Timeframe = Timeframe.M1
    vendors: tuple[str, ...] = ()
    refetch: bool = False


@dataclass(frozen=True)
class SlicePart:
    """One ranged run of a slice.

    Attributes:
        name: daily or intraday.
        timeframe: of the bars that vendors are asked for.
        also: coarser timeframes that are made of them.
        feeds: one per vendor.
        first: first session.
        last: last session, included.
        features: whether features are made of the bars.
    """

    name: str
    timeframe: Timeframe
    also: tuple[Timeframe, ...]
    feeds: tuple[Feed, ...]
    first: date
    last: date
    features: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the part, once."""
        return tuple(dict.fromkeys(s for feed in self.feeds for s in feed.symbols))

    @property
    def wanted(self) -> Timeframe:
        """The timeframe that was asked for."""
        return self.also[-1] if self.also else self.timeframe


def plan_slice(
    universe: Universe,
    wish: MarketSlice,
    now: datetime,
    off: Callable[[str], str] = lambda _: "",
) -> list[SlicePart]:
    """The runs that bring a slice, daily bars first.

    Intraday bars that no vendor of a symbol has are made of its one-minute bars.

    Args:
        universe: instruments and vendors.
        wish: what is asked for.
        now: the moment, aware; the look-backs count from its day.
        off: why a vendor cannot be asked, empty where it can; one that is off is left out.

    Raises:
        ConfigurationError: a symbol or vendor is not configured, a vendor that was named is off, a
            look-back is negative, or nobody serves any of it.
    """
    _check(universe, wish, off)
    # A slice that names no vendor is one of all that are on.
    on = tuple(v.name for v in universe.vendors if not off(v.name))
    wish = replace(wish, vendors=wish.vendors or on)
    symbols = wish.symbols or tuple(i.symbol for i in universe.instruments)
    parts: list[SlicePart] = []
    if wish.daily_lookback_days:
        part = _part(universe, wish, DAILY, Timeframe.D1, symbols, wish.daily_lookback_days, now)
        parts += [part] if part else []
    if wish.intraday_lookback_days:
        parts += _intraday(universe, wish, symbols, now)
    if not parts:
        raise ConfigurationError(
            "nobody serves any of the symbols at these timeframes; 'vendors' in "
            "config/universe.yaml says who serves what"
        )
    return parts


def timeframe_parts(
    universe: Universe,
    timeframe: Timeframe,
    symbols: Sequence[str],
    days: int,
    now: datetime,
    off: Callable[[str], str],
) -> list[SlicePart]:
    """The runs that bring one timeframe of some symbols; none where nobody serves it.

    Args:
        universe: instruments and vendors.
        timeframe: which bars; intraday ones that no vendor of a symbol has are made of its
            one-minute bars.
        symbols: of which instruments.
        days: calendar days before today.
        now: the moment, aware.
        off: why a vendor is left out, empty where it is not.
    """
    on = tuple(v.name for v in universe.vendors if not off(v.name))
    if timeframe.is_intraday:
        wish = MarketSlice(intraday_lookback_days=days, intraday_timeframe=timeframe, vendors=on)
        return _intraday(universe, wish, symbols, now)
    part = _part(universe, MarketSlice(vendors=on), DAILY, timeframe, symbols, days, now)
    return [part] if part else []


def newest_session(universe: Universe, symbols: Sequence[str], now: datetime) -> date:
    """The newest session of any of the symbols that has begun; an FX day begins the day before."""
    today = now.date()
    calendars = {universe.instrument(s).calendar for s in symbols}
    begun = [
        session
        for calendar in sorted(calendars)
        for session in trading_sessions(calendar, today - 10 * _DAY, today + _DAY)
        .filter(pl.col("open") <= now)["session"]
        .tail(1)
    ]
    return max(begun, default=today)


def _check(universe: Universe, wish: MarketSlice, off: Callable[[str], str]) -> None:
    for symbol in wish.symbols:
        universe.instrument(symbol)
    for vendor in wish.vendors:
        universe.vendor(vendor)
        if reason := off(vendor):
            raise ConfigurationError(f"vendor {vendor!r} is off: {reason}")
    if wish.daily_lookback_days < 0 or wish.intraday_lookback_days < 0:
        raise ConfigurationError("a look-back takes a number of days, 0 for none")
    if not wish.intraday_timeframe.is_intraday:
        raise ConfigurationError(
            f"intraday_timeframe={wish.intraday_timeframe}: it takes 1m, 5m, 15m, 30m, 1h or 4h"
        )


def _intraday(
    universe: Universe, wish: MarketSlice, symbols: Sequence[str], now: datetime
) -> list[SlicePart]:
    wanted, days = wish.intraday_timeframe, wish.intraday_lookback_days
    native = _part(universe, wish, INTRADAY, wanted, symbols, days, now)
    served = native.symbols if native else ()
    rest = [s for s in symbols if s not in served]
    made = None
    if rest and wanted is not Timeframe.M1:
        made = _part(universe, wish, INTRADAY, Timeframe.M1, rest, days, now, also=(wanted,))
    return [part for part in (native, made) if part]


def _part(
    universe: Universe,
    wish: MarketSlice,
    name: str,
    timeframe: Timeframe,
    symbols: Sequence[str],
    days: int,
    now: datetime,
    also: tuple[Timeframe, ...] = (),
) -> SlicePart | None:
    feeds = []
    for vendor in universe.vendors_of(timeframe):
        if vendor.name not in wish.vendors or vendor.reader == "files":
            continue
        served = set(universe.symbols_of(vendor.name))
        chosen = tuple(s for s in symbols if s in served)
        if chosen:
            feeds.append(Feed(vendor.name, chosen, refetch=wish.refetch))
    if not feeds:
        return None
    last = newest_session(universe, [s for feed in feeds for s in feed.symbols], now)
    first = max(min(now.date() - days * _DAY, last), universe.first_session)
    return SlicePart(name, timeframe, also, tuple(feeds), first, last)
