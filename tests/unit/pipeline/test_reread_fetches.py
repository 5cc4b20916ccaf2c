"""An archived answer read again: what it brings counts as fetched then, and undoes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.configured import ConfiguredVendors
from adapters.vendors.each_symbol import each_symbol
from market_data.datasets import raw_bars
from market_data.errors import RateLimitedError
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import plan_replay, reread, verdicts
from market_data.ports import FetchRequest, FetchResult, Payload, Refused, SymbolRequest
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


@dataclass
class Speechless(FakeVendor):
    """Each answer is about one symbol, which only its place tells; BBB's may never come."""

    answers: Mapping[str, bytes] = field(default_factory=dict)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        return each_symbol(request, self._fetch_symbol)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        if wanted.symbol not in self.answers:
            raise RateLimitedError("enough for today")
        rejected = BAD.with_columns(symbol=pl.lit(wanted.symbol))
        payload = Payload(self.answers[wanted.symbol], "loopback")
        yield FetchResult(payloads=[payload], rejected=rejected)

    def reread(self, contents: Sequence[bytes], request: FetchRequest) -> Iterator[FetchResult]:
        (wanted,) = request.symbols
        assert list(contents) == [self.answers[wanted.symbol]]
        yield from FakeVendor.fetch(self, request)


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
    class One(ConfiguredVendors):
        def open(self, name: str, **_how: object) -> FakeVendor:
            return vendor

    return replace(world.platform, vendors=One(**vars(world.platform.vendors)))


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


def test_a_past_answer_tells_nothing_of_how_the_vendor_answers_today(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("market_data.pipeline.shape_watch.ShapeWatch.tell", told)
    platform = reading(world, Archivist(bars={"AAA": [BAR]}))
    reread(platform, plan_replay(platform, Refused()), keep=True)
    assert platform.raw_log.read(raw_bars("yahoo", Timeframe.D1)).height == 1


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


@pytest.mark.parametrize(
    "answers",
    [{"AAA": b"one", "BBB": b"two"}, {"AAA": b"the same", "BBB": b"the same"}],
    ids=["unlike", "alike"],
)
def test_answers_that_name_no_symbol_are_read_for_the_one_that_was_asked_for(
    tmp_path: Path, answers: dict[str, bytes]
) -> None:
    first = shares(World.at(tmp_path, THEN))
    ask(first, Speechless(answers=answers), DAY, DAY, *answers)
    vendor = Speechless(answers=answers, bars={symbol: [BAR] for symbol in answers})
    platform = reading(first.later(NOW), vendor)
    done = reread(platform, plan_replay(platform, Refused()), keep=True)
    assert verdicts(platform, done)["verdict"].to_list() == ["accepted", "accepted"]
    kept = platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert kept["symbol"].to_list() == ["AAA", "BBB"]


def test_a_symbol_whose_answer_never_came_is_not_taken_to_have_no_bars(tmp_path: Path) -> None:
    first = shares(World.at(tmp_path, THEN))
    ask(first, Speechless(answers={"AAA": b"one"}), DAY, DAY, "AAA", "BBB")
    before = ledger(first, symbol="BBB")
    assert before[DAY][0] == "refused"
    later = first.later(NOW)
    platform = reading(later, Speechless(answers={"AAA": b"one"}, bars={"AAA": [BAR]}))
    done = reread(platform, plan_replay(platform, Refused()), keep=True)
    assert verdicts(platform, done)["verdict"].to_list() == ["accepted"]
    assert ledger(later)[DAY] == ("rows", 1, True)
    assert ledger(later, symbol="BBB") == before


def test_what_is_still_refused_and_what_cannot_be_read_says_so(world: World) -> None:
    same = reading(world, Archivist(rejected=BAD))
    (row,) = verdicts(same, reread(same, plan_replay(same, Refused()), keep=True)).to_dicts()
    assert (row["verdict"], row["why"]) == ("refused again", "bad_close")

    unable = reading(world, FakeVendor())
    (row,) = verdicts(unable, plan_replay(unable, Refused())).to_dicts()
    assert row["verdict"] == "not tried"
    assert "--refetch" in row["why"]
