"""What was known when: a restated bar and a split that becomes known late.

The raw log keeps every revision, curated bars follow the newest, and a reader who asks as of an
earlier time still gets the earlier answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import raw_bars
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.inspection import inspect_curated
from market_data.pipeline.outdated import outdated
from market_data.ports import BarStore
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
    return told_late(tmp_path)


def told_late(tmp_path: Path, store: BarStore | None = None) -> World:
    """Split-adjusted bars fetched twice, the second time with one restated close; then a split
    becomes known that the vendor had worked in from the start."""
    path = tmp_path / "bars.csv"
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    made = replace(World.at(tmp_path, FIRST_FETCH), store=store).register(
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


MOMENTS = [
    (FIRST_FETCH + HOUR, [50.0, 51.0, 52.0, 53.0, 54.0], [50.0, 51.0, 52.0, 53.0, 54.0]),
    (SECOND_FETCH - HOUR, [50.0, 51.0, 52.0, 53.0, 54.0], [50.0, 51.0, 52.0, 53.0, 54.0]),
    (SECOND_FETCH + HOUR, [50.0, 50.5, 52.0, 53.0, 54.0], [50.0, 50.5, 52.0, 53.0, 54.0]),
    (SPLIT_KNOWN + HOUR, [100.0, 101.0, 52.0, 53.0, 54.0], [50.0, 50.5, 52.0, 53.0, 54.0]),
]
"""When, closes as traded, closes adjusted for splits."""


@pytest.mark.parametrize(
    ("as_of", "none", "splits"),
    MOMENTS,
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


def test_timescale_answers_as_the_lake_does(
    world: World, tmp_path_factory: pytest.TempPathFactory, empty_timescale_url: str
) -> None:
    connections = open_connections(TimescaleSettings(url=empty_timescale_url))
    try:
        there = told_late(tmp_path_factory.mktemp("timescale"), TimescaleStore(connections))
        assert closes(there) == closes(world)
        assert_frame_equal(
            there.read("1d", "SHARE", sessions=SPAN), world.read("1d", "SHARE", sessions=SPAN)
        )
        for as_of, none, splits in MOMENTS:
            assert closes(there, as_of=as_of) == none
            assert closes(there, as_of=as_of, adjusted="splits") == splits
    finally:
        connections.close()


def test_a_changed_order_of_vendors_lists_the_sessions_that_it_puts_out_of_date(
    tmp_path: Path,
) -> None:
    share = Instrument(symbol="SHARE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    for name, close in (("first", 50.0), ("second", 50.1)):
        # The second vendor has the last three sessions only.
        days = (2, 3, 4, 5, 8) if name == "first" else (4, 5, 8)
        rows = "".join(f"2024-01-0{d},{close},{close},{close},{close},100\n" for d in days)
        (tmp_path / f"{name}.csv").write_text("date,open,high,low,close,volume\n" + rows)
    vendors = [
        FileVendor(n, {"1d": ("plain_daily", tmp_path / f"{n}.csv")}, ("SHARE",))
        for n in ("first", "second")
    ]
    world = World.at(tmp_path, NOW).register(*vendors, instruments=(share,))
    world.load_and_curate(("first", "second"), "1d", "SHARE", *SPAN)
    assert outdated(world.platform, "SHARE") == []

    universe = world.platform.universe
    turned = replace(
        world.platform,
        universe=universe.model_copy(update={"vendors": tuple(reversed(universe.vendors))}),
    )
    (found,) = outdated(turned, "SHARE")
    assert (found.first, found.last, found.sessions) == (date(2024, 1, 4), SPAN[1], 3)
    told = inspect_curated(turned, Timeframe.D1, *SPAN).findings.filter(code="outdated")
    assert told["session"].to_list() == [date(2024, 1, d) for d in (4, 5, 8)]
    curate_sessions(turned, Timeframe.D1, ["SHARE"], *SPAN)
    assert outdated(turned, "SHARE") == []
