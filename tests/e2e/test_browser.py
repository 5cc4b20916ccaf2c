"""A person opens the UI: the asset graph and a check result are on the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from emp_assets.metadata import FULL
from tests.support.dagster_server import DagsterServer
from tests.support.ui_backfill import SESSIONS

pytestmark = pytest.mark.e2e

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


def test_the_graph_shows_the_layers_and_the_way_of_a_bar(
    backfilled: DagsterServer,
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
):
    page.goto(f"{backfilled.url}/asset-groups")
    for layer in ("reference", "raw", "curated", "quality"):
        expect(page.get_by_text(layer, exact=True).first).to_be_visible(timeout=60_000)
    shot(page, tmp_path_factory, "groups")
    page.goto(f"{backfilled.url}/assets/curated/bars_1d?view=lineage")
    for node in ("sample_a_bars_1d", "bars_1d", "scores"):
        expect(page.get_by_text(node).first).to_be_visible(timeout=60_000)
    shot(page, tmp_path_factory, "graph")


def test_a_failed_check_shows_what_it_found(
    backfilled: DagsterServer,
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
):
    page.goto(f"{backfilled.url}/assets/curated/bars_1d?view=checks&checkDetail=drift")
    expect(page.get_by_text("Failed").first).to_be_visible(timeout=60_000)
    # The day on which the two sample vendors drift apart.
    expect(page.get_by_text("2024-03-20").first).to_be_visible(timeout=60_000)
    shot(page, tmp_path_factory, "checks")


def test_a_materialisation_shows_its_coverage(
    backfilled: DagsterServer,
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
):
    page.goto(f"{backfilled.url}/assets/curated/bars_1d?view=partitions&partition={SESSIONS[-1]}")
    expect(page.get_by_text("Materialized (60)").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("coverage_heat_map").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text(FULL * 5).first).to_be_visible()
    shot(page, tmp_path_factory, "materialisation")
