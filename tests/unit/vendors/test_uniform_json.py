"""Rows of one form are read at once, exactly as the slower reader reads them, or not at all."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vendors.alpha_vantage import answers as alpha_vantage_answers
from adapters.vendors.coinbase import candles as coinbase_candles
from adapters.vendors.http import Answer
from adapters.vendors.oanda import candles as oanda_candles
from market_data.errors import MalformedAnswerError, VendorError
from market_data.ports import FetchRequest, Payload, SymbolRequest, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.alpha_vantage_replay import as_json, payload, recorded_csv
from tests.support.candle_replay import coinbase_on, oanda_on, serve_coinbase, serve_oanda
from tests.support.replay_server import ReplayServer

EXAMPLES = 800
DEEP = 1_300
PIECES = [
    *'{}[]":,\\ \n\t\r\x0b\x1e\x00e.-+059', "}, {", "],[", '"}', '":"', '","', "null", "true",
    "false", "NaN", "1e5", "01", "1.", "\u00e9", '"o"', '"candles":[', '"}},{"', '"a":1', "}}",
]  # fmt: skip
"""What is put into a body, or in place of what stands there."""


def answer(content: bytes) -> Answer:
    return Answer(200, content, Payload(content, "x"))


class Form:
    """How a vendor writes an answer, and how it is read.

    Attributes:
        body: an answer.
        module: of the vendor's reader.
        quick: name of the reader of rows of one form in it.
    """

    body: bytes
    module: Any
    quick: str

    @classmethod
    def read(cls, content: bytes) -> Any:
        """What the vendor reads from an answer, in a form that can be compared."""
        frame = cls.module.read_candles(answer(content))
        return frame.schema, frame.rows()

    @classmethod
    def is_quick(cls, content: bytes) -> bool:
        """Whether rows of one form are recognised."""
        return getattr(cls.module, cls.quick)(answer(content)) is not None

    @classmethod
    def found(cls, content: bytes) -> Any:
        """What the vendor reads, or the trouble that it raises."""
        try:
            return cls.read(content)
        except VendorError as trouble:
            return type(trouble), str(trouble)

    @classmethod
    def slowly(cls, content: bytes) -> Any:
        """The same, row by row."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cls.module, cls.quick, lambda *_: None)
            return cls.found(content)


class Coinbase(Form):
    """A list of lists of numbers."""

    body = json.dumps([[60 * n, 1.5 + n, 2.50, 1e-05, -3, 0] for n in range(1, 8)]).encode()
    module = coinbase_candles
    quick = "_at_once"


class Oanda(Form):
    """A list of objects in an object."""

    body = json.dumps(
        {
            "instrument": "X",
            "granularity": "M1",
            "candles": [
                {
                    "complete": n < 6,
                    "volume": n,
                    "time": f"2014-05-08T10:0{n}:00.000000000Z",
                    "mid": {"o": f"{n}.1", "h": f"{n}", "l": "0.5", "c": ""},
                }
                for n in range(7)
            ],
            "more": None,
        }
    ).encode()
    module = oanda_candles
    quick = "_at_once"

    @classmethod
    def read(cls, content: bytes) -> Any:
        frame = oanda_candles.read_candles(answer(content), oanda_candles.Asked("X", "M1"))
        return frame.schema, frame.rows()

    @classmethod
    def is_quick(cls, content: bytes) -> bool:
        return oanda_candles._at_once(answer(content), "mid") is not None


class AlphaVantage(Form):
    """An object of objects in an object, written over several lines."""

    body = json.dumps(
        {
            "Meta Data": {"1. Symbol": "X"},
            "Time Series (Daily)": {
                f"2024-01-0{n}": {
                    "1. open": f"{n}.10",
                    "2. high": n / 8,
                    "3. low": "1",
                    "4. close": "2.0",
                }
                for n in range(1, 8)
            },
        },
        indent=2,
    ).encode()
    module = alpha_vantage_answers
    quick = "cells_at_once"

    @classmethod
    def read(cls, content: bytes) -> Any:
        series = alpha_vantage_answers.read_answer(answer(content))
        return series.cells.schema, series.cells.rows(), series.about, series.title

    @classmethod
    def is_quick(cls, content: bytes) -> bool:
        return alpha_vantage_answers.cells_at_once(content) is not None


FORMS: list[type[Form]] = [Coinbase, Oanda, AlphaVantage]
forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__.lower())


