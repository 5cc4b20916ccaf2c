"""Yahoo divides its whole history by a new split: what was recorded, altered accordingly."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.datasets import raw_bars
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.planning import IngestRequest
from market_data.timeframes import Timeframe
from tests.support.replay_server import ReplayServer, json_body
from tests.support.worlds import World
from tests.support.yahoo_replay import (
    CHART,
    RECORDINGS,
    recorded,
    serve_basics,
    without_bars,
    yahoo_on,
)

RATIO = 5
EX_DATE = date(2020, 10, 12)
EX_STAMP = 1602509400
"""2020-10-12 09:30 in New York."""
FIRST, EVE, LAST = date(2020, 9, 1), date(2020, 10, 9), date(2020, 11, 6)
BEFORE = datetime(2020, 10, 10, tzinfo=UTC)
AFTER = datetime(2020, 11, 10, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")


def single(value: float) -> float:
    """As Yahoo computes: in single precision."""
    (rounded,) = struct.unpack("f", struct.pack("f", value))
    return float(rounded)


def chart_of(data: Path, *, until: date | None, split: bool) -> dict[str, Any]:
    """The recorded chart as it would have been had the shares been split on EX_DATE.

    Args:
        data: folder of the recordings.
        until: last session that it knows.
        split: asked after the split, so that everything is divided by it.
    """
    body = deepcopy(recorded(data, RECORDINGS["AAPL"]))
    result = body["chart"]["result"][0]
    stamps = result["timestamp"]
    quote = result["indicators"]["quote"][0]
    adjusted = result["indicators"]["adjclose"][0]["adjclose"]
    # Traded after the ex-date at a fifth, whoever asks when.
    kept = [i for i, s in enumerate(stamps) if until is None or day(s) <= until]
    for i, stamp in enumerate(stamps):
        factor = RATIO if split or day(stamp) >= EX_DATE else 1
        for name in PRICES:
            quote[name][i] = single(quote[name][i] / factor)
        adjusted[i] = single(adjusted[i] / factor * (0.998 if split else 1.0))
        quote["volume"][i] *= factor
    result["timestamp"] = [stamps[i] for i in kept]
    for name in (*PRICES, "volume"):
        quote[name] = [quote[name][i] for i in kept]
    result["indicators"]["adjclose"][0]["adjclose"] = [adjusted[i] for i in kept]
    events = result.setdefault("events", {})
    if split:
        events["splits"] = {str(EX_STAMP): {"date": EX_STAMP, "numerator": RATIO, "denominator": 1}}
    else:
        events.pop("splits", None)
    return body


def day(stamp: int) -> date:
    return datetime.fromtimestamp(stamp, UTC).date()


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_basics(replay)
        yield replay


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, BEFORE)


def serve(server: ReplayServer, body: dict[str, Any]) -> None:
    server.reply(CHART + "AAPL", json_body(body), interval="1d")
    server.reply(CHART + "AAPL", json_body(without_bars(body)), interval="1mo")


def ask(world: World, server: ReplayServer, first: date, last: date, **how: Any) -> IngestReport:
    request = IngestRequest("yahoo", Timeframe.D1, ("AAPL",), first, last, **how)
    return ingest(world.platform, request, yahoo_on(server))


def values(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select("session", *PRICES, "volume")


def test_a_split_is_no_revision_of_any_bar(
    world: World, server: ReplayServer, test_data: Path
) -> None:
    serve(server, chart_of(test_data, until=EVE, split=False))
    ask(world, server, FIRST, EVE)
    world.curate("1d", "AAPL", FIRST, EVE)
    before = world.read("1d", "AAPL", sessions=(FIRST, EVE))
    known = world.platform.raw_log.revisions(raw_bars("yahoo", Timeframe.D1))

    # Weeks later the whole range is asked for again: every old number differs.
    later = world.later(AFTER)
    divided = chart_of(test_data, until=LAST, split=True)
    serve(server, divided)
    report = ask(later, server, FIRST, LAST, refetch=True)
    sessions = before.height
    assert report.revised_rows == 0
    assert report.new_rows == report.rows["AAPL"] - sessions
    assert_frame_equal(
        later.platform.raw_log.revisions(raw_bars("yahoo", Timeframe.D1), sessions=(FIRST, EVE)),
        known,
    )
    later.curate("1d", "AAPL", FIRST, LAST)
    now = later.read("1d", "AAPL", sessions=(FIRST, LAST))
    assert_frame_equal(values(now.head(sessions)), values(before))
    assert_frame_equal(
        values(later.read("1d", "AAPL", sessions=(FIRST, EVE), as_of=BEFORE)), values(before)
    )
    # As traded there is a fall to a fifth; adjusted there is none.
    traded = now["close"] / now["close"].shift(1)
    assert traded[sessions] == pytest.approx(1 / RATIO, rel=0.1)
    adjusted = later.read("1d", "AAPL", sessions=(FIRST, LAST), adjusted="splits")["close"]
    assert (adjusted / adjusted.shift(1)).drop_nulls().is_between(0.9, 1.1).all()
    newest = divided["chart"]["result"][0]["indicators"]["quote"][0]["close"]
    assert adjusted.to_list() == pytest.approx(newest[-adjusted.len() :], rel=1e-6)


def test_a_part_that_is_asked_for_again_mixes_no_bases(
    world: World, server: ReplayServer, test_data: Path
) -> None:
    serve(server, chart_of(test_data, until=EVE, split=False))
    ask(world, server, FIRST, EVE)
    world.curate("1d", "AAPL", FIRST, EVE)
    before = world.read("1d", "AAPL", sessions=(FIRST, EVE))

    later = world.later(AFTER)
    altered = chart_of(test_data, until=LAST, split=True)
    quote = altered["chart"]["result"][0]["indicators"]["quote"][0]
    # One old bar is really corrected, by a cent as traded; the others only stand divided.
    corrected = next(
        i
        for i, s in enumerate(altered["chart"]["result"][0]["timestamp"])
        if day(s) == date(2020, 10, 7)
    )
    quote["close"][corrected] += 0.01 / RATIO
    serve(server, altered)
    report = ask(later, server, date(2020, 10, 5), LAST, refetch=True)
    assert report.revised_rows == 1
    later.curate("1d", "AAPL", FIRST, LAST)
    now = later.read("1d", "AAPL", sessions=(FIRST, EVE))
    change = now["close"] - before["close"]
    assert change.to_list() == pytest.approx(
        [0.01 if s == date(2020, 10, 7) else 0.0 for s in now["session"]], abs=1e-4
    )
    # The correction was not known before it came.
    assert_frame_equal(
        values(later.read("1d", "AAPL", sessions=(FIRST, EVE), as_of=BEFORE)), values(before)
    )
    at_end = later.read("1d", "AAPL", sessions=(FIRST, EVE), as_of=AFTER)
    assert_frame_equal(values(at_end), values(now))


def test_a_split_without_a_refetch_changes_nothing_stored(
    world: World, server: ReplayServer, test_data: Path
) -> None:
    serve(server, chart_of(test_data, until=EVE, split=False))
    ask(world, server, FIRST, EVE)
    world.curate("1d", "AAPL", FIRST, EVE)
    later = world.later(AFTER)
    serve(server, chart_of(test_data, until=LAST, split=True))
    ask(later, server, EX_DATE, LAST)
    later.curate("1d", "AAPL", FIRST, LAST)
    adjusted = later.read("1d", "AAPL", sessions=(FIRST, LAST), adjusted="splits")["close"]
    assert (adjusted / adjusted.shift(1)).drop_nulls().is_between(0.9, 1.1).all()


def test_a_split_that_yahoo_works_in_late_changes_no_earlier_answer(
    world: World, server: ReplayServer, test_data: Path
) -> None:
    """Asked three weeks after the split, Yahoo knows nothing of it yet."""
    three_weeks = datetime(2020, 11, 3, tzinfo=UTC)
    asleep = world.later(three_weeks)
    serve(server, chart_of(test_data, until=EVE, split=False))
    ask(asleep, server, FIRST, EVE)
    asleep.curate("1d", "AAPL", FIRST, EVE)
    before = asleep.read("1d", "AAPL", sessions=(FIRST, EVE))

    later = world.later(AFTER)
    serve(server, chart_of(test_data, until=LAST, split=True))
    ask(later, server, FIRST, LAST, refetch=True)
    (split,) = later.platform.actions.read(symbols=["AAPL"]).filter(kind="split").to_dicts()
    assert (split["ex_date"], split["known_at"]) == (EX_DATE, AFTER)
    later.curate("1d", "AAPL", FIRST, LAST)
    now = later.read("1d", "AAPL", sessions=(FIRST, EVE))
    assert_frame_equal(values(now), values(before), rel_tol=1e-6)
    then = later.read("1d", "AAPL", sessions=(FIRST, EVE), as_of=three_weeks)
    assert_frame_equal(values(then), values(before))
    # What was known then adjusts nothing, and goes on to adjust nothing.
    assert_frame_equal(
        values(
            later.read("1d", "AAPL", sessions=(FIRST, EVE), as_of=three_weeks, adjusted="splits")
        ),
        values(before),
    )
