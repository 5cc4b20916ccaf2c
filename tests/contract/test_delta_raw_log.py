"""DeltaRawLog keeps the promises of a RawLog, and those of its own engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from polars.testing import assert_frame_equal
from raw_log_suite import DAYS, M1, RawLogSuite, everything, fetch

from adapters.stores.delta_raw_log import DeltaRawLog
from market_data.errors import DatasetMissingError


@pytest.fixture
def new_log(tmp_path: Path) -> Callable[[], DeltaRawLog]:
    return lambda: DeltaRawLog(mkdtemp(dir=tmp_path))


class TestDeltaRawLog(RawLogSuite):
    """The promises of the port."""


def test_appending_rewrites_no_file_and_nothing_new_makes_no_version(tmp_path: Path) -> None:
    log = DeltaRawLog(tmp_path)
    log.append(M1, fetch(0, everything()))
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    log.append(M1, fetch(1, everything(2.0)))
    assert all(path.read_bytes() == content for path, content in files.items())
    versions = log.history(M1)
    assert [version.operation for version in versions] == ["append", "append", "CREATE TABLE"]
    log.append(M1, fetch(2, everything(2.0)))
    assert log.history(M1) == versions


def test_compaction_and_vacuum_change_no_row(tmp_path: Path) -> None:
    log = DeltaRawLog(tmp_path)
    for number in range(4):
        log.append(M1, fetch(number, [("AAPL", DAYS[1], 5, float(number)), *everything()]))
    before, read = log.revisions(M1), log.read(M1)
    data = tmp_path / M1.name
    count = len(list(data.rglob("*.parquet")))
    log.compact(M1)
    log.vacuum(M1, retention_hours=0)
    assert len(list(data.rglob("*.parquet"))) < count
    fresh = DeltaRawLog(tmp_path)
    assert_frame_equal(fresh.revisions(M1), before)
    assert_frame_equal(fresh.read(M1), read)
    assert fresh.append(M1, fetch(9, [("AAPL", DAYS[1], 5, 3.0)])).new == 0


def test_upkeep_of_a_log_that_was_never_written_is_a_clear_error(tmp_path: Path) -> None:
    log = DeltaRawLog(tmp_path)
    for upkeep in (log.history, log.compact, log.vacuum):
        with pytest.raises(DatasetMissingError, match="raw/yahoo_bars_1m"):
            upkeep(M1)
