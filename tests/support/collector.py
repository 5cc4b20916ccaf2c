"""The garbage collector, where thousands of tests share a process with large libraries.

What belongs here: that it does not look again and again at what stays until the process ends. What
does not: tests of what is let go of; they collect themselves.
"""

from __future__ import annotations

import gc

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is in memory once all tests are known, libraries and tests, is nobody's garbage."""
    gc.freeze()
