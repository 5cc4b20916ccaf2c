"""Lets the tests of each adapter import the suites of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("bar_store_suite", "raw_log_suite", "request_budget_suite")
