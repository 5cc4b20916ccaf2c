"""Every alert leads to a page that is there, and the page on alerts to pages that are."""

from __future__ import annotations

import re

import pytest

from adapters.settings import PROJECT
from market_data.alerts import RUNBOOKS, Kind
from market_data.alerts.alert import CHECK_RUNBOOK, CHECK_RUNBOOKS

DOCS = PROJECT / "docs"
PAGES = sorted({*RUNBOOKS.values(), CHECK_RUNBOOK, *CHECK_RUNBOOKS.values()})


def test_every_kind_has_a_page():
    assert set(RUNBOOKS) == set(Kind) - {Kind.CHECK}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_there(name: str):
    assert (DOCS / "runbooks" / f"{name}.md").read_text().startswith("# ")


@pytest.mark.parametrize("page", ["alerts.md", *(f"runbooks/{name}.md" for name in PAGES)])
def test_its_links_lead_somewhere(page: str):
    file = DOCS / page
    for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
        assert (file.parent / target).exists(), f"{page}: {target}"
