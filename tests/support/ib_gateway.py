"""A gateway that speaks enough of IB's socket protocol to answer the real ib_async.

What belongs here: handshake, contracts, historical bars, codes, pacing rules, and every way to fail
in between. What does not: assertions.

    with IbGateway() as gateway:
        gateway.add(MSFT, recorded_minutes(test_data))
        vendor = tws_on(gateway)
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.vendors.tws.profile import TwsSettings
from adapters.vendors.tws.vendor import TwsVendor

SERVER_VERSION = 176
NOTICES = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)
PACING = (
    162,
    "Historical Market Data Service error message:Historical data request pacing violation",
)
Bar = tuple[str, ...]
"""Time, open, high, low, close, volume, mean, count: as they are sent."""


@dataclass(frozen=True)
class Contract:
    """A contract that the gateway knows."""

    number: int
    symbol: str
    kind: str = "STK"
    exchange: str = "SMART"
    primary: str = "NASDAQ"
    currency: str = "USD"
    magnifier: int = 1
    expiry: str = ""


MSFT = Contract(272093, "MSFT")
AAPL = Contract(265598, "AAPL")
EURUSD = Contract(12087792, "EUR", "CASH", "IDEALPRO", "", "USD")


@dataclass(frozen=True)
class Asked:
    """A question for bars as it came."""

    request: int
    number: int
    exchange: str
    end: str
    bar_size: str
    duration: str
    regular_hours: bool
    prices: str
    date_format: str

    @property
    def until(self) -> datetime:
        return datetime.strptime(self.end, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)

    @property
    def since(self) -> datetime:
        count, unit = self.duration.split()
        days = {"D": 1, "W": 7, "M": 31, "Y": 366}[unit]
        return self.until - timedelta(days=int(count) * days)


@dataclass
class Line:
    """One connection, seen from the gateway."""

    stream: socket.socket
    client_id: int = -1

    def send(self, *fields: object) -> None:
        self.raw(framed(*fields))

    def raw(self, content: bytes) -> None:
        self.stream.sendall(content)

    def code(self, request: int, number: int, text: str) -> None:
        self.send(4, 2, request, number, text, "")

    def bars(self, request: int, bars: Sequence[Bar]) -> None:
        self.send(*bars_message(request, bars))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)

    def drip(self, content: bytes, interval: float) -> None:
        for at in range(len(content)):
            self.raw(content[at : at + 1])
            time.sleep(interval)


Script = Callable[[Line, Asked], None]
"""What a gateway does with one question."""


def framed(*fields: object) -> bytes:
    """A message: its length, and its fields, each ended by a zero."""
    content = "".join(f"{value}\0" for value in fields).encode()
    return struct.pack(">I", len(content)) + content


def bars_message(request: int, bars: Sequence[Bar]) -> tuple[object, ...]:
    """The fields of an answer."""
    span = ("20210105  00:00:00", "20210106  00:00:00")
    return (17, request, *span, len(bars), *(value for bar in bars for value in bar))


@dataclass
class IbGateway:
    """The gateway; give it contracts with their bars, and scripts for questions to come.

    Attributes:
        asked: every question for bars, in the order in which they came.
        looked_up: how often a contract was asked for.
        connected: the client ids that came, in order.
        called_off: requests that were called off.
        scripts: what to do with the next questions; the usual answer when they are used up.
        welcome: what to do instead of letting a client in.
        taken: client ids that others are connected under.
        notices: codes that are sent to whoever connects.
        enforce: answer with a pacing violation where IB's rules are broken.
        clock: seconds, for these rules.
        tells_time: whether it answers when asked for the time.
    """

    asked: list[Asked] = field(default_factory=list)
    looked_up: int = 0
    connected: list[int] = field(default_factory=list)
    called_off: list[int] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    lookups: list[Callable[[Line, int], None]] = field(default_factory=list)
    welcome: Callable[[Line], None] | None = None
    taken: set[int] = field(default_factory=set)
    notices: Iterable[tuple[int, str]] = NOTICES
    enforce: bool = False
    clock: Callable[[], float] = time.monotonic
    tells_time: bool = True
    violations: int = 0
    _contracts: list[Contract] = field(default_factory=list)
    _bars: dict[tuple[int, str], list[Bar]] = field(default_factory=dict)
    _times: list[tuple[float, Asked]] = field(default_factory=list)
    _lines: list[Line] = field(default_factory=list)
    _server: socketserver.ThreadingTCPServer | None = None

    def add(self, contract: Contract, bars: Sequence[Bar], bar_size: str = "1 min") -> None:
        """Know a contract and its bars, oldest first."""
        if contract not in self._contracts:
            self._contracts.append(contract)
        self._bars[contract.number, bar_size] = list(bars)

    def __enter__(self) -> IbGateway:
        gateway = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = Line(self.request)
                gateway._lines.append(line)
                with contextlib.suppress(OSError):
                    gateway._serve(line)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                """A client that leaves in the middle is no error here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.close()
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    @property
    def port(self) -> int:
        assert self._server
        return int(self._server.server_address[1])

    def _serve(self, line: Line) -> None:
        stream = line.stream.makefile("rb")
        assert stream.read(4) == b"API\0"
        if self.welcome:
            self.welcome(line)
            return
        _message(stream)
        line.send(SERVER_VERSION, "20210105 12:00:00 EST")
        while fields := _message(stream):
            self._take(line, fields)

    def _take(self, line: Line, fields: list[str]) -> None:
        kind = int(fields[0])
        if kind == 71:
            self._admit(line, int(fields[2]))
        elif kind == 9:
            self.looked_up += 1
            if self.lookups:
                self.lookups.pop(0)(line, int(fields[2]))
            else:
                self._describe(line, int(fields[2]), fields[3:])
        elif kind == 20:
            self._answer(line, _asked(fields))
        elif kind == 25:
            self.called_off.append(int(fields[2]))
        elif kind == 49 and self.tells_time:
            line.send(49, 1, int(time.time()))

    def _admit(self, line: Line, client_id: int) -> None:
        self.connected.append(client_id)
        if client_id in self.taken:
            text = "Unable connect as the client id is already in use. Retry with a unique one."
            line.code(-1, 326, text)
            line.close()
            return
        line.client_id = client_id
        line.send(15, 1, "DU1234567")
        line.send(9, 1, 1)
        for number, text in self.notices:
            line.code(-1, number, text)

    def _describe(self, line: Line, request: int, told: list[str]) -> None:
        number, symbol, kind, expiry = told[0], told[1], told[2], told[3]
        exchange, primary, currency = told[7], told[8], told[9]
        found = [
            c
            for c in self._contracts
            if (number in ("0", str(c.number)))
            and (not symbol or c.symbol == symbol)
            and (not kind or c.kind == kind)
            and (not currency or c.currency == currency)
            and (not exchange or c.exchange == exchange)
            and (not primary or c.primary == primary)
            and (not expiry or c.expiry.startswith(expiry))
        ]
        if not found:
            text = "No security definition has been found for the request"
            line.code(request, 200, text)
            return
        for contract in found:
            line.send(*details_message(request, contract))
        line.send(52, 1, request)

    def _answer(self, line: Line, asked: Asked) -> None:
        self.asked.append(asked)
        if self.enforce and self._violates(asked):
            self.violations += 1
            line.code(asked.request, *PACING)
        elif self.scripts:
            self.scripts.pop(0)(line, asked)
        else:
            self.answer(line, asked)

    def answer(self, line: Line, asked: Asked) -> None:
        """The usual answer: what there is of the range."""
        found = [
            bar
            for bar in self._bars.get((asked.number, asked.bar_size), [])
            if asked.since <= _instant(bar[0]) < asked.until
        ]
        if found:
            line.bars(asked.request, found)
            return
        service = "Historical Market Data Service error message"
        text = f"{service}:HMDS query returned no data: {asked.number}@{asked.exchange} Trades"
        line.code(asked.request, 162, text)

    def _violates(self, asked: Asked) -> bool:
        now = self.clock()
        self._times.append((now, asked))
        before = self._times[:-1]
        same = [t for t, a in before if _question(a) == _question(asked) and now - t < 15]
        contract = [t for t, a in before if _place(a) == _place(asked) and now - t < 2]
        recent = [t for t, _ in before if now - t < 600]
        return bool(same) or len(contract) >= 5 or len(recent) >= 60


