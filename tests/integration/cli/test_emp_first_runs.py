"""The first runs of a new installation, several at once."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import emp
from adapters.settings import Settings
from tests.support.warm_python import run_python

ROUNDS = 3
SYMBOLS = ("DEMO-ACME", "DEMO-EURUSD", "DEMO-BTC")


def ingest(data: Path, symbol: str) -> None:
    done = run_python(
        ["-m", "emp", "ingest", "--vendor", "sample_a", "--symbols", symbol,
         "--start", "2024-01-08", "--end", "2024-01-12"],
        env={**os.environ, "EMP_DATA_DIR": str(data)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["status"] == "success"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
def test_processes_that_start_at_once_share_a_new_instance(tmp_path: Path, number: int) -> None:
    with ThreadPoolExecutor(len(SYMBOLS)) as racing:
        list(racing.map(partial(ingest, tmp_path), SYMBOLS))
    ingest(tmp_path, SYMBOLS[0])
    bars = emp.get_curated_bars(
        SYMBOLS, "2024-01-08", "2024-01-12", settings=Settings(data_dir=tmp_path)
    )
    assert dict(bars.group_by("symbol").len().iter_rows()) == dict.fromkeys(SYMBOLS, 5)
