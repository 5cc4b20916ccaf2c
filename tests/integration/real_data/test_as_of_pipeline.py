"""What was known when: a restated bar and a split that becomes known late.

The raw log keeps every revision, curated bars follow the newest, and a reader who asks as of an
earlier time still gets the earlier answer.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

SPAN = (date(2024, 1, 2), date(2024, 1, 8))
EX_DATE, RESTATED = date(2024, 1, 4), date(2024, 1, 3)
FIRST_FETCH = datetime(2024, 1, 10, 12, tzinfo=UTC)
SECOND_FETCH = datetime(2024, 1, 15, 12, tzinfo=UTC)
SPLIT_KNOWN = datetime(2024, 1, 20, 12, tzinfo=UTC)
EXPORTED = FIRST_FETCH.date()
NOW = datetime(2024, 1, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = "Date,Open,High,Low,Close,Adj Close,Volume\n" + "".join(
    f"2024-01-0{day},{price},{price + 1},{price - 1},{price},{price},1000\n"
    for day, price in ((2, 50.0), (3, 51.0), (4, 52.0), (5, 53.0), (8, 54.0))
)
SECOND = FIRST.replace("2024-01-03,51.0,52.0,50.0,51.0,51.0", "2024-01-03,51.0,52.0,50.0,50.5,50.5")
"""The close of 2024-01-03 restated."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Split-adjusted bars fetched twice, the second time with one restated close; then a split
    becomes known that the vendor had worked in from the start."""
    path = tmp_path / "bars.csv"
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    made = World.at(tmp_path, FIRST_FETCH).register(
        FileVendor("mine", {"1d": ("yahoo_csv", path)}, ("SHARE",)), instruments=(share,)
    )
    path.write_text(FIRST)
    made.load("mine", "1d", "SHARE", *SPAN, exported=EXPORTED)
    made.curate("1d", "SHARE", *SPAN)
    path.write_text(SECOND)
    made = made.later(SECOND_FETCH)
    again = made.load("mine", "1d", "SHARE", *SPAN, refetch=True, exported=EXPORTED)
    assert (again.new_rows, again.revised_rows) == (1, 1)
    made.curate("1d", "SHARE", *SPAN)
    split = ("SHARE", EX_DATE, "split", 2.0, "exchange", SPLIT_KNOWN)
    made.platform.actions.add(
        pl.DataFrame([split], schema=CORPORATE_ACTIONS.dtypes, orient="row"), now=SPLIT_KNOWN
    )
    made = made.later(NOW)
    made.curate("1d", "SHARE", *SPAN)
    return made


def closes(world: World, **how: object) -> list[float]:
    bars = world.read("1d", "SHARE", sessions=SPAN, quality="all", **how)
    assert bars["session"].len() == 5
    return bars["close"].to_list()


def test_the_raw_log_keeps_both_revisions(world: World) -> None:
    log, dataset = world.platform.raw_log, raw_bars("mine", Timeframe.D1)
    every = log.revisions(dataset).filter(pl.col("session") == RESTATED)
    assert every.select("close", "fetched_at", "known_at").rows() == [
        (51.0, FIRST_FETCH, datetime(2024, 1, 3, 21, tzinfo=UTC)),
        (50.5, SECOND_FETCH, SECOND_FETCH),
    ]
    assert log.revisions(dataset).height == 6


def test_curated_bars_follow_the_newest_revision_and_the_split(world: World) -> None:
    assert closes(world) == [100.0, 101.0, 52.0, 53.0, 54.0]
    assert closes(world, adjusted="splits") == [50.0, 50.5, 52.0, 53.0, 54.0]


@pytest.mark.parametrize(
    ("as_of", "none", "splits"),
    [
        (FIRST_FETCH + HOUR, [50.0, 51.0, 52.0, 53.0, 54.0], [50.0, 51.0, 52.0, 53.0, 54.0]),
        (SECOND_FETCH - HOUR, [50.0, 51.0, 52.0, 53.0, 54.0], [50.0, 51.0, 52.0, 53.0, 54.0]),
        (SECOND_FETCH + HOUR, [50.0, 50.5, 52.0, 53.0, 54.0], [50.0, 50.5, 52.0, 53.0, 54.0]),
        (SPLIT_KNOWN + HOUR, [100.0, 101.0, 52.0, 53.0, 54.0], [50.0, 50.5, 52.0, 53.0, 54.0]),
    ],
    ids=["first-fetch", "before-the-second", "second-fetch", "split-known"],
)
def test_each_moment_keeps_its_answer(
    world: World, as_of: datetime, none: list[float], splits: list[float]
) -> None:
    assert closes(world, as_of=as_of) == none
    assert closes(world, as_of=as_of, adjusted="splits") == splits


def test_the_answer_as_of_a_moment_is_the_one_given_at_that_moment(tmp_path: Path) -> None:
    """Curated then, and curated again later as of then: the same frame, column by column."""
    path = tmp_path / "bars.csv"
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    then = World.at(tmp_path, FIRST_FETCH).register(
        FileVendor("mine", {"1d": ("yahoo_csv", path)}, ("SHARE",)), instruments=(share,)
    )
    path.write_text(FIRST)
    then.load_and_curate("mine", "1d", "SHARE", *SPAN, exported=EXPORTED)
    given = then.read("1d", "SHARE", sessions=SPAN)

    path.write_text(SECOND)
    later = then.later(SECOND_FETCH)
    later.load("mine", "1d", "SHARE", *SPAN, refetch=True, exported=EXPORTED)
    later.curate("1d", "SHARE", *SPAN)
    assert not later.read("1d", "SHARE", sessions=SPAN).equals(given)
    assert later.read("1d", "SHARE", sessions=SPAN, as_of=FIRST_FETCH).equals(given)
