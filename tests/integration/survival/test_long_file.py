"""Ten million rows in one file: streamed into the raw log, curated, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = 10_000_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_million_rows_stay_under_two_gibibytes(tmp_path: Path):
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
    assert cost["rejected"] == 10
    assert 0 < cost["largest"] <= 500_000
    assert cost["curated"] == cost["received"]
    assert cost["peak_gib"] < 2
