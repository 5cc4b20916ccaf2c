"""Fixtures that every test may use: where the real data lies, and the servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.support.collector",
    "tests.support.dagster_scripts",
    "tests.support.order",
    "tests.support.servers",
]

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