@forms
def test_rows_of_one_form_are_read_as_they_were_sent(form: type[Form]) -> None:
    assert form.is_quick(form.body)
    assert form.read(form.body) == form.slowly(form.body)


@forms
@pytest.mark.parametrize(
    "layout", [{}, {"indent": 4}, {"separators": (",", ":")}, {"separators": (" ,\r\n", " : ")}]
)
def test_however_they_are_laid_out(form: type[Form], layout: Mapping[str, Any]) -> None:
    content = json.dumps(json.loads(form.body), **layout).encode()
    assert form.is_quick(content)
    assert form.read(content) == form.slowly(content)


def damaged(body: bytes, seed: int) -> bytes:
    """The body with other digits, or with a few characters or pieces in other places."""
    chance, text = random.Random(seed), body.decode()
    for _ in range(chance.choice([1, 1, 2, 3])):
        here = chance.randrange(len(text))
        width = chance.choice([0, 1, 1, 2, 5])
        kind = chance.random()
        if kind < 0.2:
            digits = [place for place, letter in enumerate(text) if letter.isdecimal()]
            here = chance.choice(digits)
            text = text[:here] + chance.choice("0123456789") + text[here + 1 :]
        elif kind < 0.6:
            text = text[:here] + chance.choice(PIECES) + text[here + width :]
        elif kind < 0.8:
            other = chance.randrange(len(text))
            piece = text[other : other + chance.randint(1, 60)]
            text = text[:here] + piece + text[here:]
        else:
            text = text[:here] + text[here + chance.randint(1, 60) :]
    return text.encode()


@forms
def test_what_is_read_at_once_is_what_a_damaged_body_says(form: type[Form]) -> None:
    tally: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(st.integers(0, 2**48))
    def hold(seed: int) -> None:
        content = damaged(form.body, seed)
        is_quick = form.is_quick(content)
        tally[is_quick] += 1
        if is_quick:
            assert form.found(content) == form.slowly(content), content

    hold()
    assert tally[True] > EXAMPLES // 50


Edit = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("form", "edit"),
    [
        (Coinbase, lambda b: b.replace(b"[60,", b"[60, 1,")),
        (Coinbase, lambda b: b.replace(b"[60, 2.5,", b"[60,")),
        (Coinbase, lambda b: b.replace(b"[60,", b"[], [60,")),
        (Coinbase, lambda b: b.replace(b"[60,", b"[060,")),
        (Coinbase, lambda b: b.replace(b"[60,", b'["60",')),
        (Coinbase, lambda b: b.replace(b"-3, 0], [120", b"-3, 0\x1e120")),
        (Coinbase, lambda b: b.replace(b"-3, 0], [120", b"-3, 0], \x0b[120")),
        (Oanda, lambda b: b.replace(b'"volume": 3', b'"volume": null')),
        (Oanda, lambda b: b.replace(b'"volume": 3', b'"volume": 03')),
        (Oanda, lambda b: b.replace(b'"volume": 3', b'"volume" 3')),
        (Oanda, lambda b: b.replace(b'"volume": 3', b'"volume": 3, "volume": 4')),
        (Oanda, lambda b: b.replace(b'"volume": ', b'"complete": 1, "volume": ')),
        (Oanda, lambda b: b.replace(b'"complete": true, "volume": 3', b'"volume": 3')),
        (Oanda, lambda b: b.replace(b'"2014-05-08T10:03', b'"2014-05-08T10:0\\u0033')),
        (Oanda, lambda b: b.replace(b'"2014-05-08T10:03', b'"2014-05-08T10:0\n')),
        (Oanda, lambda b: b.replace(b'"0.5"', '"\u0660.5"'.encode())),
        (Oanda, lambda b: b.replace(b'"c": ""}}, {', b'"c": "}}, {')),
        (Oanda, lambda b: b.replace(b'"more": null', b'"candles": []')),
        (Oanda, lambda b: b'{"x": ' + b.replace(b', "more"', b'}, "candles": [], "more"')),
        (AlphaVantage, lambda b: b.replace(b"2024-01-02", b"2024-01-03")),
        (AlphaVantage, lambda b: b.replace(b'"2. high": 0.25', b'"1. open": 0.25')),
        (AlphaVantage, lambda b: b.replace(b'"1. open": "2.10"', b'"2. high": "2.10"')),
    ],
)
def test_whatever_is_written_in_another_way_is_left_to_the_slower_reader(
    form: type[Form], edit: Edit
) -> None:
    content = edit(form.body)
    assert content != form.body
    assert not form.is_quick(content)
    assert form.found(content) == form.slowly(content)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_column_of_one_number_in_words_is_left_to_the_slower_reader(word: bytes) -> None:
    content = Coinbase.body.replace(b", 0]", b", " + word + b"]")
    assert not Coinbase.is_quick(content)
    frame = coinbase_candles.read_candles(answer(content))
    assert frame["volume"].to_list() == [word.decode()] * 7


