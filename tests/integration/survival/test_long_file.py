"""Millions of rows in one file: streamed into the raw log, curated, in bounded memory.

Ten million and their 2 GiB are measured in benchmarks/long_file.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = 3_000_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.long_file_process", str(tmp_path), str(ROWS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cost = json.loads(done.stdout)
    print(cost)
    assert cost["received"] + cost["rejected"] == ROWS
    assert cost["rejected"] == 3
    assert 0 < cost["largest"] <= 500_000
    assert cost["curated"] == cost["received"]
    assert cost["peak_gib"] < 1
