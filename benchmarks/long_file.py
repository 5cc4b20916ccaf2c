"""Peak memory of ten million rows in one file, streamed into the raw log and curated.

What belongs here: the whole length. What does not: that memory does not grow with the length,
which tests/integration/survival/test_long_file.py holds on shorter files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

from adapters.settings import PROJECT
from benchmarks.ratio import Ratio

ROWS = 10_000_000
BAR_GIB = 2.0


def run() -> list[Ratio]:
    """One process, alone, so that its peak is that of the rows."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.long_file_process", folder, str(ROWS)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
    cost = json.loads(done.stdout)
    detail = "{curated:,} bars, {ingest_seconds} s in, {curate_seconds} s curated".format(**cost)
    return [
        Ratio(
            f"peak memory of {ROWS:,} rows in one file, GiB",
            cost["peak_gib"],
            BAR_GIB,
            higher_is_better=False,
            detail=detail,
        )
    ]
