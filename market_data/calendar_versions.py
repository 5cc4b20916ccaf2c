"""Versions of calendars: a code that carries the digest of what a configuration says about it.

What belongs here: from a code and its rules to the text that all functions of
market_data/calendars take, and back. What does not: the rules (calendar_rules.py), building a
schedule from them (calendars/sessions.py).

Installations in one process may say different things about one calendar. Each gets a code of its
own, "fx@1a2b3c4d5e6f", by the digest of what it says, so that none can see another's days. The
table behind it only grows, and what lies under a digest never changes; of notes, which change no
session and are no part of a digest, it holds the newest. A process that has not loaded the
configuration refuses such a code rather than take the usual days for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from market_data.calendar_rules import CalendarRules
from market_data.errors import ConfigurationError

_MARK = "@"
_KNOWN: dict[str, CalendarRules] = {}


def versioned(calendar: str, rules: Mapping[str, CalendarRules]) -> str:
    """The code under which a calendar follows some rules; the plain one where it has none.

    Args:
        calendar: a code, plain or of another version.
        rules: what a configuration says, by plain code.
    """
    plain = calendar_name(calendar)
    found = rules.get(plain)
    if found is None:
        return plain
    _KNOWN[found.digest] = found
    return f"{plain}{_MARK}{found.digest}"


def calendar_name(calendar: str) -> str:
    """The plain code, for people and tables."""
    return calendar.partition(_MARK)[0]


def rules_of(calendar: str) -> CalendarRules:
    """What a code's configuration says about it; nothing for a plain code.

    Raises:
        ConfigurationError: this process has not loaded the configuration that the code belongs to.
    """
    _, mark, digest = calendar.partition(_MARK)
    if not mark:
        return CalendarRules()
    found = _KNOWN.get(digest)
    if found is None:
        raise ConfigurationError(
            f"calendar {calendar!r} belongs to a configuration that this process has not loaded; "
            "open the platform here before its calendars are used"
        )
    return found
