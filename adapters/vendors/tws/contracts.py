"""Which contract a vendor symbol means, in words that IB understands.

What belongs here: the grammar of vendor symbols in config/universe.yaml, and whether the contract
that IB finds is the instrument that was meant.
What does not: asking IB (client.py).

    AAPL                       a stock on SMART in the instrument's currency (equities)
    EUR.USD or EURUSD          a currency pair on IDEALPRO (fx)
    STK:AAPL:SMART:USD:NASDAQ  a stock; exchange, currency and primary exchange may be left out
    CASH:EUR.USD:IDEALPRO      a currency pair
    FUT:ES:CME:202503:USD      a future by month or last day; the currency may be left out
    CRYPTO:BTC:PAXOS:USD       a coin
    IND:SPX:CBOE:USD           an index
    CONID:265598:SMART         any contract by IB's own number
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from market_data.errors import UnknownSymbolError
from market_data.universe import AssetClass, Instrument

MINOR_UNITS = {"GBP": "GBp", "ZAR": "ZAc", "ILS": "ILA"}
"""Currency to the unit that prices come in where IB magnifies them a hundredfold."""

SECURITY_TYPES = {
    AssetClass.EQUITY: "STK",
    AssetClass.FX: "CASH",
    AssetClass.CRYPTO: "CRYPTO",
    AssetClass.INDEX: "IND",
    AssetClass.FUTURE: "FUT",
}
"""Asset class to IB's security type."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .\-]{0,31}")
_PAIR = re.compile(r"([A-Z]{3})\.?([A-Z]{3})")
_EXPIRY = re.compile(r"\d{6}(\d{2})?")
_GRAMMAR = "STK:, CASH:, FUT:, CRYPTO:, IND: or CONID: (see adapters/vendors/tws/contracts.py)"
_SHOWN = 5
"""Candidates that a message names."""


@dataclass(frozen=True)
class Wanted:
    """A contract as a vendor symbol describes it; what is empty is left to IB.

    Attributes:
        kind: IB's security type.
        name: IB's symbol.
        exchange: where it is traded, or "SMART".
        currency: that it is quoted in.
        primary: the listing exchange, which tells namesakes apart.
        expiry: yyyymm or yyyymmdd, of a future.
        number: IB's number of the contract, 0 where it is not known.
    """

    kind: str = ""
    name: str = ""
    exchange: str = ""
    currency: str = ""
    primary: str = ""
    expiry: str = ""
    number: int = 0


@dataclass(frozen=True)
class Found:
    """A contract as IB describes it.

    Attributes:
        number: IB's number of the contract.
        kind: IB's security type.
        name: IB's local symbol.
        exchange: to ask on.
        primary: the listing exchange.
        currency: that it is quoted in.
        magnifier: prices come multiplied by it.
    """

    number: int
    kind: str
    name: str
    exchange: str
    primary: str
    currency: str
    magnifier: int = 1

    @property
    def unit(self) -> str:
        """The unit of its prices: USD, GBp ..."""
        return MINOR_UNITS.get(self.currency, "") if self.magnifier == 100 else self.currency

    def __str__(self) -> str:
        place = self.primary or self.exchange
        return f"{self.kind} {self.name} {place} {self.currency} (CONID:{self.number})"


def parse(text: str, instrument: Instrument) -> Wanted:
    """The contract that a vendor symbol describes.

    Args:
        text: the vendor symbol.
        instrument: whose; its class tells what a bare name means, its currency what is left out.

    Raises:
        UnknownSymbolError: no contract can look like this.
    """
    kind, *rest = text.split(":")
    if not rest:
        kind, rest = SECURITY_TYPES[instrument.asset_class], [kind]
        if kind not in ("STK", "CASH"):
            raise UnknownSymbolError(
                f"{text!r} alone names no contract of class {instrument.asset_class} at "
                f"Interactive Brokers: write {_GRAMMAR}"
            )
    if kind not in _READERS or not all(_WORD.fullmatch(part) for part in rest):
        raise UnknownSymbolError(f"{text!r} is no contract: write {_GRAMMAR}")
    found = _READERS[kind](rest, instrument.currency)
    if found is None:
        raise UnknownSymbolError(f"{text!r} is no contract: {_FORMS[kind]}")
    return found


