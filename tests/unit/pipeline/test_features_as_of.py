"""Feature frames as of a moment: what would have been made then, whatever was told since."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from emp.features import FeatureFrame
from market_data.errors import MissingFeaturesWarning
from market_data.timeframes import Timeframe
from tests.support.restated_world import RestatedHouse

THEN, NOW = datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 2, 27, tzinfo=UTC)
EVERY = ["price_1h_v1", "regime_1h_v1", "indicators_1d_v1", "confluence_v1", "macro_context_v1"]
SPAN = date(2024, 2, 8), date(2024, 2, 22)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureFrame, RestatedHouse]:
    """What was given at a moment, and the house after the vendor said other prices."""
    house = RestatedHouse(tmp_path_factory.mktemp("as_of"), (Timeframe.H1, Timeframe.D1))
    house.refresh(THEN)
    given = house.train(*SPAN, "1h", groups=EVERY)
    house.refresh(NOW, {date(2024, 2, 12): 1.03, date(2024, 1, 28): 0.98})
    return given, house


def test_it_is_the_frame_of_that_moment(told: tuple[FeatureFrame, RestatedHouse]) -> None:
    given, house = told
    found = house.train(*SPAN, "1h", groups=EVERY, as_of=THEN)
    # No macro context was stored then.
    macro = [n for n in found.features if n.startswith(("hours_since", "releases", "importance"))]
    assert len(macro) == 5
    assert given.frame.height == 12 * 24
    assert_frame_equal(found.frame.drop(macro), given.frame.drop(macro), check_exact=True)
    assert not house.train(*SPAN, "1h", groups=EVERY).frame.equals(given.frame)
    assert found.metadata["as_of"] == THEN.isoformat()
    assert given.metadata["as_of"] is None
    assert found.metadata["groups"]["price_1h_v1"] == given.metadata["groups"]["price_1h_v1"]


def test_stored_rows_have_no_part_in_it(told: tuple[FeatureFrame, RestatedHouse]) -> None:
    """Neither those that are there nor those that are not: nothing is read, nothing written."""
    given, house = told
    from market_data.datasets import FEATURES

    store = house.world.platform.store
    dataset = FEATURES["price_1h_v1"]
    kept, sessions = store.scan(dataset), (date(2024, 1, 1), date(2024, 3, 31))
    store.replace(dataset, kept.clear(), sessions=sessions, symbols=["COIN"])
    try:
        found = house.train(*SPAN, "1h", groups="price_1h_v1", as_of=THEN)
        assert store.scan(dataset).is_empty()
    finally:
        store.replace(dataset, kept, sessions=sessions, symbols=["COIN"])
    columns = ["symbol", "ts", *found.features, *found.labels]
    assert_frame_equal(found.frame.select(columns), given.frame.select(columns), check_exact=True)


def test_labels_end_with_what_was_known(told: tuple[FeatureFrame, RestatedHouse]) -> None:
    _, house = told
    found = house.train(*SPAN, as_of=THEN).frame
    assert found["available_at"].max() == THEN
    assert found["fwd_ret_1"].null_count() == 1
    assert found["fwd_end_5"].max() == THEN


def test_a_moment_at_which_nothing_was_known(told: tuple[FeatureFrame, RestatedHouse]) -> None:
    _, house = told
    with pytest.warns(MissingFeaturesWarning, match="no 1d bar of the sessions 2024-02-08 to"):
        found = house.train(*SPAN, as_of="2023-12-01")
    assert found.frame.is_empty()
    assert found.frame.schema["rsi_14"] == pl.Float64
