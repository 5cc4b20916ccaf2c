"""Whether an answer is about what was asked.

What belongs here: which word of an answer's meta data has to repeat which part of a question, and
which rows cannot be those of a month. What does not: reading the meta data (series.py), questions
(questions.py).

Only JSON has meta data; a table of CSV names neither its symbol nor its interval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.vendors.alpha_vantage.series import Series
from adapters.vendors.cells import TIME
from market_data.errors import MalformedAnswerError

_REPEATED = {
    "symbol": ("symbol", "digital currency code"),
    "market": ("market code",),
    "from_symbol": ("from symbol",),
    "to_symbol": ("to symbol",),
    "interval": ("interval",),
}
"""Parameters that every answer repeats, and the names under which it does."""


def refuse_other(params: Mapping[str, str], series: Series) -> None:
    """Refuse an answer about another symbol, pair, interval or month, or with less than asked for.

    More than was asked for, all rows instead of the newest 100, is no harm.

    Args:
        params: of the question.
        series: the answer.

    Raises:
        MalformedAnswerError: it is about something else, or does not say about what.
    """
    _refuse_other_month(params.get("month", ""), series)
    about = series.about
    if about is None:
        return
    _refuse_other_step(params.get("interval", "Daily"), series.title or "")
    for param, names in _REPEATED.items():
        asked = params.get(param)
        if asked is None:
            continue
        said = next((about[name] for name in names if name in about), "")
        if said.casefold() != asked.casefold():
            raise MalformedAnswerError(
                f"Alpha Vantage was asked for {param} {asked}, and answers about {_shown(said)}"
            )
    size = about.get("output size", "").casefold()
    if params.get("outputsize") == "full" and size and not size.startswith("full"):
        raise MalformedAnswerError(
            f"Alpha Vantage was asked for all rows, and says that it sent {_shown(size)}"
        )


def _refuse_other_step(step: str, title: str) -> None:
    """A weekly bar under its Friday's date passes for a daily one."""
    if not re.search(rf"\b{re.escape(step)}\b", title, re.IGNORECASE):
        raise MalformedAnswerError(
            f"Alpha Vantage was asked for {step} bars, and answers with {_shown(title)}"
        )


def _refuse_other_month(month: str, series: Series) -> None:
    """Rows of another month say nothing about the month asked for: not that it has none."""
    if not month:
        return
    time = series.cells[TIME]
    others = time.filter(time.str.contains(r"^\d{4}-\d{2}-\d{2} ") & ~time.str.starts_with(month))
    if not others.is_empty():
        raise MalformedAnswerError(
            f"Alpha Vantage was asked for {month}, and answers with {len(others)} rows of other "
            f"months, the first of {_shown(others[0])}"
        )


def _shown(said: str) -> str:
    return repr(said[:60]) if said else "nothing that it names"
