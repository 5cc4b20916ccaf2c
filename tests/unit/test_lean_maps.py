"""Ticker history out of LEAN's map files."""

from __future__ import annotations

from pathlib import Path

import pytest

from market_data.errors import SchemaError
from market_data.reference.lean_maps import parse_map_file


@pytest.mark.parametrize("name", ["aapl", "ibm", "spy"])
def test_a_name_that_never_changed_has_no_ends(name: str, test_data: Path) -> None:
    text = (test_data / "reference" / "lean_map_files" / f"{name}.csv").read_text()
    assert [str(t) for t in parse_map_file(text, "lean")] == [f"lean={name.upper()} .."]


def test_each_name_begins_the_day_after_the_last() -> None:
    text = "20040819,goog,Q\n20140402,goog,Q\n20150101,googl,Q\n20501231,googl,Q\n"
    assert [str(t) for t in parse_map_file(text, "lean")] == [
        "lean=GOOG 2004-08-19..2014-04-02",
        "lean=GOOGL 2014-04-03..",
    ]


def test_a_name_may_come_back_and_end() -> None:
    text = "20100104,a\n20110103,a\n20120103,b\n\n20130103,a\n"
    assert [str(t) for t in parse_map_file(text, "x")] == [
        "x=A 2010-01-04..2011-01-03",
        "x=B 2011-01-04..2012-01-03",
        "x=A 2012-01-04..2013-01-03",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a beginning and ends"),
        ("20100104,a\n", "a beginning and ends"),
        ("20120104,a\n20110104,a\n", "in order of time"),
        ("date,ticker\n20110104,a\n", "'date' is no date"),
        ("20100104\n20110104,a\n", "row 1 is '20100104'"),
        ("20100104,\n20110104,a\n", "row 1 is"),
    ],
)
def test_what_is_no_map_file_is_refused(text: str, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        parse_map_file(text, "lean")
