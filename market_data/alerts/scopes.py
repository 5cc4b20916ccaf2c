"""Which sessions and symbols a failure is about, and how much of them another run speaks for.

What belongs here: the comparison of the two. What does not: what a run says (sources.py), adding
up the parts (parts.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from market_data.alerts.alert import Alert, Sighting, Trouble
from market_data.alerts.parts import Part
from market_data.calendars import trading_sessions
from market_data.universe import Universe

MarketDays = Callable[[Trouble], Collection[date]]
"""Days of a trouble's sessions on which there was anything to do."""
OF_SCHEDULE = "by "
"""A fingerprint whose scope begins so is about a schedule, whatever its window."""
_DAY = timedelta(days=1)
_WITHOUT_MARKET = ("fred", "macro")
"""Assets with these in their key are about no instrument."""


def every_day(trouble: Trouble) -> Collection[date]:
    """Every day counts."""
    if trouble.sessions is None:
        return ()
    first, last = trouble.sessions
    return [first + n * _DAY for n in range((last - first).days + 1)]


def market_days(universe: Universe) -> MarketDays:
    """The days on which a market of a trouble's bars had a session.

    A backfill leaves out weekends and holidays between two of its runs: nobody ever asks for them.
    """

    def days(trouble: Trouble) -> Collection[date]:
        if trouble.sessions is None or any(part in trouble.asset for part in _WITHOUT_MARKET):
            return every_day(trouble)
        named = trouble.symbols if trouble.symbol_count == len(trouble.symbols) else ()
        wanted = set(named or _served(universe, trouble.asset))
        calendars = {i.calendar for i in universe.instruments if i.symbol in wanted}
        return {
            day
            for calendar in calendars
            for day in trading_sessions(calendar, *trouble.sessions)["session"]
        } or every_day(trouble)

    return days


def _served(universe: Universe, asset: str) -> tuple[str, ...]:
    """Symbols of the vendor whose bars an asset holds; of another asset, all."""
    vendor, bars, _ = asset.removeprefix("raw/").partition("_bars_")
    if bars and any(v.name == vendor for v in universe.vendors):
        return universe.symbols_of(vendor)
    return tuple(instrument.symbol for instrument in universe.instruments)


def scope_digest(symbols: Iterable[str]) -> str:
    """Names a choice of symbols in a fingerprint: all, or a few letters."""
    names = sorted(symbols)
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:12] if names else "all"


def mending(
    alert: Alert,
    sessions: tuple[date, date] | None,
    symbols: Sequence[str],
    at: datetime,
    days: MarketDays = every_day,
) -> Sighting | None:
    """What a success of these sessions and symbols mends of a failure.

    Args:
        alert: the failure.
        sessions: of the success.
        symbols: of the success; none: all.
        at: when it was.
        days: on which there was anything to do.

    Returns:
        A look at all of the failure, or at a part of it; None where it speaks for nothing of it.
    """
    speaks = _spoken_for(alert, symbols)
    if speaks is None:
        return None
    everything, names = speaks
    failed = alert.trouble.sessions
    if failed is None:
        return Sighting(alert.fingerprint, at) if everything else None
    if sessions is None or sessions[1] < failed[0] or failed[1] < sessions[0]:
        return None
    if everything and sessions[0] <= failed[0] and failed[1] <= sessions[1]:
        return Sighting(alert.fingerprint, at)
    first, last = _stretched(failed, sessions, days(alert.trouble))
    return Sighting(alert.fingerprint, at, part=Part(first, last, names, at))


def sightings_of_failure(
    seen: Sighting, prefix: str, symbols: Sequence[str], live: Mapping[str, Alert]
) -> Iterator[Sighting]:
    """A failure as a look: at itself, or at the part that it is of known ones.

    What fails of a schedule is one trouble of its own, which others are no part of.

    Args:
        seen: the look at the failure alone.
        prefix: of the fingerprints of what failed, whatever the scope.
        symbols: that it was asked for; none: all.
        live: alerts that are not closed.
    """
    wider = [
        alert
        for name, alert in live.items()
        if name.startswith(prefix)
        and not name.startswith(f"{prefix}{OF_SCHEDULE}")
        and name != seen.fingerprint
        and _holds(alert.trouble, seen.trouble, symbols)
    ]
    yield from (_as_part(alert, seen, symbols) for alert in wider)
    if not wider or seen.fingerprint in live:
        yield seen


def _holds(failed: Trouble, other: Trouble | None, symbols: Sequence[str]) -> bool:
    """Whether a failure of these symbols is a part of one that is known."""
    if other is None or failed.sessions is None or other.sessions is None:
        return False
    if other.sessions[0] < failed.sessions[0] or failed.sessions[1] < other.sessions[1]:
        return False
    # Of all symbols only a success of all is known to be one: some of them are told apart.
    return set(symbols) <= set(failed.symbols) if symbols else not failed.symbol_count


def _as_part(known: Alert, seen: Sighting, symbols: Sequence[str]) -> Sighting:
    trouble, whole = seen.trouble, known.trouble
    if trouble is None or trouble.sessions is None:
        return seen
    told = replace(
        trouble, sessions=whole.sessions, symbols=whole.symbols, symbol_count=whole.symbol_count
    )
    part = Part(*trouble.sessions, tuple(sorted(symbols)), seen.at)
    return replace(seen, fingerprint=known.fingerprint, trouble=told, part=part)


def _spoken_for(alert: Alert, symbols: Sequence[str]) -> tuple[bool, tuple[str, ...]] | None:
    """Whether all symbols of a failure are spoken for, and if not, which ones; None: no one."""
    failed = alert.trouble
    if not symbols or alert.fingerprint.endswith(f"|{scope_digest(symbols)}"):
        return True, ()
    # More symbols than are named: only a run of all of them is sure to hold them.
    named = 0 < failed.symbol_count == len(failed.symbols)
    some = tuple(sorted(set(failed.symbols) & set(symbols))) if named else ()
    if not some:
        return None
    everything = len(some) == len(set(failed.symbols))
    return everything, () if everything else some


def _stretched(
    failed: tuple[date, date], sessions: tuple[date, date], days: Collection[date]
) -> tuple[date, date]:
    """The sessions of a success, with the days around them on which there was nothing to do."""
    first, last = max(failed[0], sessions[0]), min(failed[1], sessions[1])
    before = max((day for day in days if failed[0] <= day < first), default=None)
    after = min((day for day in days if last < day <= failed[1]), default=None)
    return (
        failed[0] if before is None else before + _DAY,
        failed[1] if after is None else after - _DAY,
    )
