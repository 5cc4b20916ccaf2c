"""When a bar is whole: vendors' own days, half-fetched minutes, and who goes first then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from market_data.calendars import with_end_of_basis
from market_data.curation.peers import comparable
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from tests.support.raw_rows import INSTRUMENTS, NOW, THRESHOLDS, curated, raw_rows

DAY = date(2024, 1, 3)
LONDON = "splits|mid|USD|regular|Europe/London 00:00"
ONE = {"first": DAY, "last": DAY}


def test_a_london_day_ends_with_london():
    rows = raw_rows("EURUSD", timeframe=Timeframe.D1, basis=LONDON, **ONE)
    ended = with_end_of_basis(rows, "fx", Timeframe.D1)
    # The New York day ends at 22:00 UTC in winter, the London one at midnight.
    assert ended["bar_end"].to_list() == [datetime(2024, 1, 4, tzinfo=UTC)]


def test_a_london_day_in_summer_time_ends_an_hour_earlier_in_utc():
    day = date(2024, 7, 3)
    rows = raw_rows("EURUSD", basis=LONDON, first=day, last=day)
    ended = with_end_of_basis(rows, "fx", Timeframe.D1)
    assert ended["bar_end"].to_list() == [datetime(2024, 7, 3, 23, tzinfo=UTC)]


def test_a_bar_fetched_before_its_own_day_ended_is_not_final():
    between = datetime(2024, 1, 3, 22, 30, tzinfo=UTC)
    early = raw_rows("EURUSD", basis=LONDON, fetched_at=between, **ONE)
    assert curated(early).bars["final"].to_list() == [False]
    own_day = raw_rows("EURUSD", basis="raw|mid||regular|", fetched_at=between, **ONE)
    assert curated(own_day).bars["final"].to_list() == [True]


def minutes(fetched_at: datetime, count: int, vendor: str = "alpha") -> pl.DataFrame:
    rows = raw_rows(vendor=vendor, timeframe=Timeframe.M1, fetched_at=fetched_at, **ONE)
    return rows.head(count)


def test_minutes_fetched_before_the_close_never_make_a_final_day():
    """358 of 390 minutes are enough for coverage, and yet not the day."""
    before_close = datetime(2024, 1, 3, 20, 28, tzinfo=UTC)
    half = curated(minutes=[minutes(before_close, 358)], timeframe=Timeframe.D1)
    assert half.bars["final"].to_list() == [False]


def test_an_answer_after_the_close_makes_them_final():
    """An illiquid share: nobody traded after 15:28, and the vendor was asked again at night."""
    before_close = datetime(2024, 1, 3, 20, 28, tzinfo=UTC)
    at_night = datetime(2024, 1, 4, 3, tzinfo=UTC)
    rows = minutes(before_close, 358).with_columns(
        asked_at=pl.lit(at_night, dtype=pl.Datetime("us", "UTC"))
    )
    assert curated(minutes=[rows], timeframe=Timeframe.D1).bars["final"].to_list() == [True]


def test_a_running_bar_gives_way_to_a_whole_one():
    running = raw_rows(
        vendor="alpha", fetched_at=datetime(2024, 1, 3, 18, tzinfo=UTC), close=100.1, **ONE
    )
    whole = raw_rows(vendor="beta", close=100.4, **ONE)
    (bar,) = curated(running, whole).bars.iter_rows(named=True)
    assert (bar["source"], bar["close"], bar["final"]) == ("beta", 100.4, True)


def test_a_day_that_lacks_minutes_gives_way_to_a_whole_one():
    partial = minutes(NOW - timedelta(days=10), 310)
    whole = minutes(NOW - timedelta(days=10), 390, vendor="beta")
    (bar,) = curated(minutes=[partial, whole], timeframe=Timeframe.D1).bars.iter_rows(named=True)
    assert (bar["source"], bar["volume"]) == ("beta@1m", 3900.0)


def test_a_running_bar_lends_no_volume():
    running = raw_rows(vendor="beta", fetched_at=datetime(2024, 1, 3, 18, tzinfo=UTC), **ONE)
    whole = raw_rows(vendor="alpha", volume=pl.lit(None, dtype=pl.Float64), **ONE)
    (bar,) = curated(whole, running).bars.iter_rows(named=True)
    assert (bar["source"], bar["volume"], bar["filled"]) == ("alpha", None, "")


def test_a_price_in_another_currency_is_never_trusted():
    dollars = raw_rows("LON", basis="raw|trade|USD|regular|", **ONE)
    (bar,) = curated(dollars).bars.iter_rows(named=True)
    assert (bar["dq_status"], bar["flags"]) == ("error", "unit_usd")
    pence = raw_rows("LON", basis="raw|trade|GBp|regular|", **ONE)
    (bar,) = curated(pence).bars.iter_rows(named=True)
    assert (bar["dq_status"], bar["close"]) == ("ok", 1.005)


def test_a_day_that_begins_late_and_far_west_is_not_final_before_its_end():
    """The longest that a bar may last: its date begins a day and more after the session's open."""
    day = date(2024, 5, 2)
    end = datetime(2024, 5, 4, 11, tzinfo=UTC)
    for fetched_at, final in ((end - timedelta(minutes=1), False), (end, True)):
        rows = raw_rows(
            "EURUSD",
            basis="raw|mid||regular|Etc/GMT+12 23:00",
            fetched_at=fetched_at,
            first=day,
            last=day,
        )
        assert curated(rows).bars["final"].to_list() == [final]


