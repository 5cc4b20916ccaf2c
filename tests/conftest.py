"""Fixtures that every test may use: where the real data lies, and the servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.support.servers"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real market data, from EMP_TEST_DATA or beside the repository."""
    folder = Path(os.environ.get("EMP_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not (folder / "SOURCES.md").exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the real data; EMP_TEST_DATA points to {folder}")
        pytest.skip(f"real market data is not at {folder}; set EMP_TEST_DATA to its folder")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one file of tests/integration in one process.

    They share an installation that is slow to make, and some go on where another ended.
    """
    for item in items:
        shared = "integration" in item.path.parts and not item.get_closest_marker("xdist_group")
        if shared:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
