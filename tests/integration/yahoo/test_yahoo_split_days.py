"""Days around a split at Yahoo: hours, dividends, from questions over HTTP to bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from market_data.calendars import trading_sessions
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body
from tests.support.worlds import World
from tests.support.yahoo_replay import CHART, chart, serve_basics, yahoo_on

CALENDAR = trading_sessions("XNYS", date(2024, 4, 1), date(2024, 4, 15))
OPENS = dict(CALENDAR.select("session", "open").iter_rows())
CLOSES = dict(CALENDAR.select("session", "close").iter_rows())
FIRST, PAID, BEFORE, EX = (date(2024, 4, day) for day in (1, 4, 9, 10))
EARLY, SOON = OPENS[EX] - timedelta(hours=3), OPENS[EX] + timedelta(hours=8)
LATE = SOON + timedelta(days=2)
RATIO, CASH = 4.0, 2.0
SHARE = Instrument(
    symbol="ZZZ",
    asset_class=AssetClass.EQUITY,
    calendar="XNYS",
    listed=FIRST,
    vendor_symbols={"yahoo": "ZZZ"},
)


@dataclass
class Yahoo:
    """A share that splits, as Yahoo tells of it at some time.

    Attributes:
        told: from when on it names the split.
        divided: from when on it divides prices and dividends by it.
        now: what its clock says.
    """

    told: datetime
    divided: datetime
    now: datetime

    def answer(self, asked: Asked) -> Reply:
        begin, end = int(asked.query["period1"]), int(asked.query["period2"])
        interval = asked.query["interval"]
        stamps: list[int] = []
        closes: list[float | None] = []
        for day in OPENS:
            for stamp, over in self._bars(day, interval):
                if begin <= stamp < end and over <= self.now:
                    stamps.append(stamp)
                    closes.append(traded(day) / self._divisor(day))
        events: dict[str, dict[str, object]] = {}
        ex, paid = (int(OPENS[day].timestamp()) for day in (EX, PAID))
        if begin <= ex < end and self.told <= self.now:
            events["splits"] = {"x": {"date": ex, "numerator": RATIO, "denominator": 1}}
        if begin <= paid < end:
            events["dividends"] = {"x": {"date": paid, "amount": CASH / self._divisor(PAID)}}
        return json_body(chart(stamps, closes, events=events))

    def _bars(self, day: date, interval: str) -> list[tuple[int, datetime]]:
        """Start and end of a day's bars."""
        opened, closed = OPENS[day], CLOSES[day]
        if interval == "1d":
            return [(int(opened.timestamp()), closed)]
        hours = [opened + timedelta(hours=n) for n in range(7)] if interval == "1h" else []
        return [(int(at.timestamp()), min(at + timedelta(hours=1), closed)) for at in hours]

    def _divisor(self, day: date) -> float:
        return RATIO if day < EX and self.divided <= self.now else 1.0


@dataclass
class Story:
    """One installation and one Yahoo, from day to day."""

    world: World
    server: ReplayServer
    yahoo: Yahoo

    def load(
        self, now: datetime, timeframe: str, last: date, *, first: date = FIRST, again: bool = False
    ) -> World:
        """The world after Yahoo was asked."""
        self.yahoo.now, world = now, self.world.later(now)
        wish = IngestRequest("yahoo", Timeframe(timeframe), ("ZZZ",), first, last, again)
        ingest(world.platform, wish, yahoo_on(self.server))
        world.curate(timeframe, "ZZZ", FIRST, last)
        return world.later(now + timedelta(seconds=1))

    def divides(self, *, told: datetime, divided: datetime) -> None:
        self.yahoo.told, self.yahoo.divided = told, divided


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_basics(replay)
        yield replay


@pytest.fixture
def story(server: ReplayServer, tmp_path: Path) -> Story:
    yahoo = Yahoo(told=OPENS[EX], divided=OPENS[EX], now=SOON)
    server.reply(CHART + "ZZZ", yahoo.answer)
    world = World.at(tmp_path, SOON - timedelta(days=9)).register(instruments=(SHARE,))
    return Story(replace(world), server, yahoo)


def traded(day: date) -> float:
    return 100.0 if day >= EX else 100.0 * RATIO


