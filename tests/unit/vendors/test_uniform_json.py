"""Rows of one form are read at once, exactly as the slower reader reads them, or not at all."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vendors.json_body import exactly
from adapters.vendors.uniform_json import OWN_KEY, cut, lists, objects

Columns = Mapping[Any, list[Any]]
EXAMPLES = 800
PIECES = [
    *'{}[]":,\\ \n\t\r\x0b\x1e\x00e.-+059', "}, {", "],[", '"}', '":"', '","', "null", "true",
    "false", "NaN", "1e5", "01", "1.", "\u00e9", '"o"', '"candles":[', '"}},{"', '"a":1', "}}",
]  # fmt: skip
"""What is put into a body, or in place of what stands there."""


def flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The values of a row by their paths."""
    if not isinstance(value, dict):
        return {path: value}
    return {key: v for name, part in value.items() for key, v in flat(part, (*path, name)).items()}


def as_columns(rows: list[dict[Any, Any]]) -> Columns:
    assert all(row.keys() == rows[0].keys() for row in rows)
    return {key: [row[key] for row in rows] for key in rows[0]}


def told(columns: Mapping[Any, pl.Series] | None) -> Columns | None:
    return None if columns is None else {key: c.to_list() for key, c in columns.items()}


class Lists:
    """A list of lists of numbers."""

    body = json.dumps([[60 * n, 1.5 + n, 2.50, 1e-05, -3, 0] for n in range(7)]).encode()

    @staticmethod
    def at_once(content: bytes) -> Columns | None:
        if not (content.startswith(b"[") and content.endswith(b"]")):
            return None
        found = lists(content[1:-1], 6)
        return None if found is None else dict(enumerate(c.to_list() for c in found))

    @staticmethod
    def one_by_one(content: bytes) -> Columns:
        return as_columns([dict(enumerate(row)) for row in exactly(content)])


class Objects:
    """A list of objects in an object."""

    body = json.dumps(
        {
            "instrument": "X",
            "candles": [
                {"complete": n < 6, "volume": n, "time": f"T{n}", "mid": {"o": f"{n}", "c": ""}}
                for n in range(7)
            ],
            "more": None,
        }
    ).encode()

    @staticmethod
    def at_once(content: bytes) -> Columns | None:
        parts = cut(content, b"candles", b"[")
        found = told(objects(parts.rows)) if parts else None
        return found if parts and found and _is_empty(parts.frame, "candles", []) else None

    @staticmethod
    def one_by_one(content: bytes) -> Columns:
        return as_columns([flat(row) for row in exactly(content)["candles"]])


class Members:
    """An object of objects in an object, written over several lines."""

    body = json.dumps(
        {
            "Meta Data": {"1. Symbol": "X"},
            "Time Series (Daily)": {
                f"2024-01-0{n}": {"1. open": f"{n}.10", "2. close": n / 8} for n in range(1, 8)
            },
        },
        indent=2,
    ).encode()

    @staticmethod
    def at_once(content: bytes) -> Columns | None:
        parts = cut(content, rb"Time Series[^\"]*", b"{")
        found = told(objects(parts.rows, members=True)) if parts else None
        whole = parts and found and _is_empty(parts.frame, "Time Series (Daily)", {})
        if not whole or len(set(found[OWN_KEY])) < len(found[OWN_KEY]):  # type: ignore[index]
            return None
        return found

    @staticmethod
    def one_by_one(content: bytes) -> Columns:
        rows = exactly(content)["Time Series (Daily)"]
        return as_columns([{OWN_KEY: key, **flat(row)} for key, row in rows.items()])


def _is_empty(frame: bytes, key: str, nothing: Any) -> bool:
    try:
        body = exactly(frame)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and body.get(key) == nothing


FORMS: list[Any] = [Lists, Objects, Members]
forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__.lower())


@forms
def test_rows_of_one_form_are_read_as_they_were_sent(form: Any) -> None:
    assert form.at_once(form.body) == form.one_by_one(form.body)


@forms
@pytest.mark.parametrize(
    "layout", [{}, {"indent": 4}, {"separators": (",", ":")}, {"separators": (" ,\r\n", " : ")}]
)
def test_however_they_are_laid_out(form: Any, layout: Mapping[str, Any]) -> None:
    content = json.dumps(json.loads(form.body), **layout).encode()
    assert form.at_once(content) == form.one_by_one(content)


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
def test_what_is_read_at_once_is_what_a_damaged_body_says(form: Any) -> None:
    tally: Counter[bool] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(st.integers(0, 2**48))
    def hold(seed: int) -> None:
        content = damaged(form.body, seed)
        found = form.at_once(content)
        tally[found is not None] += 1
        if found is not None:
            assert found == form.one_by_one(content), content

    hold()
    assert tally[True] > EXAMPLES // 50


Edit = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("form", "edit"),
    [
        (Lists, lambda b: b.replace(b"[60,", b"[60, 1,")),
        (Lists, lambda b: b.replace(b"[60, 2.5,", b"[60,")),
        (Lists, lambda b: b.replace(b"[60,", b"[], [60,")),
        (Lists, lambda b: b.replace(b"[60,", b"[060,")),
        (Lists, lambda b: b.replace(b"[60,", b'["60",')),
        (Lists, lambda b: b.replace(b"-3, 0], [120", b"-3, 0\x1e120")),
        (Lists, lambda b: b.replace(b"-3, 0], [120", b"-3, 0], \x0b[120")),
        (Objects, lambda b: b.replace(b'"volume": 3', b'"volume": null')),
        (Objects, lambda b: b.replace(b'"volume": 3', b'"volume": 03')),
        (Objects, lambda b: b.replace(b'"volume": 3', b'"volume" 3')),
        (Objects, lambda b: b.replace(b'"volume": 3', b'"volume": 3, "volume": 4')),
        (Objects, lambda b: b.replace(b'"volume": ', b'"complete": 1, "volume": ')),
        (Objects, lambda b: b.replace(b'"complete": true, "volume": 3', b'"volume": 3')),
        (Objects, lambda b: b.replace(b'"T3"', b'"T\\u0033"')),
        (Objects, lambda b: b.replace(b'"T3"', b'"T\n"')),
        (Objects, lambda b: b.replace(b'"T3"', "T\u0663".encode())),
        (Objects, lambda b: b.replace(b'"c": ""}}, {', b'"c": "}}, {')),
        (Objects, lambda b: b.replace(b'"more": null', b'"candles": []')),
        (Objects, lambda b: b'{"x": ' + b.replace(b', "more"', b'}, "candles": [], "more"')),
        (Members, lambda b: b.replace(b"2024-01-02", b"2024-01-03")),
        (Members, lambda b: b.replace(b'"2. close": 0.25', b'"1. open": 0.25')),
        (Members, lambda b: b.replace(b'"1. open": "2.10"', b'"2. close": "2.10"')),
    ],
)
def test_whatever_is_written_in_another_way_is_left_to_the_slower_reader(
    form: Any, edit: Edit
) -> None:
    content = edit(form.body)
    assert content != form.body
    assert form.at_once(content) is None
