"""From the fields of a message to bars: recorded, odd and mutated ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from ib_async.decoder import Decoder
from ib_async.objects import BarData

from adapters.vendors.tws.answers import read_bars, read_contracts
from market_data.errors import MalformedAnswerError
from market_data.ports import FetchRequest, SymbolRequest
from market_data.schemas import FETCHED_BARS, PRICES, REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.ib_gateway import (
    MSFT,
    SERVER_VERSION,
    Bar,
    bars_message,
    details_message,
    minutes,
    recorded_minutes,
)

START, END = datetime(2021, 1, 4, tzinfo=UTC), datetime(2021, 1, 7, tzinfo=UTC)
WANTED = SymbolRequest(
    Instrument(symbol="MSFT", asset_class=AssetClass.EQUITY, calendar="XNYS"), "STK:MSFT"
)
BIGGEST = "1.7976931348623157E308"


def ask(timeframe: Timeframe = Timeframe.M1) -> FetchRequest:
    return FetchRequest((WANTED,), timeframe, START, END, datetime(2021, 2, 1, tzinfo=UTC))


def read(bars: list[Bar], timeframe: Timeframe = Timeframe.M1) -> tuple[pl.DataFrame, pl.DataFrame]:
    fields = [str(value) for value in bars_message(1, bars)]
    return read_bars(fields, WANTED, ask(timeframe), START, END)


def bar(*, at: str = "1609857000", **changed: str) -> Bar:
    told = {
        "at": at, "open": "10.0", "high": "11.0", "low": "9.0", "close": "10.5",
        "volume": "100", "vwap": "10.2", "trades": "7",
    } | changed  # fmt: skip
    return tuple(told.values())


def test_recorded_minutes_are_stamped_with_their_start(test_data: Path) -> None:
    """The session's first minute is 9:30 in New York, its last 15:59, then come the auctions."""
    bars, rejected = read(recorded_minutes(test_data))
    assert bars.height == 405
    assert rejected.is_empty()
    opening, closing = (datetime(2021, 1, 5, h, m, tzinfo=UTC) for h, m in ((14, 30), (21, 0)))
    busiest = bars.sort("trades", descending=True).head(100)["ts"]
    assert busiest.min() >= opening
    assert busiest.max() < closing
    regular = bars.filter(pl.col("ts").is_between(opening, closing, closed="left"))
    assert regular.height == 390


class _Listener:
    """What the decoder of ib_async calls."""

    def __init__(self) -> None:
        self.bars: list[BarData] = []

    def historicalData(self, _request: int, bar: BarData) -> None:  # noqa: N802
        self.bars.append(bar)

    def historicalDataEnd(self, *_: object) -> None:  # noqa: N802
        pass


def test_ib_async_reads_the_same_bars(test_data: Path) -> None:
    fields = [str(value) for value in bars_message(1, recorded_minutes(test_data))]
    listener = _Listener()
    Decoder(listener, SERVER_VERSION).historicalData(list(fields))
    bars, _ = read_bars(fields, WANTED, ask(), START, END)
    assert bars.select(*PRICES, "volume", "vwap", "trades").rows() == [
        (b.open, b.high, b.low, b.close, b.volume, b.average, b.barCount) for b in listener.bars
    ]
    assert [str(int(ts.timestamp())) for ts in bars["ts"]] == [b.date for b in listener.bars]


def test_daily_bars_carry_their_date() -> None:
    bars, _ = read([bar(at="20210105")], Timeframe.D1)
    assert bars["ts"].to_list() == [datetime(2021, 1, 5, tzinfo=UTC)]


def test_what_ib_has_not_is_null_and_never_minus_one() -> None:
    bars, rejected = read([bar(volume="-1", vwap="-1.0", trades="-1"), bar(volume=BIGGEST)])
    assert rejected.is_empty()
    assert bars.select("volume", "vwap", "trades").row(0) == (None, None, None)
    assert bars["volume"].to_list() == [None, None]


def test_a_price_may_be_below_zero() -> None:
    bars, rejected = read([bar(open="-1.0", high="-1", low="-37.63", close="-37.63")])
    assert rejected.is_empty()
    assert bars.select(PRICES).row(0) == (-1.0, -1.0, -37.63, -37.63)


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"open": ""}, "null_price"),
        ({"high": BIGGEST}, "null_price"),
        ({"low": "1e999"}, "null_price"),
        (dict.fromkeys(PRICES, BIGGEST), "null_bar"),
        ({"open": "NaN"}, "unreadable"),
        ({"close": "inf"}, "unreadable"),
        ({"close": "ten"}, "unreadable"),
        ({"close": "10,5"}, "unreadable"),
        ({"volume": "many"}, "unreadable"),
        ({"trades": "7.5"}, "unreadable"),
        ({"trades": "9" * 40}, "unreadable"),
        ({"at": ""}, "unreadable"),
        ({"at": "20210105"}, "unreadable"),
        ({"at": "20210105 09:30:00 US/Eastern"}, "unreadable"),
        ({"at": "1609857000.5"}, "unreadable"),
        ({"at": "4102444800"}, "future"),
    ],
)
def test_rows_that_are_no_bars_are_kept_with_their_reason(
    changed: dict[str, str], reasons: str
) -> None:
    bars, rejected = read([bar(**changed), bar(at="1609857060")])
    assert bars.height == 1
    assert rejected["reasons"].to_list() == [reasons]
    told = json.loads(rejected["row"][0])
    assert tuple(told.values()) == bar(**changed)


