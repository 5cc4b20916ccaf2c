"""Memory does not grow with the rows of a file, in whatever way it is packed.

A plain file goes through the whole pipeline in tests/integration/survival.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = 3_000_000
GIB = 1024**3

READ = """
import json, sys, time
from datetime import UTC, datetime
from adapters.vendors.files.spec import load_format
from adapters.vendors.files.vendor import FilesVendor
from market_data.ports import FetchRequest, SymbolRequest
from market_data.universe import Instrument
from tests.support.memory import peak_bytes

spec = load_format("plain")
asked = (SymbolRequest(Instrument(symbol="X", asset_class="fx", calendar="fx"), "X"),)
span = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
began = time.perf_counter()
rows, largest = 0, 0
for result in FilesVendor("plain", spec, sys.argv[1]).fetch(
    FetchRequest(asked, spec.timeframe, *span, span[1])
):
    rows += len(result.frame)
    largest = max(largest, len(result.frame))
seconds = time.perf_counter() - began
peak = peak_bytes()
print(json.dumps({"rows": rows, "largest": largest, "seconds": seconds, "peak": peak}))
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.csv"
    part = 1_000_000
    with path.open("wb") as file:
        file.write(b"ts,open,high,low,close,volume\n")
        for begin in range(0, ROWS, part):
            number = pl.int_range(begin, begin + part)
            close = ((number * 7919) % 100_003).cast(pl.Float64) / 1000 + 50
            moment = pl.datetime(2000, 1, 1) + pl.duration(minutes=number)
            pl.select(
                moment.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("ts"),
                close.alias("open"),
                (close + 0.25).alias("high"),
                (close - 0.25).alias("low"),
                close.alias("close"),
                (number % 9999).alias("volume"),
            ).write_csv(file, include_header=False)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("packing", ["gzip", "zip"])
def test_rows_stream(big: Path, tmp_path: Path, packing: str) -> None:
    path = tmp_path / {"gzip": "big.csv.gz", "zip": "big.zip"}[packing]
    if packing == "gzip":
        with big.open("rb") as file, gzip.open(path, "wb", compresslevel=1) as packed:
            while chunk := file.read(16 * 1024 * 1024):
                packed.write(chunk)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(big, "big.csv")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(f"{packing}: {told['rows'] / told['seconds']:,.0f} rows/s, {told['peak'] / GIB:.2f} GiB")
    assert told["rows"] == ROWS
    assert told["largest"] <= 500_000
    assert told["peak"] < 0.6 * GIB
