"""An archived answer read again: what it brings counts as fetched then, and undoes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import plan_replay, reread, verdicts
from market_data.ports import FetchRequest, FetchResult, Payload, Refused
from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, ledger, shares
from tests.support.worlds import World

DAY, BAR = "2024-03-05", datetime(2024, 3, 5, tzinfo=UTC)
THEN, NOW = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
BAD = pl.DataFrame(
    [("AAA", BAR, "bad_close", '{"close": "x"}')], schema=REJECTED_ROWS.dtypes, orient="row"
)


@dataclass
class Archivist(FakeVendor):
    """Keeps a payload, and reads it again as its bars say."""

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        yield FetchResult(payloads=[Payload(b"what came", "loopback")])
        yield from super().fetch(request)

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        assert list(contents) == [b"what came"]
        assert request.now == THEN
        for result in super().fetch(request):
            yield replace(result, actions=split(2.0, THEN))


def split(value: float, known_at: datetime) -> pl.DataFrame:
    row = ("AAA", date(2024, 3, 4), "split", value, "yahoo", known_at)
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A row that the reader of June refused."""
    made = shares(World.at(tmp_path, THEN))
    ask(made, Archivist(rejected=BAD), DAY, DAY)
    made.platform.actions.add(split(2.0, THEN), now=THEN)
    later = made.later(NOW)
    later.platform.actions.add(split(3.0, NOW), now=NOW)
    return later


def reading(world: World, vendor: FakeVendor) -> Platform:
    return replace(world.platform, vendor=lambda _name, **_how: vendor)


def test_a_row_that_can_be_read_now_lands_as_of_its_fetch(world: World) -> None:
    platform = reading(world, Archivist(bars={"AAA": [BAR]}))
    runs = platform.journal.runs()
    done = reread(platform, plan_replay(platform, Refused()), keep=True)
    assert verdicts(platform, done)["verdict"].to_list() == ["accepted"]
    (row,) = platform.raw_log.read(raw_bars("yahoo", Timeframe.D1)).to_dicts()
    assert (row["fetched_at"], row["fetch_id"]) == (THEN, runs[0].fetch_id)
    assert platform.actions.read()["value"].to_list() == [3.0], "the correction stands"
    assert platform.journal.runs() == runs
    assert ledger(world)[DAY] == ("rows", 1, True)
    # The same again changes nothing.
    reread(platform, plan_replay(platform, Refused()), keep=True)
    assert platform.raw_log.revisions(raw_bars("yahoo", Timeframe.D1)).height == 1


def test_a_session_that_was_asked_since_keeps_its_verdict(world: World) -> None:
    ask(world, FakeVendor(), DAY, DAY, refetch=True)
    before = ledger(world)
    platform = reading(world, Archivist(bars={"AAA": [BAR]}))
    reread(platform, plan_replay(platform, Refused()), keep=True)
    assert ledger(world) == before


def test_a_rehearsal_keeps_nothing(world: World) -> None:
    platform = reading(world, Archivist(bars={"AAA": [BAR]}))
    reread(platform, plan_replay(platform, Refused()), keep=False)
    assert platform.raw_log.read(raw_bars("yahoo", Timeframe.D1)).is_empty()
    assert platform.quarantine.entries(Refused(statuses=["open"])).height == 1


def test_what_is_still_refused_and_what_cannot_be_read_says_so(world: World) -> None:
    same = reading(world, Archivist(rejected=BAD))
    (row,) = verdicts(same, reread(same, plan_replay(same, Refused()), keep=True)).to_dicts()
    assert (row["verdict"], row["why"]) == ("refused again", "bad_close")

    unable = reading(world, FakeVendor())
    (row,) = verdicts(unable, plan_replay(unable, Refused())).to_dicts()
    assert row["verdict"] == "not tried"
    assert "--refetch" in row["why"]
