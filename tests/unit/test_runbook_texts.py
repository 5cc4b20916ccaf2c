"""What is shown of a page of the runbooks where no link can lead to it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from adapters.runbooks import is_web, linked_runbooks, page_text
from emp_assets.metadata import runbook

PAGES = linked_runbooks("docs/runbooks")


def test_a_page_with_a_place_holds_its_steps_and_what_is_said_of_the_place() -> None:
    text = page_text(PAGES, "check-drift.md#drift_outlier")
    assert text.startswith("# Check `drift`")
    assert "emp annotate settle" in text
    assert "## drift_outlier" in text
    assert "## drift\n" not in text
    assert "](" not in text, "a link to another page leads nowhere from elsewhere"
    assert "## score_shift" in page_text(PAGES, "check-drift.md")


def test_a_place_that_is_none_leaves_the_steps() -> None:
    assert page_text(PAGES, "check-drift.md#tomorrow").startswith("# Check `drift`")


@pytest.mark.parametrize("folder", ["", "docs/runbooks", "https://docs.example.com/runbooks"])
def test_only_pages_on_this_machine_are_read(folder: str) -> None:
    assert page_text(folder, "check-drift.md") == ""


def test_results_of_checks_open_the_page(tmp_path: Path) -> None:
    shown = runbook(PAGES, "check-drift.md#drift")
    assert isinstance(shown, dg.MarkdownMetadataValue)
    web = runbook("https://docs.example.com/runbooks", "check-drift.md#drift")
    assert web == dg.MetadataValue.url("https://docs.example.com/runbooks/check-drift.md#drift")
    assert isinstance(runbook(PAGES, "check-drift.md", whole=False), dg.TextMetadataValue)
    gone = runbook(tmp_path.as_uri(), "check-drift.md")
    assert isinstance(gone, dg.TextMetadataValue)
    assert not is_web(PAGES)
