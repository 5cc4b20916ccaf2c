"""JSON that nobody should have sent: numbers as they were written, nests, half of a letter."""

from __future__ import annotations

import time

import pytest

from adapters.vendors.http import Answer
from adapters.vendors.json_body import parsed, text_column
from market_data.errors import MalformedAnswerError
from market_data.ports import Payload


def answer(content: bytes) -> Answer:
    return Answer(200, content, Payload(content, "test"))


def test_numbers_stay_what_was_written() -> None:
    found = parsed(answer(b'[1.10, 1e400, NaN, -Infinity, 7, 0.1, "0.1"]'), "Acme")
    assert found == ["1.10", "1e400", "NaN", "-Infinity", "7", "0.1", "0.1"]
    assert parsed(answer(b"[" + b"9" * 10_000 + b"]"), "Acme") == ["9" * 10_000]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"<html>", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe\xfd", b"[1] [2]"],
    ids=["empty", "half", "html", "lists", "objects", "bytes", "two"],
)
def test_anything_else_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match="Acme sent no JSON"):
        parsed(answer(content), "Acme")


@pytest.mark.parametrize("content", [b'{"a": 1, "a": 2}', b'[{"x": {"o": 1, "b": 2, "o": 1}}]'])
def test_an_object_that_names_a_key_twice_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match=r"Acme sent JSON that names '[ao]' twice"):
        parsed(answer(content), "Acme")


def test_a_column_holds_texts_and_tells_what_is_none() -> None:
    values = ["1.5", None, True, {"a": "1"}, ["1"], "\ud800"]
    assert text_column("x", values).to_list() == ["1.5", None, "<bool>", "<dict>", "<list>", "?"]
    assert text_column("x", ["\ud800", None]).to_list() == ["?", None]
    assert text_column("x", []).to_list() == []


def test_a_deep_nest_costs_no_time() -> None:
    nest: list[object] = []
    for _ in range(60):
        nest = [nest]
    began = time.thread_time()
    assert text_column("x", ["1", nest]).to_list() == ["1", "<list>"]
    assert time.thread_time() - began < 1.0
