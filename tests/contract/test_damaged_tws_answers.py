"""Two thousand damaged messages of Interactive Brokers' protocol, through a real socket.

Fields are cut, moved, of another type, huge, in another encoding; frames lie about their length.
Only typed trouble may follow, and each accepted bar is among those that a plain reading of the very
bytes finds. After each damaged message the gateway says that there is nothing more, so that nobody
waits for what was damaged beyond recognition.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from ib_async.client import Client

from adapters.vendors.tws.contracts import Found, parse
from adapters.vendors.tws.vendor import TwsVendor
from market_data.errors import VendorError
from market_data.ports import FetchRequest, FetchResult, SymbolRequest, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.ib_gateway import (
    Asked,
    Bar,
    Contract,
    IbGateway,
    Line,
    bars_message,
    days,
    details_message,
    minutes,
    tws_on,
)
from tests.support.mutated_payloads import Row, accepted, normal

MESSAGES = 900
"""Per length of a bar; as many about contracts make up the rest of two thousand."""
CONTRACTS = 200
START = datetime(2021, 1, 4, tzinfo=UTC)
WANTED = SymbolRequest(
    Instrument(symbol="MSFT", asset_class=AssetClass.EQUITY, calendar="XNYS"), "MSFT"
)
FOUND = Found(272093, "STK", "MSFT", "SMART", "NASDAQ", "USD", 1)
ODD: tuple[bytes, ...] = (
    b"", b" ", b"-", b"-1", b"0", b"1", b"1.5", b"1e308", b"-1e308", b"1.7976931348623157E308",
    b"1e400", b"9" * 400, b"9223372036854775807", b"9223372036854775808", b"2147483647", b"nan",
    b"NaN", b"inf", b"-Infinity", b"null", b"None", b"true", b"1,5", b"1_000", b"0x1p3", b" 1.5",
    b"1.5 ", b"1609770600", b"16097706000", b"-1609770600", b"20210104", b"20211332", b"99991231",
    b"20210104 09:30:00", b"2021-01-04", b"\xff\xfe1\x00", "\u0661".encode(), "\uff11".encode(),
    "1.5".encode("utf-16"), b"\xed\xa0\x80", b"x" * 5_000, b"\x00", b"1\x001",
)  # fmt: skip


@dataclass
class Damage:
    """One way to damage a message; the same number does the same again."""

    seed: int
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def __call__(self, fields: Sequence[object]) -> bytes:
        """The content of the message, damaged."""
        parts = [str(part).encode() for part in fields]
        for _ in range(self.chance.randrange(1, 4)):
            parts = self._fields(parts)
        content = b"".join(part + b"\0" for part in parts)
        return self._bytes(content) if self.chance.random() < 0.15 else content

    def _fields(self, parts: list[bytes]) -> list[bytes]:
        if not parts:
            return [self.chance.choice(ODD)]
        here = self.chance.randrange(len(parts))
        # What tells the form of a message is damaged seldom: it would seldom be looked at else.
        if self.chance.random() < 0.85:
            here = self.chance.randrange(min(5, len(parts) - 1), len(parts))
        kind = self.chance.randrange(10)
        if kind == 0:
            del parts[here]
        elif kind == 1:
            parts.insert(here, self.chance.choice(ODD))
        elif kind == 2:
            del parts[here:]
        elif kind == 3:
            other = self.chance.randrange(len(parts))
            parts[here], parts[other] = parts[other], parts[here]
        elif kind == 4:
            tail = parts[5:]
            self.chance.shuffle(tail)
            parts[5:] = tail
        elif kind == 5:
            parts[here:here] = parts[5:13]
        else:
            parts[here] = self.chance.choice(ODD)
        return parts

    def _bytes(self, content: bytes) -> bytes:
        here = self.chance.randrange(len(content) + 1)
        noise = self.chance.randbytes(8)
        return self.chance.choice(
            [
                content[:here],
                content[:here] + noise + content[here:],
                content[:here] + noise + content[here + 8 :],
                content + content,
                content.replace(b"\0", b","),
                content.decode("utf-8", "replace").encode("utf-16"),
                content.replace(b".", b","),
                noise,
                b"",
            ]
        )


def framed(content: bytes, damage: Damage) -> tuple[bytes, bool]:
    """The content with its length, and whether the length is true."""
    true = damage.chance.random() > 0.02
    length = (
        len(content) if true else damage.chance.choice([0, 3, len(content) + 7, 2**31, 2**32 - 1])
    )
    return struct.pack(">I", length) + content, true


def plainly(content: bytes, timeframe: Timeframe) -> set[Row]:
    """The bars of a message, read without a table; more than are accepted, never fewer."""
    values = content.decode("utf-8", "backslashreplace").split("\0")[5:-1]
    found = set()
    for at in range(0, len(values) - 7, 8):
        when, *numbers = values[at : at + 6]
        try:
            ts = (
                datetime.fromtimestamp(int(when), UTC)
                if timeframe.is_intraday
                else datetime.strptime(when, "%Y%m%d").replace(tzinfo=UTC)
            )
            *prices, volume = (number(text) for text in numbers)
            volume = None if volume == -1 else volume
        except (ValueError, OverflowError, OSError):
            continue
        found.add(normal(ts, *prices, volume))
    return found


def number(text: str) -> float | None:
    value = float(text) if text else None
    return None if value is None or abs(value) >= 1.7e308 else value


class OneLine:
    """A vendor that keeps its connection from one question to the next."""

    def __init__(self, vendor: TwsVendor) -> None:
        self._vendor = vendor

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        return self._vendor._pages(FOUND, WANTED, request)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[IbGateway]:
    # So many questions are never put in a row; ib_async would let 45 pass a second.
    monkeypatch.setattr(Client, "MaxRequests", 0)
    with IbGateway(notices=()) as made:
        yield made


def told(line: Line, request: int, content: bytes, damage: Damage) -> None:
    """Send a damaged message, and that there is nothing more."""
    sent, whole = framed(content, damage)
    line.raw(sent)
    if whole:
        line.code(request, 162, "HMDS query returned no data")
    else:
        line.close()


@pytest.mark.parametrize(
    ("timeframe", "bars"),
    [
        (Timeframe.M1, minutes(START + timedelta(hours=14, minutes=30), 6)),
        (Timeframe.D1, days(START, 6)),
    ],
    ids=["minutes", "days"],
)
def test_bars_are_those_that_were_sent(
    gateway: IbGateway, timeframe: Timeframe, bars: list[Bar]
) -> None:
    vendor = tws_on(gateway, attempts=1, timeout=5.0)
    request = FetchRequest(
        (WANTED,), timeframe, START, START + timedelta(days=7), START + timedelta(days=30)
    )
    tally: Counter[bool] = Counter()
    sent: list[bytes] = []

    def answer(seed: int) -> Callable[[Line, Asked], None]:
        def script(line: Line, asked: Asked) -> None:
            damage = Damage(seed)
            sent.append(damage(bars_message(asked.request, bars)))
            told(line, asked.request, sent[-1], damage)

        return script

    for seed in range(MESSAGES):
        gateway.scripts.append(answer(seed))
        found = accepted(cast("Vendor", OneLine(vendor)), request)
        assert found <= plainly(sent[-1], timeframe), (seed, sent[-1][:300])
        tally[bool(found)] += 1
    assert len(sent) == MESSAGES
    assert 0.2 < tally[True] / MESSAGES < 0.95, "damage that leaves nothing would hold nothing"
    vendor._client.close()


def test_contracts_are_those_that_were_described(gateway: IbGateway) -> None:
    contract = Contract(272093, "MSFT")
    tally: Counter[str] = Counter()
    wanted = parse("MSFT", WANTED.instrument)
    vendor = tws_on(gateway, attempts=1, timeout=5.0)
    for seed in range(CONTRACTS):
        sent: list[bytes] = []

        def describe(line: Line, request: int, seed: int = seed, sent: list[bytes] = sent) -> None:
            damage = Damage(seed)
            sent.append(damage(details_message(request, contract)))
            content, whole = framed(sent[-1], damage)
            line.raw(content)
            if whole:
                line.send(52, 1, request)
            else:
                line.close()

        gateway.lookups.append(describe)
        vendor._client._contracts.clear()
        try:
            found = vendor._client.contract(wanted, WANTED.instrument)
        except VendorError as trouble:
            assert str(trouble)
            tally[type(trouble).__name__] += 1
            continue
        tally["found"] += 1
        said = sent[0].decode("utf-8", "backslashreplace").split("\0")
        for value in (str(found.number), found.kind, found.name, found.exchange, found.currency):
            assert value in said or value in ("0", ""), (seed, value)
        assert (found.kind, found.currency) == ("STK", "USD")
    assert gateway.looked_up == CONTRACTS
    assert tally["found"] > CONTRACTS // 10
    assert len(tally) > 2
    vendor._client.close()
