"""The first runs of a new installation, several at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import emp
from adapters.settings import Settings

ROUNDS = 3
SYMBOLS = ("DEMO-ACME", "DEMO-EURUSD", "DEMO-BTC")


def started(data: Path, symbol: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "emp", "ingest", "--vendor", "sample_a", "--symbols", symbol]
    return subprocess.Popen(
        [*command, "--start", "2024-01-08", "--end", "2024-01-12"],
        env={**os.environ, "EMP_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
def test_processes_that_start_at_once_share_a_new_instance(tmp_path: Path, number: int) -> None:
    racing = [started(tmp_path, symbol) for symbol in SYMBOLS]
    for process in racing:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err[-3000:]
        assert json.loads(out)["status"] == "success"
    later = started(tmp_path, SYMBOLS[0])
    assert later.communicate(timeout=120)[0]
    assert later.returncode == 0
    bars = emp.get_curated_bars(
        SYMBOLS, "2024-01-08", "2024-01-12", settings=Settings(data_dir=tmp_path)
    )
    assert dict(bars.group_by("symbol").len().iter_rows()) == dict.fromkeys(SYMBOLS, 5)
