"""A copy into TimescaleDB while others write to it: their rows are looked at before they go."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.stores.copy_receipts import CopyReceipts
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.timescale.bar_store import TimescaleStore
from market_data.errors import CopyRefusedError
from market_data.pipeline.copying import DatasetCopy
from market_data.pipeline.migration import copy, demand_equality
from market_data.ports import BarStore
from tests.support.timescale_process import MINUTES, rows

DAY = date(2024, 1, 2)
NEXT = date(2024, 2, 1)


class Busy:
    """A store to which an ingest commits between a copy's look and its write."""

    def __init__(self, store: BarStore, frames: list[pl.DataFrame]) -> None:
        self._store, self._frames = store, list(frames)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def replace(self, *args: Any, **how: Any) -> int:
        if self._frames:
            put(self._store, self._frames.pop(0))
        return self._store.replace(*args, **how)


def put(store: BarStore, frame: pl.DataFrame) -> None:
    symbols = frame["symbol"].unique().to_list()
    store.replace(MINUTES, frame, sessions=(DAY, NEXT), symbols=symbols)


def silent(_: str) -> None:
    return


@pytest.mark.parametrize("symbols", [["A"], ["A", "B"], ["B"]], ids=["same", "both", "another"])
@pytest.mark.parametrize("backwards", [False, True], ids=["to the server", "to files"])
def test_rows_that_an_ingest_commits_meanwhile_stay(
    store: TimescaleStore, tmp_path: Path, symbols: list[str], backwards: bool
) -> None:
    files, receipts = DeltaBarStore(tmp_path / "files"), CopyReceipts(tmp_path / "receipts.txt")
    source, target = (store, files) if backwards else (files, store)
    put(source, rows(1.0, DAY, DAY, ["A"]))
    copy([DatasetCopy(MINUTES, source, target, receipts)], tell=silent)
    put(source, rows(2.0, DAY, DAY, ["A"]))
    ingested = rows(9.0, DAY, NEXT, symbols)
    with pytest.raises(CopyRefusedError, match="--overwrite"):
        copy([DatasetCopy(MINUTES, source, Busy(target, [ingested]), receipts)], tell=silent)
    assert_frame_equal(target.scan(MINUTES, symbols=symbols), ingested)
    more = [rows(8.0, DAY, NEXT, symbols), ingested]
    part = DatasetCopy(MINUTES, source, Busy(target, more), receipts, overwrite=True)
    demand_equality(copy([part], tell=silent, overwrite=True))
    assert_frame_equal(target.scan(MINUTES), source.scan(MINUTES))


@pytest.mark.parametrize("backwards", [False, True], ids=["to the server", "to files"])
def test_bars_that_moved_over_the_end_of_a_month_both_ways(
    store: TimescaleStore, tmp_path: Path, backwards: bool
) -> None:
    files, receipts = DeltaBarStore(tmp_path / "files"), CopyReceipts(tmp_path / "receipts.txt")
    source, target = (store, files) if backwards else (files, store)
    last = NEXT - timedelta(days=1)
    put(source, rows(1.0, last, NEXT, ["A"]))
    copy([DatasetCopy(MINUTES, source, target, receipts)], tell=silent)
    swapped = {last: NEXT, NEXT: last}
    put(source, rows(1.0, last, NEXT, ["A"]).with_columns(pl.col("session").replace(swapped)))
    demand_equality(copy([DatasetCopy(MINUTES, source, target, receipts)], tell=silent))
    assert_frame_equal(target.scan(MINUTES), source.scan(MINUTES))
    assert target.scan(MINUTES)["session"].is_sorted(descending=True)
