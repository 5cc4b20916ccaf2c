"""A person opens the UI: the asset graph and a check result are on the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.test_backfill import backfilled  # noqa: F401  a fixture
from tests.support.dagster_server import DagsterServer

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: install chromium")
        pytest.skip("no browser on this machine: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        yield browser.new_page(viewport={"width": 1600, "height": 1000})
        browser.close()


def shot(page: Page, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = Path(os.environ.get("EMP_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    page.screenshot(path=folder / f"{name}.png")


def test_the_graph_shows_the_layers(
    backfilled: DagsterServer,  # noqa: F811
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
):
    page.goto(f"{backfilled.url}/asset-groups")
    for layer in ("reference", "raw", "curated", "quality"):
        expect(page.get_by_text(layer, exact=True).first).to_be_visible(timeout=60_000)
    shot(page, tmp_path_factory, "graph")


def test_a_check_result_can_be_read(
    backfilled: DagsterServer,  # noqa: F811
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
):
    page.goto(f"{backfilled.url}/assets/curated/bars_1d?view=checks")
    for check in ("coverage", "staleness", "drift"):
        expect(page.get_by_text(check, exact=True).first).to_be_visible(timeout=60_000)
    shot(page, tmp_path_factory, "checks")
