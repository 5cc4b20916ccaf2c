"""The quality report in a browser: it loads nothing, and a long list can be searched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from tests.support.quality_reports import report, written

pytestmark = pytest.mark.e2e


def test_it_loads_nothing_and_its_table_can_be_searched(tmp_path: Path) -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: install chromium")
        pytest.skip("no browser on this machine: install chromium")
    names = [f"S{n:04}" for n in range(400)]
    bad = {(name, 7): {"status": "RED", "codes": "drift"} for name in names[::50]}
    file = tmp_path / "report.html"
    file.write_text(written(report(load_thresholds(Settings()), names, days=60, bad=bad)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(file.as_uri())
        shots = Path(os.environ.get("EMP_SCREENSHOTS") or tmp_path)
        page.screenshot(path=shots / "quality_report.png")
        assert page.locator("svg rect.red").count() >= 8
        assert page.locator(".scroll").first.bounding_box()["height"] <= 522  # type: ignore[index]
        page.get_by_text("All 400 symbols").click()
        page.get_by_role("searchbox").fill("drift")
        assert page.locator("details table tbody tr:visible").count() == 8
        assert asked == [file.as_uri()]
        assert wrong == []
        browser.close()