def test_a_date_that_is_none_is_refused() -> None:
    for at in ("20210230", "2021-01-05", "1609857000", "202101055"):
        bars, rejected = read([bar(at=at)], Timeframe.D1)
        assert bars.is_empty()
        assert rejected["reasons"].to_list() == ["unreadable"]


def test_the_day_that_runs_may_begin_later_than_now_but_not_a_day_later() -> None:
    sunday_evening = datetime(2021, 1, 3, 23, tzinfo=UTC)
    asked = FetchRequest((WANTED,), Timeframe.D1, START, END, sunday_evening)
    fields = [str(v) for v in bars_message(1, [bar(at="20210104"), bar(at="20210105")])]
    bars, rejected = read_bars(fields, WANTED, asked, START, END)
    assert bars["ts"].to_list() == [START]
    assert rejected["reasons"].to_list() == ["future"]


def test_bars_of_another_range_are_left_out() -> None:
    bars, rejected = read(minutes(START - timedelta(minutes=5), 10))
    assert bars["ts"].min() == START
    assert bars.height == 5
    assert rejected.is_empty()


@pytest.mark.parametrize(
    "cut",
    [
        lambda f: f[:-1],
        lambda f: f[:-8],
        lambda f: [*f, "more"],
        lambda f: [*f[:4], "many", *f[5:]],
        lambda f: [*f[:4], "9" * 5000, *f[5:]],
        lambda f: [*f[:4], "-2", *f[5:]],
        lambda f: f[:4],
        lambda f: f[:2],
        lambda f: [],
    ],
)
def test_half_a_message_is_no_answer(cut: Callable[[list[str]], list[str]]) -> None:
    fields = cut([str(value) for value in bars_message(1, minutes(START, 3))])
    with pytest.raises(MalformedAnswerError, match=r"told of .* bars and sent \d+ values"):
        read_bars(fields, WANTED, ask(), START, END)


def test_an_answer_may_hold_no_bars() -> None:
    bars, rejected = read([])
    assert bars.is_empty()
    assert rejected.is_empty()


JUNK = ("", "NaN", "inf", "-1", "0", "abc", "1e400", "1e-400", BIGGEST, "\x00", "é", "9" * 30,
        "20210105", "1,5", " 1.5", "1.5 ", "+1.5", ".5", "5.", "-0", "0x10", "१२", "true",
        )  # fmt: skip


def test_mutated_rows_are_accepted_as_they_are_or_kept_as_refused(test_data: Path) -> None:
    """Of two thousand messages nothing is lost, nothing made up, nothing else raised."""
    chance = random.Random(5)
    real = recorded_minutes(test_data)
    refused = messages = 0
    for _ in range(2_000):
        rows = [list(row) for row in chance.sample(real, 8)]
        for _ in range(chance.randint(1, 6)):
            chance.choice(rows)[chance.randrange(8)] = chance.choice(JUNK)
        fields = [str(value) for value in bars_message(1, [tuple(row) for row in rows])]
        if chance.random() < 0.2:
            del fields[chance.randrange(len(fields))]
        try:
            bars, rejected = read_bars(fields, WANTED, ask(), START, END)
        except MalformedAnswerError:
            messages += 1
            continue
        FETCHED_BARS.check(bars)
        REJECTED_ROWS.check(rejected)
        assert len(fields) == 5 + 64
        assert bars.height + rejected.height == 8
        told = [fields[at : at + 8] for at in range(5, len(fields), 8)]
        for row in bars.iter_rows(named=True):
            match = next(t for t in told if t[0] == str(int(row["ts"].timestamp())))
            told.remove(match)
            assert [row[name] for name in PRICES] == [float(value) for value in match[1:5]]
            for name, value in zip(("volume", "vwap", "trades"), match[5:], strict=True):
                assert _same(row[name], value)
        left = sorted(json.dumps(t) for t in told)
        assert left == sorted(json.dumps(list(json.loads(row).values())) for row in rejected["row"])
        refused += rejected.height
    assert refused > 2_000
    assert messages > 200


def _same(found: float | None, text: str) -> bool:
    if found is None:
        return text in ("", BIGGEST, "1e400") or float(text) == -1
    return found == float(text)


def test_contracts_are_read_with_their_magnifier() -> None:
    fields = [str(value) for value in details_message(1, MSFT)]
    found = read_contracts([fields], SERVER_VERSION)
    assert [(f.number, f.kind, f.name, f.exchange, f.primary) for f in found] == [
        (272093, "STK", "MSFT", "SMART", "NASDAQ")
    ]
    assert (found[0].currency, found[0].magnifier) == ("USD", 1)


def test_mutated_contracts_are_read_or_malformed() -> None:
    chance = random.Random(7)
    whole = [str(value) for value in details_message(1, MSFT)]
    for _ in range(2_000):
        fields = list(whole)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(fields))
            if chance.random() < 0.3:
                del fields[at:]
                fields = fields or [""]
            else:
                fields[at] = chance.choice(JUNK)
        try:
            found = read_contracts([fields], SERVER_VERSION)
        except MalformedAnswerError:
            continue
        assert len(found) == 1
