"""Takes one very long file through the pipeline and prints what it cost.

Run as `python -m tests.support.long_file_process FOLDER ROWS`: writes a CSV of one-minute bars
with a few bad rows in it, ingests and curates it, and prints JSON: rows landed, rows in quarantine,
the most rows that came at once, peak memory of the process in GiB, seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from adapters.backend import open_platform
from adapters.configuration import register
from adapters.settings import Settings
from market_data.datasets import curated_bars
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import FetchRequest, FetchResult
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, VendorConfig
from tests.support.memory import peak_bytes

START = datetime(2005, 1, 1, tzinfo=UTC)
SYMBOL = "LONG"
BLOCK = 1_000_000
BAD_EVERY = 1_000_000
"""One bad price per so many rows."""


def write_file(path: Path, rows: int) -> None:
    with path.open("wb") as file:
        for begin in range(0, rows, BLOCK):
            count = min(BLOCK, rows - begin)
            index = pl.int_range(begin, begin + count, eager=True)
            close = 100 + (index % 977) / 100
            frame = pl.DataFrame(
                {
                    "ts": (pl.Series([START]).dt.epoch("us") + index * 60_000_000)
                    .cast(pl.Datetime("us"))
                    .dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "open": close.cast(pl.String),
                    "high": (close + 1).cast(pl.String),
                    "low": (close - 1).cast(pl.String),
                    "close": pl.select(
                        pl.when(index % BAD_EVERY == 500)
                        .then(pl.lit("n/a"))
                        .otherwise(close.cast(pl.String))
                    ).to_series(),
                    "volume": (index % 13).cast(pl.String),
                }
            )
            frame.write_csv(file, include_header=begin == 0)


class Watched:
    """A vendor whose largest part of an answer is remembered."""

    def __init__(self, vendor: Any) -> None:
        self._vendor = vendor
        self.largest = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vendor, name)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        """The vendor's own."""
        for result in self._vendor.fetch(request):
            self.largest = max(self.largest, result.frame.height)
            yield result


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    path = folder / "long.csv"
    write_file(path, rows)
    settings = Settings(data_dir=folder / "data")
    register(
        settings,
        instruments=[
            Instrument(
                symbol=SYMBOL,
                asset_class=AssetClass.CRYPTO,
                calendar="24/7",
                vendor_symbols={"plain": SYMBOL},
            )
        ],
        vendors=[VendorConfig(name="plain", reader="files", timeframes=(Timeframe.M1,))],
    )
    platform = open_platform(settings)
    first = START.date()
    last = (START + timedelta(minutes=rows)).date()
    started = time.perf_counter()
    vendor = Watched(platform.vendors.open("plain", path=str(path), spec="plain"))
    report = ingest(platform, IngestRequest("plain", Timeframe.M1, (SYMBOL,), first, last), vendor)
    landed = time.perf_counter()
    curated = curate_sessions(platform, Timeframe.M1, (SYMBOL,), first, last)
    ended = time.perf_counter()
    newest = platform.store.latest(curated_bars(Timeframe.M1))["ts"].item()
    print(
        json.dumps(
            {
                "received": report.total_rows,
                "rejected": report.rejected_rows,
                "largest": vendor.largest,
                "curated": curated.rows,
                "newest": newest.isoformat(),
                "peak_gib": peak_bytes() / 1024**3,
                "ingest_seconds": round(landed - started, 1),
                "curate_seconds": round(ended - landed, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
