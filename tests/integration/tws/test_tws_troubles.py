"""Interactive Brokers in trouble: refused connections, hangs, codes, half messages, garbage."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.stores.locks import NamedLocks
from adapters.vendors.outcome import outcome_of
from adapters.vendors.tws.gateway import Gateway
from adapters.vendors.tws.inquiry import Address, Inquiry
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnreachableError,
    VendorError,
)
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolOutcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import outcomes_of, rows_of
from tests.support.ib_gateway import (
    AAPL,
    MSFT,
    PACING,
    Asked,
    Contract,
    IbGateway,
    Line,
    Script,
    bars_message,
    framed,
    minutes,
    recorded_codes,
    tws_on,
)

START = datetime(2021, 1, 5, 14, 30, tzinfo=UTC)
NOW = datetime(2021, 2, 1, tzinfo=UTC)
SERVICE = "Historical Market Data Service error message:"


def wanted(symbol: str, text: str = "", calendar: str = "XNYS") -> SymbolRequest:
    instrument = Instrument(symbol=symbol, asset_class=AssetClass.EQUITY, calendar=calendar)
    return SymbolRequest(instrument, text or symbol)


def question(*symbols: str, timeframe: Timeframe = Timeframe.M1) -> FetchRequest:
    return FetchRequest(
        tuple(wanted(s) for s in symbols), timeframe, START, START + timedelta(days=1), NOW
    )


@pytest.fixture
def gateway() -> Iterator[IbGateway]:
    with IbGateway() as found:
        for contract in (AAPL, MSFT):
            found.add(contract, minutes(START, 30))
        yield found


def fetch(gateway: IbGateway, *symbols: str, **options: Any) -> list[FetchResult]:
    vendor = tws_on(gateway, **{"timeout": 0.4, **options})
    return list(vendor.fetch(question(*(symbols or ("AAPL",)))))


def outcome(gateway: IbGateway, **options: Any) -> SymbolOutcome:
    return outcomes_of(fetch(gateway, **options))["AAPL"]


# Connecting.


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        waits: list[float] = []
        with pytest.raises(UnreachableError, match=rf"127.0.0.1:{port} \(TWS_HOST, TWS_PORT\)"):
            fetch(IbGateway(), port=port, waits=waits)
    assert len(waits) == 2


def test_no_such_machine() -> None:
    with pytest.raises(UnreachableError, match=r"no-such-host\.invalid:4002"):
        fetch(IbGateway(), host="no-such-host.invalid", port=4002, timeout=10.0, attempts=1)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fetch(IbGateway(), host="x" * 80, port=4002, attempts=1)


def test_no_machine_is_named(gateway: IbGateway) -> None:
    with pytest.raises(UnreachableError, match="TWS_HOST is not set"):
        fetch(gateway, host="")


@pytest.mark.parametrize(
    ("welcome", "told"),
    [
        (lambda line: time.sleep(1.0), "let nobody in within 0.4 s"),
        (lambda line: line.close(), "ended the connection"),
        (lambda line: line.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "ended|let nobody in"),
        (lambda line: line.raw(framed("a version", "a time")), "does not speak TWS's language"),
        (lambda line: line.raw(framed(100, "a time")), "must be >= 972"),
        (lambda line: line.raw(framed(176, "now") + framed("x")), "cannot be read|language"),
    ],
)
def test_whoever_listens_is_no_gateway(
    gateway: IbGateway, welcome: Callable[[Line], None], told: str
) -> None:
    gateway.welcome = welcome
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=told):
        fetch(gateway, attempts=1)
    assert time.monotonic() - started < 3.0


def test_the_client_id_is_taken(gateway: IbGateway) -> None:
    gateway.taken = {17}
    with pytest.raises(UnreachableError, match=r"\(326\).*TWS_CLIENT_ID"):
        fetch(gateway)
    assert gateway.connected == [17, 17, 17]
    assert outcome(gateway, client_id=18).outcome is Outcome.ROWS


def test_ib_itself_is_lost_when_we_connect(gateway: IbGateway) -> None:
    gateway.notices = [(2110, "Connectivity between TWS and server is broken.")]
    with pytest.raises(UnreachableError, match="2110"):
        fetch(gateway, attempts=1)


def test_a_broken_farm_stops_nobody_from_connecting(gateway: IbGateway) -> None:
    gateway.notices = [(2105, "HMDS data farm connection is broken:euhmds")]
    assert outcome(gateway).outcome is Outcome.ROWS


# While it answers.


def code(number: int, text: str) -> Script:
    return lambda line, asked: line.code(asked.request, number, text)


def test_a_question_that_hangs_is_called_off_and_stops_no_other(gateway: IbGateway) -> None:
    gateway.scripts = [lambda line, asked: None] * 2
    results = fetch(gateway, "AAPL", "MSFT", attempts=2)
    found = outcomes_of(results)
    assert found["AAPL"].outcome is Outcome.FAILED
    assert "did not answer within 0.4 s" in found["AAPL"].detail
    assert found["MSFT"].outcome is Outcome.ROWS
    assert len(gateway.called_off) == 2


def test_a_farm_that_is_down_is_named_where_nothing_comes(gateway: IbGateway) -> None:
    gateway.notices = [(2105, "HMDS data farm connection is broken:ushmds")]
    gateway.scripts = [lambda line, asked: None]
    assert "broken:ushmds" in outcome(gateway, attempts=1).detail


def test_a_gateway_that_hangs_ends_the_answer(gateway: IbGateway) -> None:
    gateway.scripts = [lambda line, asked: None] * 9
    gateway.tells_time = False
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="hangs"):
        fetch(gateway, "AAPL", "MSFT", attempts=2)
    assert time.monotonic() - started < 5.0
    assert len(gateway.asked) == 2


def test_a_gateway_that_drips_is_given_up(gateway: IbGateway) -> None:
    def drip(line: Line, asked: Asked) -> None:
        line.drip(framed(*bars_message(asked.request, minutes(START, 30))), 0.02)

    gateway.scripts = [drip]
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="hangs"):
        fetch(gateway, attempts=1)
    assert time.monotonic() - started < 3.0


def test_a_connection_that_breaks_in_the_middle_is_made_anew(gateway: IbGateway) -> None:
    def half(line: Line, asked: Asked) -> None:
        line.raw(framed(*bars_message(asked.request, minutes(START, 30)))[:500])
        line.close()

    gateway.scripts = [half, half]
    results = fetch(gateway)
    assert rows_of(results).height == 30
    assert len(gateway.connected) == 3
    gateway.scripts = [half] * 3
    found = outcomes_of(fetch(gateway, "AAPL", "MSFT"))
    assert found["AAPL"].outcome is Outcome.FAILED
    assert "broke off" in found["AAPL"].detail
    assert found["MSFT"].outcome is Outcome.ROWS


@pytest.mark.parametrize(
    ("price", "outcome"), [("x", Outcome.FAILED), ("", Outcome.FAILED), ("1.5", Outcome.ROWS)]
)
def test_bars_of_which_none_can_be_read_are_not_nothing(
    gateway: IbGateway, price: str, outcome: Outcome
) -> None:
    def spoil(line: Line, asked: Asked) -> None:
        line.bars(asked.request, [(bar[0], price, *bar[2:]) for bar in minutes(START, 3)])

    gateway.scripts = [spoil] * 3
    assert outcomes_of(fetch(gateway))["AAPL"].outcome is outcome


def test_a_stream_that_is_out_of_step_is_left(gateway: IbGateway) -> None:
    gateway.scripts = [
        lambda line, asked: line.raw(framed(*bars_message(asked.request, minutes(START, 30)))[:500])
    ]
    assert rows_of(fetch(gateway, attempts=2)).height == 30
    assert len(gateway.connected) == 2


def test_what_is_about_another_question_is_not_ours(gateway: IbGateway) -> None:
    def confuse(line: Line, asked: Asked) -> None:
        line.code(asked.request + 7, 162, SERVICE + "HMDS query returned no data: X")
        line.code(asked.request + 7, 200, "No security definition has been found")
        line.bars(asked.request + 7, minutes(START - timedelta(hours=1), 3))
        line.code(-1, 2104, "Market data farm connection is OK:usfarm")
        line.code(-1, 2103, "Market data farm connection is broken:usfarm")
        line.send(6, 2, "NetLiquidation", "1000000", "USD", "DU1")
        line.send(4711, "a kind that nobody knows")
        gateway.answer(line, asked)

    gateway.scripts = [confuse]
    results = fetch(gateway)
    assert rows_of(results)["ts"].min() == START
    assert rows_of(results).height == 30


def test_a_notice_about_our_question_is_no_answer(gateway: IbGateway) -> None:
    def warn(line: Line, asked: Asked) -> None:
        line.code(asked.request, 2174, "You submitted request without explicit time zone")
        line.code(asked.request, 10167, "Displaying delayed market data.")
        gateway.answer(line, asked)

    gateway.scripts = [warn]
    assert outcome(gateway).outcome is Outcome.ROWS


def test_a_pacing_violation_is_waited_out(gateway: IbGateway) -> None:
    gateway.scripts = [code(*PACING)]
    waits: list[float] = []
    assert outcome(gateway, waits=waits).outcome is Outcome.ROWS
    assert 15.0 <= waits[0] <= 16.0
    gateway.scripts = [code(*PACING)] * 3
    with pytest.raises(RateLimitedError, match="pacing violation"):
        fetch(gateway, "AAPL", "MSFT")
    assert len(gateway.connected) == 2


def test_every_recorded_code_ends_typed(gateway: IbGateway, test_data: Path) -> None:
    for told in recorded_codes(test_data):
        if "farm connection is OK" in told["message"] or "scanner" in told["message"]:
            continue
        gateway.scripts = [code(told["code"], told["message"])] * 3
        try:
            found = outcome(gateway)
        except VendorError as trouble:
            assert told["is_pacing"] or "different IP" in told["message"], trouble
            continue
        assert not told["is_pacing"]
        nothing = "returned no data" in told["message"]
        assert (found.outcome is Outcome.NOTHING) is nothing
        assert nothing or str(told["code"]) in found.detail


def test_a_permission_that_lacks_is_refused_and_stops_no_other(gateway: IbGateway) -> None:
    gateway.scripts = [code(162, SERVICE + "No market data permissions for ISLAND STK")]
    found = outcomes_of(fetch(gateway, "AAPL", "MSFT"))
    assert found["AAPL"].outcome is Outcome.REFUSED
    assert found["MSFT"].outcome is Outcome.ROWS


def test_what_ib_does_not_take_is_not_asked_again(gateway: IbGateway) -> None:
    gateway.scripts = [code(321, "Error validating request: cause - invalid duration")]
    found = outcome(gateway, timeout=5.0)
    assert found.outcome is Outcome.FAILED
    assert "321" in found.detail
    assert len(gateway.asked) == 1


def test_ib_is_lost_in_the_middle(gateway: IbGateway) -> None:
    gateway.scripts = [
        lambda line, asked: line.code(-1, 1100, "Connectivity between IB and the TWS is lost.")
    ]
    with pytest.raises(UnreachableError, match="1100"):
        fetch(gateway, "AAPL", "MSFT", attempts=1, timeout=5.0)


def test_a_farm_goes_down_in_the_middle(gateway: IbGateway) -> None:
    gateway.scripts = [
        lambda line, asked: line.code(-1, 2105, "HMDS data farm connection is broken:ushmds")
    ]
    assert outcome(gateway, timeout=5.0).outcome is Outcome.ROWS
    assert len(gateway.asked) == 2


@pytest.mark.parametrize(
    "garbage",
    [
        lambda asked: framed("seventeen", asked.request),
        lambda asked: framed(17, "which", "a", "b", 0),
        lambda asked: framed(17),
        lambda asked: framed(4, 2, "x", "y", "z"),
        lambda asked: framed(4, 2),
        lambda asked: framed(),
        lambda asked: struct.pack(">I", 6) + b"\xff\xfe\x00\x80\x81\x00",
        lambda asked: framed(17, asked.request, "a", "b", 3, "1609857000", "1", "2"),
        lambda asked: framed(17, asked.request, "a"),
    ],
)
def test_garbage_is_malformed_and_the_next_attempt_succeeds(
    gateway: IbGateway, garbage: Callable[[Asked], bytes]
) -> None:
    gateway.scripts = [lambda line, asked: line.raw(garbage(asked))] * 2
    assert rows_of(fetch(gateway)).height == 30
    gateway.scripts = [lambda line, asked: line.raw(garbage(asked))] * 3
    assert outcome(gateway).outcome is Outcome.FAILED


def test_a_length_that_cannot_be_is_given_up(gateway: IbGateway) -> None:
    gateway.scripts = [lambda line, asked: line.raw(b"\xff\xff\xff\xff" + b"x" * 100)]
    with pytest.raises(UnreachableError, match="hangs"):
        fetch(gateway, attempts=1)


def test_an_answer_without_end_is_given_up(gateway: IbGateway) -> None:
    def flood(line: Line, asked: Asked) -> None:
        line.raw(struct.pack(">I", 10**9))
        for _ in range(200):
            line.raw(b"x" * 10_000)

    inquiry = Inquiry(
        send=lambda client, request: client.cancelHistoricalData(request),
        parts=frozenset({17}),
        last=17,
        farm_code=2105,
    )
    with IbGateway() as flooding:
        address = Address("127.0.0.1", flooding.port, 1)
        asking = Gateway(address, timeout=5.0, most_bytes=100_000)
        flooding._take = lambda line, fields: (  # type: ignore[method-assign]
            flood(line, None) if fields[0] == "25" else IbGateway._take(flooding, line, fields)  # type: ignore[arg-type]
        )
        with pytest.raises(MalformedAnswerError, match="longer than 100,000 bytes"):
            asking.ask(inquiry)
        asking.close()


def test_two_hundred_mangled_streams_end_typed(gateway: IbGateway) -> None:
    """Bytes changed, cut, doubled and put in between, behind a length that fits or does not."""
    chance = random.Random(11)
    ended: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    for _ in range(200):

        def mangle(line: Line, asked: Asked) -> None:
            content = bytearray(framed(*bars_message(asked.request, minutes(START, 3))))
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(4 if chance.random() < 0.9 else 0, len(content))
                how = chance.random()
                if how < 0.6:
                    content[at] = chance.randrange(256)
                elif how < 0.8:
                    content[at:at] = bytes(chance.randrange(256) for _ in range(3))
                else:
                    del content[at : at + chance.randint(1, 9)]
            line.raw(bytes(content))
            if chance.random() < 0.5:
                line.close()

        gateway.scripts = [mangle]
        try:
            results = fetch(gateway, attempts=1, timeout=0.05)
        except VendorError as trouble:
            ended[type(trouble).__name__] += 1
            continue
        found = outcomes_of(results)["AAPL"]
        ended[found.outcome] += 1
        bars, refused = rows_of(results).height, sum(r.rejected.height for r in results)
        assert bars + refused <= 3
        if bars + refused == 0:
            # Another trouble of this symbol alone, or IB's word that there is nothing.
            assert found.outcome in (Outcome.FAILED, Outcome.NOTHING)
            tally["neither"] += 1
            continue
        assert found.outcome is outcome_of(bars, refused).outcome
        assert bars or "quarantine" in found.detail
        tally["bars" if bars else "refused rows alone"] += 1
    assert len(ended) >= 3
    assert set(tally) == {"bars", "refused rows alone", "neither"}


# Contracts.


def test_several_contracts_are_told_apart_by_the_user(gateway: IbGateway) -> None:
    gateway.add(Contract(7, "AAPL", primary="MEXI"), minutes(START, 3))
    found = outcome(gateway)
    assert found.outcome is Outcome.FAILED
    assert "2 contracts" in found.detail
    assert "CONID:7" in found.detail
    vendor = tws_on(gateway)
    asked = FetchRequest((wanted("AAPL", "STK:AAPL:SMART:USD:NASDAQ"),), Timeframe.M1, START,
                         START + timedelta(days=1), NOW)  # fmt: skip
    assert rows_of(list(vendor.fetch(asked))).height == 30


def test_a_description_that_is_cut_off_is_malformed(gateway: IbGateway) -> None:
    def cut(line: Line, request: int) -> None:
        line.send(10, request, "AAPL", "STK")
        line.send(52, 1, request)

    gateway.lookups = [cut] * 3
    found = outcome(gateway)
    assert found.outcome is Outcome.FAILED
    assert "cannot be read" in found.detail


@pytest.mark.parametrize(
    ("calendar", "timeframe", "ends"),
    [
        # New York opens at 9:30, Bombay at 9:15.
        ("XNYS", Timeframe.H1, Outcome.UNAVAILABLE),
        ("XNYS", Timeframe.M30, Outcome.ROWS),
        ("XBOM", Timeframe.M30, Outcome.UNAVAILABLE),
    ],
)
def test_hours_of_the_clock_are_not_hours_of_the_session(
    gateway: IbGateway, calendar: str, timeframe: Timeframe, ends: Outcome
) -> None:
    gateway.add(AAPL, minutes(START, 2, step=1_800), "30 mins")
    vendor = tws_on(gateway)
    asked = replace(question(timeframe=timeframe), symbols=(wanted("AAPL", calendar=calendar),))
    results = list(vendor.fetch(asked))
    assert outcomes_of(results)["AAPL"].outcome is ends
    assert bool(gateway.looked_up) is (ends is Outcome.ROWS)


# Threads, loops, processes.


def test_it_works_inside_a_running_loop(gateway: IbGateway) -> None:
    async def notebook() -> list[FetchResult]:
        return fetch(gateway, timeout=10.0)

    assert rows_of(asyncio.run(notebook())).height == 30


def test_it_works_in_threads_and_leaves_none_behind(gateway: IbGateway) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: fetch(gateway, client_id=20 + i, timeout=10.0), range(4)))
    assert [rows_of(a).height for a in answers] == [30] * 4
    assert "tws" not in {t.name for t in threading.enumerate()}


def test_an_answer_that_nobody_reads_on_ends_its_connection(gateway: IbGateway) -> None:
    answer = tws_on(gateway).fetch(question("AAPL", "MSFT"))
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert "tws" not in {t.name for t in threading.enumerate()}


def test_one_number_connects_once_at_a_time(gateway: IbGateway, tmp_path: Path) -> None:
    locks = NamedLocks(tmp_path, timeout=0.1)
    with (
        locks.hold(["client 17"]),
        pytest.raises(UnreachableError, match="another TWS_CLIENT_ID"),
    ):
        fetch(gateway, locks=NamedLocks(tmp_path, timeout=0.1))
    assert not gateway.connected
    assert outcome(gateway, locks=locks).outcome is Outcome.ROWS
