"""What IB's codes mean for a question: bars, none, or which kind of trouble.

What belongs here: one table of codes and words. IB reports everything under numbers, some of them
(162, 420, 322) under the same number for contrary things, which only the words tell apart.
What does not: receiving them (listening.py), what a person does about them
(docs/runbooks/tws-outage.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)

PACING_PAUSE = 15.0
"""Seconds after which IB may take the same question again."""


class ClientIdTakenError(UnreachableError):
    """Another program is connected under our number."""


class Meaning(Enum):
    """What follows from a code for whoever waits for an answer."""

    NOTICE = auto()
    """Nothing: the answer may still come."""
    NOTHING = auto()
    """There are no bars."""
    PACING = auto()
    """Too many questions."""
    PERMISSION = auto()
    """The account may not have this data."""
    UNKNOWN = auto()
    """IB knows no such contract, or has no such bars of it at all."""
    REFUSED = auto()
    """IB does not take the question; asking again would be of no use."""
    PASSING = auto()
    """IB cannot answer now."""
    CLIENT_ID = auto()
    """Another program is connected under our number."""
    LOST = auto()
    """Nobody can be asked anything."""
    RESTORED = auto()
    """What was lost is back."""


@dataclass(frozen=True)
class Code:
    """One line of the table.

    Attributes:
        numbers: the codes that it is about.
        meaning: what follows.
        words: that the text has to contain; empty for any text.
    """

    numbers: frozenset[int]
    meaning: Meaning
    words: str = ""


def _line(numbers: str, meaning: Meaning, words: str = "") -> Code:
    return Code(frozenset(int(n) for n in numbers.split()), meaning, words.lower())


CODES: tuple[Code, ...] = (
    # The same words come under several numbers.
    _line("100 162 322 366 420", Meaning.PACING, "pacing violation"),
    _line("322", Meaning.PACING, "only 50 simultaneous"),
    _line("100", Meaning.PACING),
    _line("162 420 10197", Meaning.LOST, "connected from a different ip address"),
    _line("162 420 10197", Meaning.LOST, "competing live session"),
    _line("162 322 354 420", Meaning.PERMISSION, "no market data permissions"),
    _line("162 322 354 420", Meaning.PERMISSION, "additional subscription"),
    _line("162", Meaning.NOTHING, "query returned no data"),
    _line("162", Meaning.PASSING, "cancelled"),
    _line("162", Meaning.UNKNOWN, "no historical market data for"),
    _line("162", Meaning.UNKNOWN, "no data of type"),
    _line("162", Meaning.UNKNOWN, "unknown contract"),
    _line("162", Meaning.UNKNOWN, "invalid symbol"),
    _line("162", Meaning.UNKNOWN, "no security definition"),
    _line("162", Meaning.REFUSED, "invalid"),
    _line("162", Meaning.REFUSED, "exceed"),
    _line("162 366 10197", Meaning.PASSING),
    _line("200", Meaning.UNKNOWN),
    _line("354 203 10089 10090 10168 10186 10187 10189", Meaning.PERMISSION),
    _line("326", Meaning.CLIENT_ID),
    _line("502 503 504 507 509 523 524 1100 1300 2110", Meaning.LOST),
    _line("1101 1102", Meaning.RESTORED),
    # A farm of IB's is down: of live prices (2103), of history (2105), of contracts (2157).
    _line("2105 2157", Meaning.PASSING),
    _line("2103 2104 2106 2107 2108 2119 2137 2148 2158 2168 2169 2174 2176", Meaning.NOTICE),
    _line("165 365 399 10167", Meaning.NOTICE),
)
"""The first line that fits counts."""

_FARM_DOWN = {2103, 2105, 2157}
_FARM_UP = {2104, 2106, 2107, 2108, 2158}


def meaning_of(number: int, text: str) -> Meaning:
    """What follows from a code; one that nobody knows refuses the question.

    Args:
        number: IB's code.
        text: IB's words.
    """
    said = text.lower()
    for code in CODES:
        if number in code.numbers and code.words in said:
            return code.meaning
    return Meaning.NOTICE if 2100 <= number < 2200 else Meaning.REFUSED


def trouble_of(number: int, text: str) -> VendorError | None:
    """The error that a code is; None for a notice, and where there are no bars.

    Args:
        number: IB's code.
        text: IB's words.
    """
    found = meaning_of(number, text)
    said = f"Interactive Brokers ({number}): {' '.join(text.split())}"
    if found is Meaning.PACING:
        return RateLimitedError(said, retry_after=PACING_PAUSE)
    if found is Meaning.CLIENT_ID:
        cure = "give TWS_CLIENT_ID a number that no other program uses"
        return ClientIdTakenError(f"{said}; {cure}")
    if found is Meaning.LOST:
        return UnreachableError(f"{said}; is what listens at TWS_HOST and TWS_PORT logged in?")
    kind = _ERRORS.get(found)
    return kind(said) if kind else None


_ERRORS: dict[Meaning, type[VendorError]] = {
    Meaning.PERMISSION: UnauthorisedError,
    Meaning.UNKNOWN: UnknownSymbolError,
    Meaning.REFUSED: VendorError,
    Meaning.PASSING: VendorUnavailableError,
}


class Farms:
    """Which of IB's farms, and whether IB itself, are out of reach, as far as they said so."""

    def __init__(self) -> None:
        self._down: dict[str, str] = {}

    def hear(self, number: int, text: str) -> None:
        """Take note of a code that is about no question."""
        found = meaning_of(number, text)
        farm = text.rpartition(":")[2].strip() or str(number)
        if number in _FARM_DOWN:
            self._down[farm] = f"({number}) {text.strip()}"
        elif number in _FARM_UP:
            self._down.pop(farm, None)
        elif found is Meaning.LOST:
            self._down[""] = f"({number}) {text.strip()}"
        elif found is Meaning.RESTORED:
            self._down.pop("", None)

    @property
    def lost(self) -> str:
        """Why IB itself is out of reach; empty where it is not."""
        return self._down.get("", "")

    def __str__(self) -> str:
        return "; ".join(self._down.values())