def test_bars_of_a_day_that_still_runs_are_not_compared():
    fetched = {"fetched_at": datetime(2024, 1, 3, 22, 30, tzinfo=UTC), **ONE}
    logs = [
        raw_rows("EURUSD", vendor, basis=basis, **fetched)
        for vendor, basis in (("alpha", LONDON), ("beta", "raw|mid||regular|"))
    ]
    peers = comparable(
        logs,
        instruments=INSTRUMENTS,
        timeframe=Timeframe.D1,
        actions=CORPORATE_ACTIONS.empty(),
        thresholds=THRESHOLDS,
        now=NOW,
    )
    assert peers["vendor"].to_list() == ["beta"]


def test_a_price_in_another_currency_gives_way_to_whatever_else_there_is():
    dollars = raw_rows("LON", "alpha", basis="raw|trade|USD|regular|", **ONE)
    thin = raw_rows("LON", "beta", Timeframe.M1, **ONE).head(420)
    (bar,) = curated(dollars, minutes=(thin,)).bars.iter_rows(named=True)
    assert (bar["source"], bar["flags"], bar["dq_status"]) == ("beta@1m", "partial", "warn")
    noon = datetime(2024, 1, 3, 12, tzinfo=UTC)
    running = raw_rows("LON", "beta", fetched_at=noon, **ONE)
    assert curated(dollars, running).bars["source"].to_list() == ["beta"]


def test_minutes_whose_bases_mean_the_same_make_one_bar():
    """Nobody knew the vendor's unit yet when the first half of the day was fetched."""
    first = pl.int_range(pl.len()) < 200
    basis = (
        pl.when(first)
        .then(pl.lit("raw|trade||regular|"))
        .otherwise(pl.lit("raw|trade|USD|regular|"))
    )
    rows = raw_rows(timeframe=Timeframe.M1, basis=basis, **ONE)
    for timeframe, height in ((Timeframe.D1, 1), (Timeframe.H1, 7)):
        bars = curated(minutes=(rows,), timeframe=timeframe).bars
        assert (bars.height, bars["volume"].sum()) == (height, 3900.0)
        assert bars["flags"].unique().to_list() == [""]


def test_hours_that_were_over_when_their_minutes_came_are_final():
    at = datetime(2024, 1, 3, 20, 28, tzinfo=UTC)
    bars = curated(minutes=(minutes(at, 358),), timeframe=Timeframe.H1).bars
    assert bars["final"].to_list() == [True] * 5 + [False]


def test_an_unfinished_day_stays_so_beside_finished_ones():
    """A fetch of the next session says nothing about the one before it."""
    early = minutes(datetime(2024, 1, 3, 20, 28, tzinfo=UTC), 358)
    after = date(2024, 1, 4)
    late = raw_rows(timeframe=Timeframe.M1, first=after, last=after)
    both = curated(minutes=(early, late)).bars
    assert both["final"].to_list() == [False, True]
    alone = [curated(minutes=(m,)).bars for m in (early, late)]
    assert both.equals(pl.concat(alone))
