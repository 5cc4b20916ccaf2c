"""Access to Interactive Brokers: paced questions, every trouble typed, put again where that helps.

What belongs here: what a question claims of IB's pacing rules, retries, contracts that are known.
What does not: what can be asked (questions.py), the connection (gateway.py), who counts requests
(adapters/requests).

Importing this module loads ib_async; import it where it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from ib_async.client import Client
from ib_async.contract import Contract

from adapters.vendors.retrying import Questions
from adapters.vendors.tws.answers import Fields, check_whole, read_contracts
from adapters.vendors.tws.contracts import Found, Wanted, settle
from adapters.vendors.tws.gateway import Gateway
from adapters.vendors.tws.inquiry import Address, Inquiry
from adapters.vendors.tws.profile import PROFILE, SAME_CONTRACT, SAME_REQUEST
from adapters.vendors.tws.questions import Question
from market_data.ports import Claim, OpenGate, Payload, RequestGate
from market_data.universe import Instrument

T = TypeVar("T")
MEDIA_TYPE = "application/vnd.ib.historical-data"
"""Fields of a message of bars from its start field on, each ended by a zero."""
_BARS = 17
_CONTRACT = 10
_CONTRACTS_END = 52
_HISTORY_FARM_DOWN = 2105
_CONTRACTS_FARM_DOWN = 2157


@dataclass(frozen=True)
class BarsAnswer:
    """An answer to a question for bars.

    Attributes:
        fields: of its message; None where IB says that there are none.
        payload: the same as bytes, without the number of the request.
    """

    fields: Fields | None
    payload: Payload | None


class TwsClient:
    """Asks one TWS or IB Gateway."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = 60.0,
        gate: RequestGate | None = None,
        attempts: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare it; nothing is sent yet.

        Args:
            address: where it listens.
            timeout: seconds to wait for the connection, and for a whole answer.
            gate: grants each question; None for no limits.
            attempts: how often one question is put before its trouble is raised.
            sleep: waits that many seconds.
        """
        self._address = address
        self._gateway = Gateway(address, timeout)
        self._questions = Questions(gate or OpenGate(), attempts, sleep)
        self._contracts: dict[Wanted, Found] = {}

    def contract(self, wanted: Wanted, instrument: Instrument) -> Found:
        """The one contract that is meant.

        Raises:
            UnknownSymbolError: IB has none, several, or another kind of thing.
            VendorError: another typed subclass, after the last attempt.
        """
        if wanted not in self._contracts:
            contract = _described(wanted)
            inquiry = Inquiry(
                send=lambda client, request: client.reqContractDetails(request, contract),
                parts=frozenset({_CONTRACT}),
                last=_CONTRACTS_END,
                farm_code=_CONTRACTS_FARM_DOWN,
            )
            found: Sequence[Found] = self._put(inquiry, (), read_contracts)
            self._contracts[wanted] = settle(wanted, found, instrument)
        return self._contracts[wanted]

    def bars(self, found: Found, question: Question) -> BarsAnswer:
        """Bars of a contract.

        Raises:
            VendorError: a typed subclass, or itself where IB does not take the question.
        """
        inquiry = Inquiry(
            send=lambda client, request: _send(client, request, found, question),
            cancel=lambda client, request: client.cancelHistoricalData(request),
            parts=frozenset({_BARS}),
            last=_BARS,
            farm_code=_HISTORY_FARM_DOWN,
        )
        return self._put(
            inquiry,
            claims_for(found, question),
            lambda messages, _: self._answer(messages, found, question),
        )

    def close(self) -> None:
        """End the connection; the next question connects anew."""
        self._gateway.close()

    def _put(
        self,
        inquiry: Inquiry,
        claims: Sequence[Claim],
        read: Callable[[Sequence[Fields], int], T],
    ) -> T:
        return self._questions.put(claims, lambda: read(*self._gateway.ask(inquiry)))

    def _answer(self, messages: Sequence[Fields], found: Found, question: Question) -> BarsAnswer:
        if not messages:
            return BarsAnswer(None, None)
        fields = messages[0]
        check_whole(fields)
        # The number of the request differs each time; the rest is the content.
        content = "".join(f"{value}\0" for value in fields[2:]).encode()
        asked = urlencode({"contract": found.number, "exchange": found.exchange} | vars(question))
        source = f"tws://{self._address.host}:{self._address.port}/historical-data?{asked}"
        return BarsAnswer(fields, Payload(content, source, MEDIA_TYPE))


def claims_for(found: Found, question: Question) -> tuple[Claim, ...]:
    """What a question takes of IB's pacing rules; one for bid and ask counts twice.

    IB enforces them for bars of 30 seconds and less, and asks for restraint with longer ones. That
    no more than 50 questions are open needs no count: a process asks one at a time.
    """
    cost = 2 if question.prices == "BID_ASK" else 1
    place = f"{found.number}@{found.exchange}"
    return (
        *PROFILE.claims(cost),
        Claim(SAME_CONTRACT, f"{place} {question.prices}", cost),
        Claim(SAME_REQUEST, f"{place} {question}"),
    )


def _described(wanted: Wanted) -> Contract:
    return Contract(
        secType=wanted.kind,
        conId=wanted.number,
        symbol=wanted.name,
        exchange=wanted.exchange,
        currency=wanted.currency,
        primaryExchange=wanted.primary,
        lastTradeDateOrContractMonth=wanted.expiry,
        # Bars of a future can be had for two years after its end.
        includeExpired=wanted.kind in ("FUT", ""),
    )


def _send(client: Client, request: int, found: Found, question: Question) -> None:
    client.reqHistoricalData(
        request,
        Contract(
            secType=found.kind,
            conId=found.number,
            exchange=found.exchange,
            currency=found.currency,
            includeExpired=found.kind == "FUT",
        ),
        question.end,
        question.duration,
        question.bar_size,
        question.prices,
        useRTH=question.regular_hours,
        formatDate=2,
        keepUpToDate=False,
        chartOptions=[],
    )
