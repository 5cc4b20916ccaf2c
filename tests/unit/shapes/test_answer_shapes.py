"""What counts as a change of an answer's shape, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from market_data.answer_shapes import (
    AnswerFields,
    ShapeChange,
    ToldChange,
    as_json,
    differences,
    from_json,
    learnt,
    mended,
    news,
    shape_of,
)

FIELDS = AnswerFields(read=("bars/*/close", "bars/*/time", "about/zone"), varying=("events",))


def shape(content: Any) -> Any:
    found = shape_of(json.dumps(content).encode())
    assert found is not None
    return found


def answer(**changes: Any) -> dict[str, Any]:
    bar = {"time": 1, "close": 2.5, "note": "x"}
    return {"bars": [bar, bar], "about": {"zone": "UTC", "page": 1}, "events": {}} | changes


def changed(after: Any, before: Any = None) -> list[tuple[str, str, bool]]:
    found = differences(shape(before or answer()), shape(after), FIELDS)
    return [(c.path, c.change, c.read) for c in found]


def test_fields_have_paths_and_kinds():
    found = shape({"2024-01-02": {"o": "1"}, "rows": [[1, 2.5], [2, None]], "n": None, "e": []})
    assert {path: sorted(kinds) for path, kinds in found.items()} == {
        "": ["object"],
        "*": ["object"],
        "*/o": ["text"],
        "rows": ["array"],
        "rows/*": ["array"],
        "rows/*/place 0": ["number"],
        "rows/*/place 1": ["null", "number"],
        "n": ["null"],
        "e": ["array"],
    }
    assert from_json(as_json(found)) == found


def test_a_table_has_its_columns_for_fields():
    found = shape_of(b"time,open,volume\n2024-01-02,1.5,\n2024-01-03,1.6,\n2024-01-04,1.")
    assert found == {
        "": {"table"},
        "time": {"text"},
        "open": {"number"},
        "volume": {"null"},
    }


@pytest.mark.parametrize(
    "content", [b"", b"<!doctype html><p>a, b", b'{"cut": ', b"\x00\x01", b"[" * 100_000, b"1,2\n"]
)
def test_what_is_neither_has_no_shape(content: bytes):
    assert shape_of(content) is None


def test_the_same_shape_is_no_news():
    other = answer(bars=[{"time": 9, "close": 1, "note": None}])
    assert changed(other) == []


def test_a_field_that_bars_are_made_of_is_gone():
    (found,) = differences(shape(answer()), shape(answer(bars=[{"time": 1, "note": "x"}])), FIELDS)
    assert found == ShapeChange("bars/*/close", "gone", "number", "", read=True)
    assert found.told == ("field 'bars/*/close', which came before, is gone; bars are made of it")


def test_another_field_is_gone_and_one_is_new():
    after = answer(about={"zone": "UTC", "size": 3})
    assert changed(after) == [("about/page", "gone", False), ("about/size", "new", False)]


def test_of_a_part_that_is_gone_its_head_is_told():
    after = answer()
    del after["about"]
    assert changed(after) == [("about", "gone", True)]


def test_another_kind_of_value():
    after = answer(bars=[{"time": 1, "close": "2.5", "note": 3}])
    assert changed(after) == [("bars/*/close", "type", True), ("bars/*/note", "type", False)]
    assert changed(answer(about="UTC")) == [("about", "type", True)]
    assert changed(answer(events=[1])) == [("events", "type", False)]


def test_what_comes_and_goes_and_what_lies_in_nothing_is_no_news():
    paid = answer(events={"paid": {"1700000000": {"amount": 1}}})
    assert changed(paid) == []
    assert changed(answer(), paid) == []
    assert changed(answer(about={"zone": "UTC", "page": None})) == []
    assert changed(answer(bars=None)) == []
    assert changed(answer(), answer(about={})) == []


def test_an_answer_of_another_form_is_one_change():
    assert changed([answer()]) == [("", "type", True)]


def test_rows_without_names_that_lose_a_place():
    fields = AnswerFields(read=("*",))
    before, after = shape([[1, 2, 3], [4, 5, 6]]), shape([[1, 2], [4, 5]])
    assert [c.path for c in differences(before, after, fields)] == ["*/place 2"]


def test_what_an_answer_was_not_judged_by_is_still_expected():
    before = shape(answer(events={"paid": {"1": {"amount": 1}}}, about={"zone": "UTC", "page": 1}))
    after = shape(answer(about={"zone": None}))
    expected = learnt(before, after, differences(before, after, FIELDS))
    assert "events/paid/*/amount" in expected
    assert "about/page" not in expected
    assert expected["about/zone"] == {"text"}


def told(change: ShapeChange, number: int = 1, *, is_open: bool = True) -> ToldChange:
    return ToldChange(number, "AAA", change, is_open)


def test_a_change_is_told_once():
    gone = ShapeChange("close", "gone", "number", "", read=True)
    assert news([gone], []) == [gone]
    assert news([gone], [told(gone)]) == []
    assert news([gone], [told(gone, is_open=False)]) == [gone]
    idle = ShapeChange("note", "gone", "text", "", read=False)
    assert news([idle], [told(idle, is_open=False)]) == []


def test_a_field_that_comes_back_is_no_news():
    gone = ShapeChange("close", "gone", "number", "", read=True)
    assert news([ShapeChange("close", "new", "", "number", read=True)], [told(gone)]) == []
    text = ShapeChange("close", "type", "number", "text", read=True)
    number = ShapeChange("close", "type", "text", "number", read=True)
    assert news([number], [told(text)]) == []
    assert news([gone], [told(ShapeChange("close", "new", "", "number", read=True))]) == [gone]


def test_only_an_answer_about_the_same_symbol_mends():
    gone = told(ShapeChange("bars/*/close", "gone", "number", "", read=True))
    text = told(ShapeChange("bars/*/time", "type", "number", "text", read=True), 2)
    new = told(ShapeChange("size", "new", "", "number", read=False), 3)
    both = [gone, text, new]
    assert mended(shape(answer()), "AAA", both) == [1, 2]
    assert mended(shape(answer()), "BBB", both) == []
    assert mended(shape(answer(bars=[{"time": "1"}])), "AAA", both) == []
