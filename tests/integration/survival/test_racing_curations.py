"""Two curations of one slice: who reads the raw log last also writes last."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.settings import Settings
from market_data.datasets import curated_bars
from market_data.pipeline.curate import curate_sessions, curate_slice
from market_data.pipeline.ingest import ingest
from market_data.pipeline.inspection import inspect_curated
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

FIRST, LAST = date(2024, 2, 5), date(2024, 2, 9)
SYMBOLS = ("DEMO-ACME", "DEMO-BTC")


class SlowLog:
    """A raw log whose reader pauses after the first reading."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.has_read, self.may_go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def read(self, *args: Any, **kwargs: Any) -> pl.DataFrame:
        frame = self._log.read(*args, **kwargs)
        self.has_read.set()
        assert self.may_go_on.wait(60)
        return frame


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return open_platform(Settings(data_dir=tmp_path))


def load(platform: Platform, vendor: str) -> None:
    request = IngestRequest(vendor, Timeframe.D1, SYMBOLS, FIRST, LAST)
    ingest(platform, request, platform.vendors.open(vendor))


def outdated(platform: Platform) -> pl.DataFrame:
    findings = inspect_curated(platform, Timeframe.D1, FIRST, LAST).findings
    return findings.filter(code="outdated")


def test_a_slow_curation_does_not_undo_a_newer_one(platform: Platform):
    load(platform, "sample_b")
    slow_log = SlowLog(platform.raw_log)
    slow = threading.Thread(
        target=curate_sessions,
        args=(replace(platform, raw_log=slow_log), Timeframe.D1, SYMBOLS, FIRST, LAST),
    )
    slow.start()
    assert slow_log.has_read.wait(60)
    load(platform, "sample_a")
    newer = threading.Thread(
        target=curate_sessions, args=(platform, Timeframe.D1, SYMBOLS, FIRST, LAST)
    )
    newer.start()
    newer.join(timeout=2)
    slow_log.may_go_on.set()
    slow.join(60)
    newer.join(60)
    stored = platform.store.scan(curated_bars(Timeframe.D1))
    assert set(stored["source"]) == {"sample_a"}
    assert_frame_equal(stored, curate_slice(platform, Timeframe.D1, SYMBOLS, FIRST, LAST).bars)


def test_curated_bars_that_the_raw_log_has_outlived_show(platform: Platform):
    load(platform, "sample_b")
    curate_sessions(platform, Timeframe.D1, SYMBOLS, FIRST, LAST)
    assert "outdated" not in set(
        inspect_curated(platform, Timeframe.D1, FIRST, LAST).findings["code"]
    )
    load(platform, "sample_a")
    # Five sessions of each symbol now have a better vendor.
    assert outdated(platform).height == 10
    curate_sessions(platform, Timeframe.D1, SYMBOLS, FIRST, LAST)
    assert "outdated" not in set(
        inspect_curated(platform, Timeframe.D1, FIRST, LAST).findings["code"]
    )
