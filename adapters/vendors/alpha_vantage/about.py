"""Whether an answer is about what was asked.

What belongs here: which word of an answer's meta data has to repeat which part of a question.
What does not: reading the meta data (series.py), questions (questions.py).

Only JSON has meta data; a table of CSV names neither its symbol nor its interval.
"""

from __future__ import annotations

from collections.abc import Mapping

from market_data.errors import MalformedAnswerError

_REPEATED = {
    "symbol": ("symbol", "digital currency code"),
    "market": ("market code",),
    "from_symbol": ("from symbol",),
    "to_symbol": ("to symbol",),
    "interval": ("interval",),
}
"""Parameters that every answer repeats, and the names under which it does."""


def refuse_other(params: Mapping[str, str], about: Mapping[str, str] | None) -> None:
    """Refuse an answer about another symbol, pair or interval, or with less than was asked for.

    More than was asked for, all rows instead of the newest 100, is no harm.

    Args:
        params: of the question.
        about: what the answer says of itself; None where its form has no room for that.

    Raises:
        MalformedAnswerError: it is about something else, or does not say about what.
    """
    if about is None:
        return
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


def _shown(said: str) -> str:
    return repr(said[:60]) if said else "nothing that it names"
