"""Which questions a request to Yahoo takes: its windows, and the spans of one request.

What belongs here: how far back Yahoo serves, cutting a range, a question's seconds.
What does not: the order in which they are put and what comes of them (vendor.py).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from market_data.errors import OutOfRangeError, UnknownSymbolError
from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe

Span = tuple[datetime, datetime]
"""Start and end of the bars of one question, UTC, the end excluded."""
TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)
LOOKBACK = {
    Timeframe.M1: timedelta(days=30),
    Timeframe.M5: timedelta(days=60),
    Timeframe.M15: timedelta(days=60),
    Timeframe.H1: timedelta(days=730),
}
REQUEST_SPAN = {Timeframe.M1: timedelta(days=7)}
_SYMBOL = re.compile(r"^[A-Za-z0-9_.=^\-]{1,32}$")
_DAY = timedelta(days=1)
_EDGE = timedelta(minutes=5)
"""Yahoo measures its windows when it answers, a little after `now`."""


def spans_of(wanted: SymbolRequest, request: FetchRequest) -> list[Span]:
    """What Yahoo can serve of a range, in questions that it takes, the oldest first.

    Raises:
        UnknownSymbolError: no Yahoo symbol can look like this.
        OutOfRangeError: Yahoo can never serve any of it.
    """
    first = _first_instant(wanted, request)
    span = REQUEST_SPAN.get(request.timeframe, request.end - first)
    spans = []
    while first < request.end:
        end = min(first + span, request.end)
        spans.append((first, end))
        first = end
    return spans


def _first_instant(wanted: SymbolRequest, request: FetchRequest) -> datetime:
    """Where to begin: the start asked for, or that of Yahoo's window."""
    if not _SYMBOL.match(wanted.vendor_symbol):
        raise UnknownSymbolError(f"{wanted.vendor_symbol!r} is no Yahoo symbol")
    if request.timeframe not in TIMEFRAMES:
        raise OutOfRangeError(f"Yahoo has no {request.timeframe} bars")
    window = LOOKBACK.get(request.timeframe)
    if window is None:
        return request.start
    earliest = request.now - window + _EDGE
    if request.end <= earliest:
        raise OutOfRangeError(
            f"Yahoo serves {request.timeframe} bars of the last {window.days} days only, "
            f"from {earliest:%Y-%m-%d}"
        )
    return max(request.start, earliest)


def has_later_events(wanted: SymbolRequest, request: FetchRequest) -> bool:
    """Whether splits and dividends may have come after what the range's own questions tell.

    Yahoo divides by a split from the ex-date on, some hours before its opening: what comes until a
    day from now is asked for. The question of the range's newest bars is made to reach so far
    where it ends near, and where Yahoo takes one that long.
    """
    if not wanted.instrument.asset_class.is_adjustable or request.end > request.now:
        return False
    return not _reaches_now(request, spans_of(wanted, request)[-1])


def _reaches_now(request: FetchRequest, span: Span) -> bool:
    """Whether the question of a span can tell the events until a day from now too."""
    start, end = span
    longest = REQUEST_SPAN.get(request.timeframe)
    newest = end == request.end and end >= request.now - _DAY
    return newest and (longest is None or request.now + _DAY - start <= longest)


def seconds_of(wanted: SymbolRequest, request: FetchRequest, span: Span) -> tuple[int, int]:
    """Start and end of a span's question in seconds; a day more on both sides for daily bars.

    A daily bar is stamped with its exchange's opening or midnight, hours away from 00:00 UTC of
    its date. The question that reaches to now asks for the events of a day more as well.
    """
    start, end = _seconds_of_bars(request, span)
    if wanted.instrument.asset_class.is_adjustable and _reaches_now(request, span):
        end = max(end, _events_end(request))
    return start, end


def _seconds_of_bars(request: FetchRequest, span: Span) -> tuple[int, int]:
    start, end = span
    if request.timeframe.is_intraday:
        return int(start.timestamp()), int(end.timestamp())
    last = (end + _DAY - timedelta(microseconds=1)).date() + _DAY
    return _midnight(start.date() - _DAY), _midnight(last)


def seconds_after(request: FetchRequest) -> tuple[int, int]:
    """Start and end of the question for what came after a range, in seconds."""
    return int((request.end - _DAY).timestamp()), _events_end(request)


def _events_end(request: FetchRequest) -> int:
    return int((request.now + _DAY).timestamp())


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