def details_message(request: int, c: Contract) -> tuple[object, ...]:
    """The fields that describe a contract, as server versions from 164 on send them."""
    head = (10, request, c.symbol, c.kind, c.expiry, "0.0", "", c.exchange, c.currency, c.symbol)
    names = ("NMS", "NMS", c.number, "0.01", "", "LMT,MKT", "SMART,NASDAQ", c.magnifier, 0)
    about = ("A COMPANY", c.primary, "", "Technology", "Computers", "Computers", "US/Eastern")
    hours = ("20210105:0400-2000", "20210105:0930-1600", "", "", 0)
    return (*head, *names, *about, *hours, 1, "", "", "26", "", "COMMON", "1", "1", "100")


def recorded_minutes(data: Path) -> list[Bar]:
    """The recorded minutes of a US stock, 5 January 2021; they were stamped three hours behind UTC.

    Times are seconds since 1970, as they come for the date format that is asked for.
    """
    path = data / "payloads" / "ib" / "historical_bars_1min.jsonl.gz"
    bars = []
    for text in gzip.decompress(path.read_bytes()).decode().splitlines():
        told = json.loads(text)
        at = datetime.fromisoformat(told["date"]).replace(tzinfo=UTC) + timedelta(hours=3)
        names = ("open", "high", "low", "close", "volume", "average", "barCount")
        bars.append((str(int(at.timestamp())), *(str(told[name]) for name in names)))
    return bars