def test_a_row_that_breaks_off_within_a_text_is_no_row() -> None:
    content = Oanda.body.replace(
        b'03:00.000000000Z", "mid": {"o": "3.1", "h": "3", "l": "0.5", "c": ""}}', b"03:00}}"
    )
    assert content != Oanda.body
    with pytest.raises(MalformedAnswerError, match="sent no JSON"):
        Oanda.read(content)


NEST = b'{"":' * DEEP + b"1" + b"}" * DEEP


@pytest.mark.parametrize(
    ("form", "place", "put"),
    [
        (Coinbase, b", 0]", b", " + b"[" * DEEP + b"]" * DEEP + b"]"),
        (Oanda, b'"M1", ', b'"M1", "deep": ' + NEST + b", "),
        (Oanda, b"null}", b"[" * DEEP + b"]" * DEEP + b"}"),
        (AlphaVantage, b'"X"', NEST),
        (AlphaVantage, b"  }\n}", b'  }, "deep": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    ],
)
def test_what_is_nested_too_deep_is_a_malformed_answer(
    form: type[Form], place: bytes, put: bytes
) -> None:
    content = form.body.replace(place, put)
    assert content != form.body
    with pytest.raises(MalformedAnswerError, match="sent no JSON"):
        form.read(content)


# Answers that were recorded, or are made of real bars, are all read in the quick way.


def bodies(
    vendor: Vendor, kind: AssetClass, name: str, timeframe: Timeframe, first: datetime
) -> list[bytes]:
    """Bodies of the answers about three days."""
    calendar = {AssetClass.FX: "fx", AssetClass.CRYPTO: "24/7"}[kind]
    wanted = SymbolRequest(Instrument(symbol="X", asset_class=kind, calendar=calendar), name)
    end = first + timedelta(days=3)
    request = FetchRequest((wanted,), timeframe, first, end, datetime(2019, 1, 1, tzinfo=UTC))
    return [p.content for result in vendor.fetch(request) for p in result.payloads]


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.D1])
def test_every_answer_of_coinbase_is_read_at_once(test_data: Path, timeframe: Timeframe) -> None:
    with ReplayServer() as server:
        serve_coinbase(server, test_data)
        first = datetime(2017, 9, 2, tzinfo=UTC)
        found = bodies(coinbase_on(server), AssetClass.CRYPTO, "BTC-USD", timeframe, first)
    whole = [content for content in found if content != b"[]"]
    assert len(whole) == {Timeframe.M1: 11, Timeframe.D1: 1}[timeframe]
    assert all(map(Coinbase.is_quick, whole))


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.H1, Timeframe.D1])
def test_every_answer_of_oanda_is_read_at_once(test_data: Path, timeframe: Timeframe) -> None:
    with ReplayServer() as server:
        serve_oanda(server, test_data, datetime(2019, 1, 1, tzinfo=UTC))
        first = datetime(2014, 5, 5, tzinfo=UTC)
        found = bodies(oanda_on(server), AssetClass.FX, "EUR_USD", timeframe, first)
    assert found
    assert all(map(Oanda.is_quick, found))


@pytest.mark.parametrize("interval", ["", "1min"])
def test_every_answer_of_alpha_vantage_is_read_at_once(test_data: Path, interval: str) -> None:
    query = {"symbol": "AAPL", "outputsize": "compact"} | (
        {"interval": interval} if interval else {}
    )
    assert AlphaVantage.is_quick(as_json(recorded_csv(test_data, "AAPL", interval), query))


RECORDED = [
    "FX_DAILY_EURUSD_2026-01_2rows.json",
    "FX_INTRADAY_EURUSD_5min_2026-01_2rows.json",
    "TIME_SERIES_DAILY_AAPL_2017-12_3rows.json",
    "TIME_SERIES_INTRADAY_MSFT_1min.json",
]


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_table_is_read_at_once(test_data: Path, name: str) -> None:
    content = payload(test_data, name)
    assert AlphaVantage.is_quick(content)
    assert AlphaVantage.read(content) == AlphaVantage.slowly(content)
