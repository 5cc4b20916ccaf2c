"""The vendor port: one source of bars, what it can serve, and how it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

import polars as pl

from market_data.answer_shapes import Shape
from market_data.basis import Basis
from market_data.errors import VendorError
from market_data.ports.payload_archive import Payload
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS, REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument


class Outcome(StrEnum):
    """What became of a question to a vendor."""

    ROWS = "rows"
    NOTHING = "nothing"
    HOLIDAY = "holiday"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_ASKED = "not asked"

    @property
    def is_answer(self) -> bool:
        """Whether asking again later would be of no use."""
        return self in _ANSWERS


_ANSWERS = frozenset({Outcome.ROWS, Outcome.NOTHING, Outcome.HOLIDAY, Outcome.UNAVAILABLE})


@dataclass(frozen=True)
class SymbolOutcome:
    """The outcome for one symbol of one request, with the vendor's reason in a sentence.

    Attributes:
        outcome: what became of it.
        detail: the reason.
        kind: of the trouble behind it, see VendorError; empty where there is none.
    """

    outcome: Outcome
    detail: str = ""
    kind: str = field(default="", compare=False)

    @classmethod
    def of(cls, trouble: VendorError) -> SymbolOutcome:
        """What a trouble comes to for a symbol."""
        return cls(Outcome(trouble.outcome), str(trouble), trouble.kind)

    @classmethod
    def not_asked(cls, trouble: VendorError) -> SymbolOutcome:
        """For a symbol about which nothing was sent, since a trouble came before."""
        return cls(Outcome.NOT_ASKED, f"not asked, since {trouble}", trouble.kind)


@dataclass(frozen=True)
class SymbolRequest:
    """One instrument and the vendor's own name of it."""

    instrument: Instrument
    vendor_symbol: str

    @property
    def symbol(self) -> str:
        """The platform's symbol."""
        return self.instrument.symbol


@dataclass(frozen=True)
class FetchRequest:
    """Bars whose start lies in [start, end), UTC, for some symbols at one timeframe."""

    symbols: tuple[SymbolRequest, ...]
    timeframe: Timeframe
    start: datetime
    end: datetime
    now: datetime
    """The time of asking; look-back windows count from here."""


@dataclass(frozen=True)
class Capabilities:
    """What a vendor can serve.

    Attributes:
        timeframes: native timeframes.
        lookback: how far back from now a timeframe is served; absent means without limit.
        request_span: longest range of one request, per timeframe; absent means without limit.
        delay: time after a bar's end at which it can be had.
    """

    timeframes: tuple[Timeframe, ...]
    lookback: Mapping[Timeframe, timedelta] = field(default_factory=dict)
    request_span: Mapping[Timeframe, timedelta] = field(default_factory=dict)
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class FetchResult:
    """One slice of an answer.

    Attributes:
        frame: rows of FETCHED_BARS.
        outcomes: per symbol that this slice settles. A symbol without any outcome in the whole
            answer counts as `rows` if rows came, `nothing` if none did.
        payloads: the bytes that the rows were read from.
        rejected: rows of REJECTED_ROWS.
        actions: rows of CORPORATE_ACTIONS that the vendor reported along.
        begins: start of the first bar that the vendor has at all, of symbols of which it is known;
            for sessions before it the vendor is no source.
        shapes: of the answers that `frame` was read from, by symbol (empty: about several), where
            the reader tells them itself (`AnswerFields.by_reader`).
    """

    frame: pl.DataFrame = field(default_factory=FETCHED_BARS.empty)
    outcomes: Mapping[str, SymbolOutcome] = field(default_factory=dict)
    payloads: Sequence[Payload] = ()
    rejected: pl.DataFrame = field(default_factory=REJECTED_ROWS.empty)
    actions: pl.DataFrame = field(default_factory=CORPORATE_ACTIONS.empty)
    begins: Mapping[str, datetime] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)


class Vendor(Protocol):
    """One source of bars. Every adapter passes tests/contract/vendor.py."""

    name: str
    capabilities: Capabilities

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        """What this vendor's prices of an instrument mean."""
        ...

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """Ask for bars, slice by slice, so that no answer has to fit into memory.

        Trouble with one symbol becomes that symbol's outcome. Trouble that ends the whole answer
        is raised; what was yielded before it stands.

        Raises:
            VendorError: one of its typed subclasses, never another exception.
        """
        ...


@runtime_checkable
class ReadsArchived(Protocol):
    """A vendor whose archived answers can be read again, without asking anybody."""

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        """What today's reader makes of the payloads of one past fetch.

        Args:
            contents: the bytes of its payloads, in the order in which they came.
            request: the question of then; its `now` is the time of that fetch.

        Raises:
            VendorError: the payloads do not tell enough; the message says what is missing.
        """
        ...