def served(world: World, timeframe: str, **how: object) -> dict[date, set[float]]:
    """The closes of each day."""
    found: dict[date, set[float]] = {}
    bars = world.read(timeframe, "ZZZ", sessions=(FIRST, date(2024, 4, 15)), **how)
    for session, close in bars.select("session", "close").iter_rows():
        found.setdefault(session, set()).add(close)
    return found


def withheld(world: World, timeframe: str) -> set[date]:
    """The days whose bars are served on request only."""
    return set(served(world, timeframe, quality="all")) - set(served(world, timeframe))


def until(last: date) -> set[date]:
    return {day for day in OPENS if day <= last}


def true(last: date) -> dict[date, set[float]]:
    return {day: {traded(day)} for day in until(last)}


def paid(world: World) -> list[float]:
    actions = world.platform.actions.read(symbols=["ZZZ"])
    return actions.filter(kind="dividend")["value"].to_list()


@pytest.mark.parametrize("now", [EARLY, SOON], ids=["before the opening", "in the evening"])
@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_bars_until_the_day_before_hear_of_the_split_of_the_day(
    story: Story, timeframe: str, now: datetime
) -> None:
    story.divides(told=EARLY, divided=EARLY)
    asked = len(story.server.asked_for(CHART + "ZZZ"))
    soon = story.load(now, timeframe, BEFORE)
    assert len(story.server.asked_for(CHART + "ZZZ")) == asked + 1
    assert served(soon, timeframe) == {}
    assert withheld(soon, timeframe) == until(BEFORE)
    healed = story.load(LATE, timeframe, EX, again=True)
    assert served(healed, timeframe) == true(EX)
    # Of what was withheld nothing; the bar of the day itself was over in the evening.
    known = {EX: true(EX)[EX]} if now == SOON else {}
    assert served(healed, timeframe, as_of=soon.now) == known


def test_hours_of_the_split_day_do_not_divide_a_known_dividend(story: Story) -> None:
    before = story.load(SOON - timedelta(days=1), "1d", BEFORE)
    assert paid(before) == [CASH]
    assert paid(story.load(SOON, "1h", BEFORE)) == [CASH]


def test_a_split_that_is_not_worked_in_multiplies_no_dividend(story: Story) -> None:
    story.divides(told=OPENS[EX], divided=OPENS[EX] + timedelta(days=1))
    before = story.load(SOON - timedelta(days=1), "1d", BEFORE)
    adjusted = served(before, "1d", adjusted="total")
    soon = story.load(SOON, "1d", EX, again=True)
    assert paid(soon) == [CASH]
    late = story.load(LATE, "1d", date(2024, 4, 12), again=True)
    assert paid(late) == [CASH]
    assert served(late, "1d", as_of=before.now, adjusted="total") == adjusted
    (first,) = served(late, "1d", adjusted="total")[FIRST]
    assert first == pytest.approx((400.0 - CASH) / RATIO)
    assert served(late, "1d", as_of=soon.now, adjusted="total")[FIRST] == {first}


def test_a_dividend_that_comes_first_with_such_a_split_is_what_was_paid(story: Story) -> None:
    story.divides(told=OPENS[EX], divided=OPENS[EX] + timedelta(days=1))
    assert paid(story.load(SOON, "1d", EX)) == [CASH]


def test_one_of_which_the_prices_show_nothing_waits_for_the_next_answer(story: Story) -> None:
    story.divides(told=OPENS[EX], divided=OPENS[EX] + timedelta(days=1))
    soon = story.load(SOON, "1d", BEFORE)
    assert (paid(soon), served(soon, "1d")) == ([], {})
    assert withheld(soon, "1d") == until(BEFORE)
    late = story.load(LATE, "1d", EX, again=True)
    assert (paid(late), served(late, "1d")) == ([CASH], true(EX))
    assert served(late, "1d", as_of=soon.now) == {EX: true(EX)[EX]}


def test_a_wrong_dividend_is_corrected_by_an_answer_without_open_questions(story: Story) -> None:
    """Divided by a split that Yahoo did not tell yet."""
    story.divides(told=LATE, divided=OPENS[EX])
    wrong = story.load(SOON, "1d", BEFORE)
    assert paid(wrong) == [CASH / RATIO]
    late = story.load(LATE + timedelta(days=1), "1d", EX, again=True)
    assert paid(late) == [CASH]
