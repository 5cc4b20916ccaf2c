"""Training frames rest on no revision of a bar that came after the row, in a real installation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from emp.features import FeatureFrame
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from tests.support.restated_world import RestatedHouse

THEN, NOW = datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 2, 27, tzinfo=UTC)
LATER = datetime(2024, 3, 2, tzinfo=UTC)
JUST_BEFORE = timedelta(microseconds=1)
EVERY = ["price_1h_v1", "regime_1h_v1", "indicators_1d_v1", "confluence_v1"]
SPAN = date(2024, 2, 8), date(2024, 3, 1)
HOURS, DAYS = Timeframe.H1, Timeframe.D1


def ended(before: datetime) -> pl.Expr:
    return pl.col("available_at") < before


def features(found: FeatureFrame, rows: pl.Expr) -> pl.DataFrame:
    return found.frame.filter(rows).select("symbol", "ts", "available_at", *found.features)


def same(ours: FeatureFrame, theirs: FeatureFrame, rows: pl.Expr) -> int:
    """How many rows of both are the same; fails where one is not."""
    assert_frame_equal(features(ours, rows), features(theirs, rows), rel_tol=0, abs_tol=1e-12)
    return ours.frame.filter(rows).height


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[FeatureFrame], RestatedHouse]:
    """Frames that were given at three moments; before the second and third, bars were restated."""
    house, given = RestatedHouse(tmp_path_factory.mktemp("known"), (HOURS, DAYS)), []
    for now, restated in (
        (THEN, {}),
        (NOW, {date(2024, 2, 12): 1.03, date(2024, 1, 28): 0.98}),
        (LATER, {date(2024, 2, 12): 0.99, date(2024, 2, 25): 1.02}),
    ):
        house.refresh(now, restated)
        given.append(house.train(*SPAN, "1h", groups=EVERY))
    return given, house


def test_rows_before_a_restatement_are_those_made_before_it(
    told: tuple[list[FeatureFrame], RestatedHouse],
) -> None:
    (first, second, third), house = told
    newest = house.train(*SPAN, "1h", groups=EVERY, revisions="newest")
    assert same(third, first, ended(THEN)) == 12 * 24 - 1
    assert same(third, second, ended(NOW)) == 19 * 24 - 1
    assert same(third, newest, ~ended(LATER)) == 1
    # After the first restatement and before the second one, those of the time between.
    between = ended(LATER) & ~ended(NOW)
    assert same(third, house.train(*SPAN, "1h", groups=EVERY, as_of=LATER - JUST_BEFORE), between)
    for column in ("ret_20", "macd_1d", "regime"):
        ours, theirs = (f.frame.filter(ended(LATER))[column] for f in (third, newest))
        assert not ours.equals(theirs), column
    assert first.metadata["restated"] == {"rows": 0, "sessions": 0, "left_out": 0, "recorded": True}
    told_of = third.metadata["restated"]
    assert told_of["rows"] > 15 * 24
    assert told_of["sessions"] >= 15
    assert "restated" not in newest.metadata


def test_a_frame_as_of_a_moment_is_that_given_then(
    told: tuple[list[FeatureFrame], RestatedHouse],
) -> None:
    """Which was free of what came after its rows, too."""
    (_, given, _), house = told
    again = house.train(*SPAN, "1h", groups=EVERY, as_of=NOW)
    assert_frame_equal(again.frame, given.frame, check_exact=True)
    own = (f.metadata["groups"]["price_1h_v1"] for f in (again, given))
    assert next(own) == next(own)
    assert not again.frame.equals(
        house.train(*SPAN, "1h", groups=EVERY, as_of=NOW, revisions="newest").frame
    )


def test_labels_say_what_came_to_be(told: tuple[list[FeatureFrame], RestatedHouse]) -> None:
    given, house = told
    newest = house.train(*SPAN, "1h", groups=EVERY, revisions="newest")
    assert given[-1].labels
    columns = ["ts", *given[-1].labels]
    assert_frame_equal(
        given[-1].frame.select(columns), newest.frame.select(columns), check_exact=True
    )


def test_inference_is_of_the_newest_revision(
    told: tuple[list[FeatureFrame], RestatedHouse],
) -> None:
    import emp

    _, house = told
    found = emp.get_features_for_inference(
        "COIN", LATER, "1h", groups=EVERY, settings=house.world.settings
    )
    newest = house.train(*SPAN, "1h", groups=EVERY, revisions="newest")
    assert same(found, newest, pl.col("available_at") == LATER) == 1


def test_only_what_changes_a_usable_bar_restates_a_row(tmp_path: Path) -> None:
    """Neither what was told of a bar that was still running, nor what no feature is made of."""
    house = RestatedHouse(tmp_path)
    noon = datetime(2024, 2, 20, 12, tzinfo=UTC)
    house.refresh(noon, {noon.date(): 1.5}, running=True)
    house.refresh(NOW, {noon.date(): 1.0})
    first = house.train(*SPAN)
    assert same(first, house.train(*SPAN, revisions="newest"), ended(LATER)) == 19
    house.refresh(NOW + timedelta(hours=1), trades=7)
    log = house.world.platform.raw_log
    from market_data.datasets import raw_bars

    counted = log.told_again(raw_bars("mine", DAYS))
    assert counted["again"].sum() > 60
    again = house.train(*SPAN)
    assert_frame_equal(again.frame, first.frame, check_exact=True)
    assert again.metadata["restated"] == {"rows": 0, "sessions": 0, "left_out": 0, "recorded": True}


@pytest.mark.filterwarnings("error")
def test_a_bar_that_was_refused_at_its_time_has_no_row(tmp_path: Path) -> None:
    """As it had none then; nobody is told to make what is there."""
    house, day = RestatedHouse(tmp_path), date(2024, 2, 12)
    house.refresh(THEN, {day: 1e-12})
    first = house.train(*SPAN)
    house.refresh(NOW, {day: 1.0})
    found = house.train(*SPAN)
    assert day not in found.frame["session"].to_list()
    assert same(found, first, ended(THEN)) == 10
    assert found.metadata["restated"]["left_out"] == 1
    assert day in house.train(*SPAN, revisions="newest").frame["session"].to_list()


def test_a_word_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="revisions='old'; it takes known or newest"):
        RestatedHouse(tmp_path).train(*SPAN, revisions="old")


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    restated=st.lists(
        st.dictionaries(
            st.dates(date(2023, 12, 1), date(2024, 2, 26)),
            st.floats(0.9, 1.1).filter(lambda f: abs(f - 1) > 1e-3),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=2,
    )
)
def test_no_row_changes_that_lies_before_a_revision(restated: list[dict[date, float]]) -> None:
    with TemporaryDirectory() as folder:
        house, given = RestatedHouse(Path(folder)), []
        for number, factors in enumerate([{}, *restated]):
            now = THEN + number * timedelta(days=4)
            house.refresh(now, {d: f for d, f in factors.items() if d < now.date()})
            given.append((now, house.train(date(2024, 1, 30), SPAN[1])))
        newest = given[-1][1]
        for (_, frame), (later, _) in pairwise(given):
            assert same(newest, frame, ended(later) & ended(given[0][0])) == 20
