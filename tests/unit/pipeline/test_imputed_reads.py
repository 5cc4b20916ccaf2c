"""Reads with bars that are made up: from files to frames, in both directions of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.corporate_actions.adjustment import Adjust
from market_data.curation.imputation import MASKS
from market_data.datasets import FLAGS_DATASET, SCORES_DATASET
from market_data.errors import ConfigurationError
from market_data.pipeline.score import score_range
from market_data.ports import Annotation, Decision
from market_data.schemas import CORPORATE_ACTIONS, CURATED_BARS
from market_data.universe import AssetClass, Instrument
from tests.support.decisions import taken_back_afterwards
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 1, 20, tzinfo=UTC)
# 2024-01-15 is a holiday; of the 4th, and of the 9th to the 11th, there are no bars.
DAYS = (2, 3, 5, 8, 12, 16, 17)
MISSING = [4, 9, 10, 11]
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 17)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Daily bars of MINE that close at 100 + the day, and hours of one session of it."""
    folder = tmp_path_factory.mktemp("imputed")
    daily, hourly = folder / "daily.csv", folder / "hourly.csv"
    rows = [f"2024-01-{d:02d},{100 + d},{110 + d},{90 + d},{100 + d},500" for d in DAYS]
    daily.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    hours = [f"2024-01-{d:02d} {h}:30:00,10,30,9,{h},5" for d in (2, 3) for h in (14, 15, 18, 20)]
    hourly.write_text("\n".join(["datetime,open,high,low,close,volume", *hours]) + "\n")
    opened = World.at(folder, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", daily), "1h": ("plain_1h", hourly)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    opened.load_and_curate("mine", "1d", "MINE", FIRST, LAST)
    return opened


@pytest.fixture(autouse=True)
def _decisions_end_with_their_test(world: World) -> Iterator[None]:
    with taken_back_afterwards(world):
        yield


def made_up(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.filter("is_imputed_close")


def days(bars: pl.DataFrame) -> list[int]:
    return bars["session"].dt.day().to_list()


def test_nothing_is_made_up_unless_somebody_asks(world: World) -> None:
    bars = world.read("1d", "MINE")
    assert bars.columns == CURATED_BARS.names
    assert days(bars) == [*DAYS]


def test_days_are_carried_up_to_the_limit_and_marked(world: World) -> None:
    bars = world.read("1d", "MINE", impute="ffill,limit=2")
    assert bars.columns == [*CURATED_BARS.names, *MASKS]
    assert bars["ts"].is_sorted()
    # The newest session that is over is missing, too.
    assert made_up(bars).select(pl.col("session").dt.day(), "close").rows() == [
        (4, 103.0), (9, 108.0), (10, 108.0), (18, 117.0), (19, 117.0)
    ]  # fmt: skip
    real = bars.filter(~pl.col("is_imputed_close")).select(CURATED_BARS.names)
    assert_frame_equal(real, world.read("1d", "MINE"))


@pytest.mark.parametrize("how", ["ffill,limit=2", "interpolate,limit=3", "constant:5,limit=1"])
def test_a_part_of_a_series_reads_as_it_does_in_the_whole(world: World, how: str) -> None:
    whole = world.read("1d", "MINE", impute=how)
    for a, b in ((4, 4), (9, 11), (10, 10), (11, 16), (3, 9)):
        span = date(2024, 1, a), date(2024, 1, b)
        part = world.read("1d", "MINE", sessions=span, impute=how)
        assert_frame_equal(part, whole.filter(pl.col("session").is_between(*span)))
    instants = {"start": datetime(2024, 1, 4, tzinfo=UTC), "end": datetime(2024, 1, 10, tzinfo=UTC)}
    part = world.read("1d", "MINE", impute=how, **instants)
    assert set(days(part)) <= {4, 5, 8, 9}
    assert_frame_equal(part, whole.filter(pl.col("ts").is_between(*instants.values())))


def test_a_bar_beside_the_range_that_is_unusable_is_not_carried_into_it(world: World) -> None:
    mark = Annotation(
        created_at=NOW, author="ana", dataset="curated/bars_1d", symbol="MINE", reason="a typo",
        first_session=date(2024, 1, 8), last_session=date(2024, 1, 8), decision=Decision.UNUSABLE,
    )  # fmt: skip
    world.platform.annotations.add(mark)
    how = {"impute": "ffill,limit=3"}
    whole = world.read("1d", "MINE", **how)
    assert made_up(whole).filter(pl.col("session").dt.day() == 9)["close"].to_list() == [105.0]
    alone = world.read("1d", "MINE", sessions=(date(2024, 1, 9),) * 2, **how)
    assert_frame_equal(alone, whole.filter(pl.col("session").dt.day() == 9))


def test_only_symbols_that_are_completed_are_read_beyond_the_range(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Annotation(
        created_at=NOW, author="ana", dataset="curated/bars_1d", symbol="MINE", reason="a lost day",
        first_session=date(2024, 1, 4), last_session=date(2024, 1, 4), decision=Decision.IMPUTE,
        imputation="prices=ffill,limit=1",
    )  # fmt: skip
    world.platform.annotations.add(asked)
    read, scan = [], type(world.platform.store).scan

    def noted(*given: object, **how: object) -> pl.DataFrame:
        if not {FLAGS_DATASET, SCORES_DATASET} & set(given):
            read.append((tuple(how["symbols"]), how["sessions"]))  # type: ignore[arg-type]
        return scan(*given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(type(world.platform.store), "scan", noted)
    span = date(2024, 1, 3), date(2024, 1, 5)
    bars = world.read("1d", ("AAPL", "MINE"), sessions=span)
    assert days(bars) == [3, 4, 5]
    wide = date(2023, 12, 18), date(2024, 1, 21)
    assert read == [(("AAPL",), span), (("MINE",), wide)]


def test_nothing_is_made_up_in_hours_of_which_no_bar_has_to_come(tmp_path: Path) -> None:
    """After New Year dealers come back until 02:00 in New York; a bar before that is welcome."""
    path = tmp_path / "hours.csv"
    hours = ["2020-01-01 23:00:00", "2020-01-02 09:00:00", "2020-01-02 12:00:00"]
    rows = [f"{hour},1.1,1.3,1.0,1.2,5" for hour in hours]
    path.write_text("\n".join(["datetime,open,high,low,close,volume", *rows]) + "\n")
    opened = World.at(tmp_path, NOW).register(
        FileVendor("mine", {"1h": ("plain_1h", path)}, ("PAIR",)),
        instruments=(
            Instrument(symbol="PAIR", asset_class=AssetClass.FX, calendar="fx", currency="USD"),
        ),
    )
    day = date(2020, 1, 2)
    opened.load_and_curate("mine", "1h", "PAIR", day, day)
    how = {"impute": "ffill,limit=30", "quality": "all", "sessions": (day, day)}
    made = made_up(opened.read("1h", "PAIR", **how))
    assert made["ts"].dt.hour().to_list() == [7, 8, 10, 11, *range(13, 22)]


def test_hours_are_not_carried_into_another_session(world: World) -> None:
    world.load_and_curate("mine", "1h", "MINE", date(2024, 1, 2), date(2024, 1, 3))
    bars = made_up(world.read("1h", "MINE", impute="ffill,volume=zero,limit=9", quality="all"))
    assert bars.select("ts", "close", "volume").rows() == [
        (datetime(2024, 1, day, hour, 30, tzinfo=UTC), 15.0 if hour < 18 else 18.0, 0.0)
        for day in (2, 3)
        for hour in (16, 17, 19)
    ]


def test_interpolation_is_refused_where_it_would_look_ahead(world: World) -> None:
    bars = world.read("1d", "MINE", impute="interpolate,limit=3")
    assert made_up(bars)["close"].to_list() == [104.0, 109.0, 110.0, 111.0]
    with pytest.raises(ConfigurationError, match="nobody knew at the time"):
        world.read("1d", "MINE", impute="interpolate", as_of=NOW)


def test_a_carried_bar_is_what_a_reader_of_that_day_saw(world: World) -> None:
    now = world.read("1d", "MINE", impute="ffill,limit=2")
    for day in (5, 10, 11, 13):
        moment = datetime(2024, 1, day, tzinfo=UTC)
        then = world.read("1d", "MINE", impute="ffill,limit=2", as_of=moment)
        assert_frame_equal(then, now.filter(pl.col("session") < moment.date()))


def test_prices_are_not_carried_across_a_split_unless_they_are_adjusted(world: World) -> None:
    split = pl.DataFrame(
        {
            "symbol": ["MINE"], "ex_date": [date(2024, 1, 10)], "kind": ["split"], "value": [2.0],
            "source": ["me"], "known_at": [datetime(2024, 1, 9, tzinfo=UTC)],
        }
    )  # fmt: skip
    world.platform.actions.add(CORPORATE_ACTIONS.conform(split), now=NOW)
    how = {"impute": "ffill,limit=3", "quality": "all"}
    try:
        traded = made_up(world.read("1d", "MINE", **how))
        assert [d for d in days(traded) if d in MISSING] == [4, 9]
        adjusted = made_up(world.read("1d", "MINE", adjusted=Adjust.SPLITS, **how))
        assert [d for d in days(adjusted) if d in MISSING] == MISSING
        assert adjusted.filter(pl.col("session").dt.day() == 10)["close"].to_list() == [54.0]
    finally:
        none = split.with_columns(value=pl.lit(1.0), known_at=pl.lit(NOW))
        world.platform.actions.add(CORPORATE_ACTIONS.conform(none), now=NOW)


def test_a_decision_has_bars_made_up_for_everybody_and_covers_nothing(world: World) -> None:
    found = world.inspect("1d", FIRST, LAST).findings
    how = {"decision": Decision.IMPUTE, "imputation": "prices=ffill,limit=1"}
    asked = Annotation(
        created_at=NOW, author="ana", dataset="curated/bars_1d", symbol="MINE",
        first_session=date(2024, 1, 4), last_session=date(2024, 1, 9), reason="a lost day", **how,
    )  # fmt: skip
    number = world.platform.annotations.add(asked)
    bars = world.read("1d", "MINE")
    assert days(made_up(bars)) == [4, 9]
    assert world.read("1d", "MINE", quality="ok").columns == CURATED_BARS.names
    assert world.read("1d", "MINE", impute="none").columns == CURATED_BARS.names
    early = world.read("1d", "MINE", as_of=datetime(2024, 1, 19, tzinfo=UTC))
    assert early.columns == CURATED_BARS.names
    # What is read of that day alone is the same.
    alone = world.read("1d", "MINE", sessions=(date(2024, 1, 4),) * 2)
    assert_frame_equal(alone, bars.filter(pl.col("session") == date(2024, 1, 4)))
    assert_frame_equal(world.inspect("1d", FIRST, LAST).findings, found)
    scores = score_range(world.platform, ["MINE"], FIRST, LAST)
    daily = scores.filter(pl.col("dataset") == "curated/bars_1d", pl.col("observed") == 0)
    assert days(daily) == MISSING
    back = replace(asked, decision=Decision.TAKE_BACK, imputation="", takes_back=number)
    world.platform.annotations.add(back)
    assert world.read("1d", "MINE").columns == CURATED_BARS.names
