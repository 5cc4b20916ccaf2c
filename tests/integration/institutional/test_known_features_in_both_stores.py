"""Training frames are the same from both stores where bars were restated."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from market_data.pipeline.feature_frames import FeatureRows, default_groups, training_rows
from market_data.timeframes import Timeframe
from tests.support.restated_world import SYMBOL, RestatedHouse

THEN, NOW = datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 2, 27, tzinfo=UTC)
D1, SPAN = Timeframe.D1, (date(2024, 2, 1), date(2024, 2, 26))


def trained(house: RestatedHouse, **how: datetime | bool) -> FeatureRows:
    platform = house.world.platform
    return training_rows(platform, [SYMBOL], D1, default_groups(D1), SPAN, **how)  # type: ignore[arg-type]


def test_frames_are_alike(tmp_path: Path, empty_timescale_url: str) -> None:
    connections = open_connections(TimescaleSettings(url=empty_timescale_url))
    try:
        houses = []
        for name, store in (("lake", None), ("servers", TimescaleStore(connections))):
            folder = tmp_path / name
            folder.mkdir()
            house = RestatedHouse(folder, store=store)
            house.refresh(THEN)
            house.refresh(NOW, {date(2024, 2, 5): 1.02})
            houses.append(house)
        here, there = houses
        ways: list[dict[str, datetime | bool]] = [
            {"known": True},
            {"known": True, "as_of": THEN},
            {},
        ]
        for how in ways:
            ours, theirs = trained(here, **how), trained(there, **how)
            assert ours.frame.height > 10
            assert_frame_equal(ours.frame, theirs.frame, check_exact=True)
            assert ours.metadata == theirs.metadata
        assert trained(there, known=True).metadata["restated"]["rows"] == 21  # 5 to 25 February
    finally:
        connections.close()