def settle(wanted: Wanted, found: Sequence[Found], instrument: Instrument) -> Found:
    """The one contract that was meant.

    Raises:
        UnknownSymbolError: IB has none, several, or another kind of thing under that name.
    """
    fitting = [f for f in found if not wanted.kind or f.kind == wanted.kind]
    if not fitting:
        raise UnknownSymbolError(f"Interactive Brokers has no contract {_told(wanted)}")
    if len(fitting) > 1:
        names = "; ".join(str(f) for f in fitting[:_SHOWN])
        more = f" and {len(fitting) - _SHOWN} more" if len(fitting) > _SHOWN else ""
        raise UnknownSymbolError(
            f"Interactive Brokers has {len(fitting)} contracts {_told(wanted)}; name one of "
            f"them: {names}{more}"
        )
    only = fitting[0]
    if only.kind != SECURITY_TYPES[instrument.asset_class]:
        raise UnknownSymbolError(
            f"{only} is no instrument of class {instrument.asset_class}, as which the universe "
            f"has {instrument.symbol}"
        )
    if only.currency != instrument.currency:
        raise UnknownSymbolError(
            f"{only} is quoted in {only.currency}; the universe has {instrument.symbol} in "
            f"{instrument.currency}"
        )
    if only.magnifier != 1 and not (only.magnifier == 100 and only.unit):
        raise UnknownSymbolError(
            f"{only} comes with prices times {only.magnifier}, a unit that is not known here"
        )
    return only


def _told(wanted: Wanted) -> str:
    parts = (wanted.kind, wanted.name, wanted.exchange, wanted.currency, wanted.expiry)
    told = " ".join(p for p in (*parts, wanted.primary) if p)
    return told if wanted.number == 0 else f"number {wanted.number}"


def _stock(rest: list[str], currency: str) -> Wanted | None:
    if len(rest) > 4:
        return None
    name, exchange, unit, primary = (*rest, "", "", "")[:4]
    return Wanted("STK", name, exchange or "SMART", unit or currency, primary)


def _pair(rest: list[str], _currency: str) -> Wanted | None:
    pair = _PAIR.fullmatch(rest[0])
    if pair is None or len(rest) > 2:
        return None
    return Wanted("CASH", pair[1], rest[1] if len(rest) > 1 else "IDEALPRO", pair[2])


def _future(rest: list[str], currency: str) -> Wanted | None:
    if len(rest) not in (3, 4) or not _EXPIRY.fullmatch(rest[2]):
        return None
    return Wanted("FUT", rest[0], rest[1], rest[3] if len(rest) == 4 else currency, expiry=rest[2])


def _coin(rest: list[str], currency: str) -> Wanted | None:
    if len(rest) > 3:
        return None
    name, exchange, unit = (*rest, "", "")[:3]
    return Wanted("CRYPTO", name, exchange or "PAXOS", unit or currency)


def _index(rest: list[str], currency: str) -> Wanted | None:
    if len(rest) not in (2, 3):
        return None
    return Wanted("IND", rest[0], rest[1], rest[2] if len(rest) == 3 else currency)


def _number(rest: list[str], _currency: str) -> Wanted | None:
    if len(rest) > 2 or not rest[0].isdecimal() or not 0 < int(rest[0]) < 2**31:
        return None
    return Wanted(exchange=rest[1] if len(rest) > 1 else "", number=int(rest[0]))


_READERS = {
    "STK": _stock,
    "CASH": _pair,
    "FUT": _future,
    "CRYPTO": _coin,
    "IND": _index,
    "CONID": _number,
}
_FORMS = {
    "STK": "a stock is STK:AAPL:SMART:USD:NASDAQ, or the beginning of that",
    "CASH": "a currency pair is CASH:EUR.USD:IDEALPRO",
    "FUT": "a future is FUT:ES:CME:202503",
    "CRYPTO": "a coin is CRYPTO:BTC:PAXOS:USD",
    "IND": "an index is IND:SPX:CBOE:USD",
    "CONID": "a number is CONID:265598, or CONID:265598:SMART",
}
