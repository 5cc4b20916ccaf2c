"""Every Python file that a module's docstring sends its reader to is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "benchmarks", "docs", "emp", "emp_assets", "jobs", "market_data", "resources",
         "sensors", "tests")  # fmt: skip
NAMED = re.compile(r"(?<![\w/.*<>{}-])(?:[\w.-]+/)*[\w-]+\.py\b")
"""A path or name of a Python file; not a pattern of names."""


def modules() -> Iterator[Path]:
    """Every module of the repository."""
    yield from ROOT.glob("*.py")
    for room in ROOMS:
        yield from (ROOT / room).rglob("*.py")


def lacking(module: Path, docstring: str) -> list[str]:
    """The files that a docstring names and that are nowhere to be found.

    A name is meant from the root of the repository, or from a folder in which the module lies.
    """
    inside = module.relative_to(ROOT)
    places = [ROOT / folder for folder in inside.parents]
    return [
        name
        for name in NAMED.findall(docstring)
        if not any((place / name).is_file() for place in places)
    ]


def test_docstrings_name_files_that_exist() -> None:
    found = list(modules())
    assert len(found) > 300, "the rooms are elsewhere"
    wrong = {}
    for module in found:
        docstring = ast.get_docstring(ast.parse(module.read_bytes())) or ""
        if missing := lacking(module, docstring):
            wrong[str(module.relative_to(ROOT))] = missing
    assert wrong == {}


@pytest.mark.parametrize(
    ("docstring", "missing"),
    [
        ("See market_data/macro/calendar.py.", []),
        ("See (calendar.py), macro/bias.py, or pipeline/macro_ingest.py.", []),
        ("See market_data/pipeline/macro.py.", ["market_data/pipeline/macro.py"]),
        ("See macro_ingest.py.", ["macro_ingest.py"]),
        ("Not a name: <vendor>/vendor.py, */cells.py, calendar.pyx, calendar.", []),
    ],
)
def test_what_counts_as_lacking(docstring: str, missing: list[str]) -> None:
    assert lacking(ROOT / "market_data" / "macro" / "vintages.py", docstring) == missing
