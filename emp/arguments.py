"""What a person gives the Python client, checked: symbols, a timeframe, days.

What belongs here: from a person's words to the platform's own, with messages that say what there
is. What does not: moments (moments.py), what is asked for (client.py, judgements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from emp.moments import Moment, day
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from market_data.pipeline.platform import Platform

Symbols = str | Sequence[str]


def listed(names: Symbols) -> list[str]:
    """One name or several, each once."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def names_of(symbols: Symbols) -> list[str]:
    """The symbols of a question.

    Raises:
        ConfigurationError: there is none.
    """
    names = listed(symbols)
    if not names:
        raise ConfigurationError("name at least one symbol")
    return names


def timeframe_of(value: str) -> Timeframe:
    """The timeframe of that name.

    Raises:
        ConfigurationError: there is none; the message lists those there are.
    """
    try:
        return Timeframe(value)
    except ValueError as error:
        known = ", ".join(Timeframe)
        raise ConfigurationError(f"timeframe={value!r}; it takes one of: {known}") from error


def bounds_of(platform: Platform) -> dict[str, date]:
    """The sessions that can exist now; a session may begin two evenings before its date's end."""
    return {
        "earliest": platform.universe.first_session,
        "latest": platform.clock.now().date() + timedelta(days=2),
    }


def days_of(
    start: Moment, end: Moment, *, names: tuple[str, str] = ("start", "end")
) -> tuple[date, date]:
    """First and last day of a period.

    Args:
        start: the first.
        end: the last, included.
        names: theirs, as the person who gave them knows them.

    Raises:
        ConfigurationError: one is no day, or the last comes before the first.
    """
    first, last = day(start, names[0]), day(end, names[1])
    if last < first:
        raise ConfigurationError(f"the period ends ({end}) before it starts ({start})")
    return first, last
