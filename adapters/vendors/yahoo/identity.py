"""What a chart says that it is about: which symbol, in bars of which length.

What belongs here: Yahoo's names in a chart's meta data, held against a question.
What does not: what the chart holds (chart.py, events.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from adapters.vendors.yahoo.answers import Chart
from market_data.errors import MalformedAnswerError
from market_data.ports import SymbolRequest

_AGAINST_DOLLAR = re.compile(r"^USD(?=[A-Z]{3}=X$)")
"""Yahoo knows a pair of the dollar under two names: USDJPY=X is JPY=X."""
_SAME_LENGTH = {"60m": "1h"}


def meta_of(chart: Chart) -> dict[str, Any]:
    """The chart's meta data.

    Raises:
        MalformedAnswerError: it has none.
    """
    meta = chart.get("meta")
    if not isinstance(meta, dict):
        raise MalformedAnswerError("Yahoo: a chart without its meta data")
    return meta


def same_symbol(one: str, other: str) -> bool:
    """Whether two of Yahoo's names stand for one instrument."""
    return _plain(one) == _plain(other)


def symbol_of(chart: Chart) -> str:
    """The symbol that a chart names; empty where it names none.

    Raises:
        MalformedAnswerError: the chart has no meta data.
    """
    named = meta_of(chart).get("symbol")
    return "" if named is None else str(named)


def interval_of(chart: Chart) -> str:
    """The length of a chart's bars; empty where it names none.

    Raises:
        MalformedAnswerError: the chart has no meta data.
    """
    named = meta_of(chart).get("dataGranularity")
    return "" if named is None else _SAME_LENGTH.get(str(named), str(named))


def check_about(chart: Chart, vendor_symbol: str, interval: str | None) -> None:
    """Refuse an answer about something else than was asked for.

    Args:
        chart: content of an answer.
        vendor_symbol: Yahoo's name of what was asked for.
        interval: the length of the bars; None where only the events count.

    Raises:
        MalformedAnswerError: the chart names another symbol or another length, or has no meta
            data.
    """
    named, length = symbol_of(chart), interval_of(chart)
    if named and not same_symbol(named, vendor_symbol):
        raise MalformedAnswerError(
            f"Yahoo answered about {named[:40]!r} when asked for {vendor_symbol!r}"
        )
    if interval is not None and length and length != interval:
        raise MalformedAnswerError(
            f"Yahoo answered with bars of {length[:40]!r} when asked for {interval!r}"
        )


def asked_for(chart: Chart, symbols: Sequence[SymbolRequest]) -> SymbolRequest | None:
    """Which of some symbols a chart is about; None where it does not tell, or is about another.

    Raises:
        MalformedAnswerError: the chart has no meta data.
    """
    name = symbol_of(chart)
    if not name:
        return symbols[0] if len(symbols) == 1 else None
    return next((s for s in symbols if same_symbol(s.vendor_symbol, name)), None)


def _plain(name: str) -> str:
    return _AGAINST_DOLLAR.sub("", name.upper())
