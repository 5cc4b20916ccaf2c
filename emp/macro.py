"""The Python client of macro releases: events as they are known or were known, bias of symbols.

What belongs here: from what a person writes in a notebook to one call of a use-case.
What does not: the use-cases (market_data/pipeline/macro_calendar.py), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import days_of
from emp.moments import Moment, instant
from emp.platforms import lake_instead, platform_of
from market_data.errors import StoreUnavailableError

if TYPE_CHECKING:
    from adapters.settings import Settings

Names = str | Sequence[str]


def get_macro_events(
    start: Moment,
    end: Moment,
    *,
    currencies: Names | None = None,
    importance: Names | None = None,
    as_of: Moment | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Releases of macro data, sorted by (ts, symbol).

    Args:
        start: first date of a release, on the clocks of its publisher.
        end: last date, included; dates ahead are there as far as they were announced.
        currencies: only these, for instance "USD", in capitals or not; None for all.
        importance: only "high", "medium" or "low", or several of them; None for all.
        as_of: what was known at this moment; a day means its first moment, UTC. A value is known
            from the hour of the release on which FRED began to give it, a date from when it was
            first asked for, and from its release at the latest. None: what is stored now.
        settings: another installation than that of the environment.

    Returns:
        symbol (String, permanent id of the event), ts (Datetime, us, UTC: instant of the release),
        session (Date, on the publisher's clocks), calendar (the release), event, currency,
        importance, series (FRED's name), period (Date, first day of the period; null until the
        release), actual (Float64, newest value known of the period), published (its value in this
        release), first_published (its first value ever), previous (newest value of the series
        known just before), revised_previous (what the release made of that; null where nothing),
        unit, source, known_at (Datetime, us, UTC), status (scheduled, released, overdue,
        withdrawn: a value came and was taken back, or nothing: no value came and none is missing).
        FRED knows no forecasts; there is no column.

    Raises:
        ConfigurationError: there is no such currency or importance, or a day is none; the message
            says what there is.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        StoreAwayWarning: it is away: the calendar was made anew from the lake.
    """
    from market_data.pipeline.macro_calendar import read_macro_events

    first, last = days_of(start, end)
    ask = partial(
        read_macro_events,
        first=first,
        last=last,
        currencies=_listed(currencies, str.upper),
        importance=_listed(importance, str.lower),
        as_of=None if as_of is None else instant(as_of, "as_of"),
    )
    platform = platform_of(settings)
    try:
        return ask(platform)
    except StoreUnavailableError as error:
        return ask(lake_instead(platform, settings, error))


def get_macro_bias(
    symbols: Names, at: Moment | None = None, *, settings: Settings | None = None
) -> pl.DataFrame:
    """What the releases around a moment say for or against symbols, as it was known then.

    The formula is in market_data/macro/bias.py.

    Args:
        symbols: platform symbols, in capitals or not.
        at: the moment; a day means its first moment, UTC. None: now.
        settings: another installation than that of the environment.

    Returns:
        symbol, at (Datetime, us, UTC), base and quote (String: the currency for and the one
        against it; quote null where the symbol is no pair), bias (Float64, -1 to 1, above 0 speaks
        for the symbol), confidence (Float64, 0 to 1), events (Int64, that it rests on).

    Raises:
        ConfigurationError: a symbol is not in the universe.
    """
    from market_data.pipeline.macro_calendar import read_macro_bias

    platform = platform_of(settings)
    moment = platform.clock.now() if at is None else instant(at, "at")
    known = {instrument.symbol for instrument in platform.universe.instruments}
    named = _listed(symbols, lambda name: name if name in known else name.upper())
    return read_macro_bias(platform, named or (), moment)


def _listed(names: Names | None, written: Callable[[str], str]) -> list[str] | None:
    """One name or several, each once, as they are written here."""
    if names is None:
        return None
    several = [names] if isinstance(names, str) else names
    return list(dict.fromkeys(written(name) for name in several))