def recorded_codes(data: Path) -> list[dict[str, Any]]:
    """The recorded codes with their words and what they meant."""
    path = data / "payloads" / "ib" / "error_messages_observed.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def minutes(start: datetime, count: int, *, step: int = 60, volume: str = "100") -> list[Bar]:
    """Invented bars, one after the other; prices rise by a cent."""
    first = int(start.timestamp())
    return [
        (
            str(first + i * step),
            f"{100 + i / 100:.2f}",
            f"{100.02 + i / 100:.2f}",
            f"{99.98 + i / 100:.2f}",
            f"{100.01 + i / 100:.2f}",
            volume,
            "-1" if volume == "-1" else f"{100 + i / 100:.2f}",
            "-1" if volume == "-1" else "7",
        )
        for i in range(count)
    ]


def days(first: datetime, count: int) -> list[Bar]:
    """Invented daily bars of weekdays."""
    dates = (first + timedelta(days=i) for i in range(count))
    return [
        (f"{day:%Y%m%d}", "10.0", "11.0", "9.0", "10.5", "1000", "10.2", "50")
        for day in dates
        if day.weekday() < 5
    ]


def tws_on(gateway: IbGateway, **options: Any) -> TwsVendor:
    """A vendor that asks the gateway, without pauses; `waits` collects those it would make."""
    waits: list[float] = options.pop("waits", [])
    found = TwsSettings(
        host=options.pop("host", "127.0.0.1"),
        port=options.pop("port", None) or gateway.port,
        client_id=options.pop("client_id", 17),
        timeout=options.pop("timeout", 10.0),
        volume_unit=options.pop("volume_unit", "shares"),
    )
    return TwsVendor(found, **{"sleep": waits.append, **options})


def _asked(fields: list[str]) -> Asked:
    end, bar_size, duration, regular, prices, date_format = fields[15:21]
    return Asked(
        request=int(fields[1]),
        number=int(fields[2]),
        exchange=fields[9],
        end=end,
        bar_size=bar_size,
        duration=duration,
        regular_hours=regular == "1",
        prices=prices,
        date_format=date_format,
    )


def _message(stream: Any) -> list[str]:
    head = stream.read(4)
    if len(head) < 4:
        return []
    content: bytes = stream.read(struct.unpack(">I", head)[0])
    return content.decode().split("\0")[:-1] or [content.decode()]


def _instant(text: str) -> datetime:
    if len(text) == 8:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(text), UTC)


def _place(asked: Asked) -> tuple[object, ...]:
    return (asked.number, asked.exchange, asked.prices)


def _question(asked: Asked) -> tuple[object, ...]:
    return (*_place(asked), asked.end, asked.duration, asked.bar_size, asked.regular_hours)
