"""A crash between two steps of landing never leaves adjusted rows whose splits nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.basis import Adjustment, Basis
from market_data.datasets import raw_bars
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import Capabilities, FetchRequest, FetchResult
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import World

NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
DAY = date(2024, 1, 2)
SPLIT = ("SHARE", date(2024, 1, 4), "split", 2.0, "yahoo", datetime(2024, 1, 4, tzinfo=UTC))


class SplittingVendor:
    """One split-adjusted bar, and the split that it was divided by, in one answer."""

    name = "yahoo"
    capabilities = Capabilities(timeframes=(Timeframe.D1,))

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(adjustment=Adjustment.SPLITS, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        bar = pl.DataFrame({"ts": [datetime(2024, 1, 2, tzinfo=UTC)]}).with_columns(
            pl.lit("SHARE").alias("symbol"),
            pl.lit("SHARE").alias("vendor_symbol"),
            *(pl.lit(50.0).alias(p) for p in ("open", "high", "low", "close")),
        )
        yield FetchResult(
            frame=FETCHED_BARS.conform(bar),
            actions=pl.DataFrame([SPLIT], schema=CORPORATE_ACTIONS.dtypes, orient="row"),
        )


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("broken", ["raw_log", "actions"])
def test_rows_are_never_there_before_their_splits(tmp_path: Path, broken: str) -> None:
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    world = World.at(tmp_path, NOW).register(instruments=(share,))
    platform = world.platform

    class Breaking:
        """The part that the process dies in."""

        def __getattr__(self, name: str) -> object:
            if name in ("append", "add"):
                raise Killed
            return getattr(getattr(platform, broken), name)

    request = IngestRequest("yahoo", Timeframe.D1, ("SHARE",), DAY, DAY)
    with pytest.raises(Killed):
        ingest(replace(platform, **{broken: Breaking()}), request, SplittingVendor())
    rows = platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert rows.is_empty()
    assert platform.actions.read().height == (1 if broken == "raw_log" else 0)

    ingest(platform, request, SplittingVendor())
    world.curate("1d", "SHARE", DAY, DAY)
    assert world.read("1d", "SHARE")["close"].to_list() == [100.0]
