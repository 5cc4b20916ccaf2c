"""Every finding of operations leads to a page that says what to do, and its commands exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.settings import PROJECT
from emp.cli import command
from market_data.operations import latency
from market_data.operations.limits import OperationsLimits
from market_data.operations.pages import PAGES, UNSEEN, page_of, page_of_all, place_of
from market_data.operations.reports import MAKERS
from market_data.ports.event_results import Dimension

FOLDER = PROJECT / "docs" / "runbooks"
CODES = {code for codes in PAGES.values() for code in codes.split()}
SOURCES = [*(PROJECT / "market_data" / "operations").glob("*.py")]
HANDED_ON = {
    # Of a report that is kept: the codes of others.
    "kept_reports.py": {"str(f['code'])": set()},
    "latency.py": {"CODES[row['stage']]": {*latency.CODES.values()}},
    # Named by those who hand it on.
    "kafka_readiness.py": {"code": set()},
}
"""Codes that do not stand where their finding is made: the words there, and what they stand for."""


def codes_of(source: Path) -> Iterator[str]:
    """The code of every finding that a module makes; those without one have no page."""
    for call in ast.walk(ast.parse(source.read_text())):
        if not isinstance(call, ast.Call):
            continue
        third = call.args[2:3] if ast.unparse(call.func) == "Reason" else []
        named = [k.value for k in call.keywords if k.arg == "code"]
        for code in [*third, *named]:
            if isinstance(code, ast.Constant):
                yield code.value
            else:
                yield from HANDED_ON[source.name][ast.unparse(code)]


def test_every_code_that_is_found_has_a_page_and_every_page_only_such() -> None:
    assert {code for source in SOURCES for code in codes_of(source)} == CODES
    assert UNSEEN < CODES


def slug(title: str) -> str:
    """A title as the name of its place."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_the_places_of_a_page_are_those_of_its_codes(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == PAGES[page].split()


@pytest.mark.parametrize("page", PAGES)
def test_links_and_commands_of_a_page_exist(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, place = link.partition("#")
        linked = (FOLDER / name) if name else FOLDER / f"{page}.md"
        assert linked.exists(), link
        titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        assert place in ("", *(slug(title) for title in titles)), link
    for line in re.findall(r"^ {7}emp (.+)$", text, re.MULTILINE):
        words, found = shlex.split(line), command()
        while words and words[0] in getattr(found, "commands", {}):
            found = found.commands[words.pop(0)]
        assert not getattr(found, "commands", {}) or not words, line
        known = {o for p in found.params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, line


def test_one_finding_leads_to_its_place_and_several_to_their_page() -> None:
    assert page_of("kafka_lag") == "kafka-lag.md#kafka_lag"
    assert place_of("kafka_lag") == "kafka-lag#kafka_lag"
    assert page_of("gossip") == place_of("gossip") == ""
    assert page_of_all(["kafka_lag", "kafka_lag"]) == "kafka-lag.md#kafka_lag"
    assert page_of_all(["late_symbols", "no_rows"]) == "ingest-health.md"
    assert page_of_all(["gossip"]) == ""


def test_the_page_about_operations_names_every_report_and_limit() -> None:
    text = (PROJECT / "docs" / "operations.md").read_text()
    assert [name for name in MAKERS if f"| {name} |" not in text] == []
    for section, kind in OperationsLimits.model_fields.items():
        limits: Any = kind.annotation
        for limit in limits.model_fields:
            assert f"`{section}.{limit}`" in text, limit


def test_the_shipped_file_holds_the_defaults() -> None:
    content = yaml.safe_load((PROJECT / "config" / "operations.yaml").read_text())
    assert OperationsLimits.model_validate(content) == OperationsLimits()
    assert set(content) == set(OperationsLimits.model_fields)


def test_every_topic_of_a_report_is_named() -> None:
    text = (PROJECT / "docs" / "operations.md").read_text()
    for dimension in set(Dimension) - {"daily_bars", "intraday_bars", "quality"}:
        assert re.search(rf"telemetry\.(ingest|operational|data_backbone)\.{dimension} ", text), (
            dimension
        )
