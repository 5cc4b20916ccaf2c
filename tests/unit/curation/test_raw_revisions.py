"""Which revision counts, and what an answer adds to what is known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.ordering import is_sorted
from market_data.revisions import VALUES, new_or_changed, newest
from tests.support.raw_rows import FETCHED, raw_rows

DAY = date(2024, 1, 2)
LATER = FETCHED + timedelta(days=1)


def fetch(number: int, **columns: object) -> pl.DataFrame:
    when = FETCHED + timedelta(hours=number)
    return raw_rows(fetch_id=f"f{number}", fetched_at=when, **columns)


def test_the_newest_fetch_counts() -> None:
    old, new = fetch(1), fetch(2, close=100.7).head(2)
    found = newest(pl.concat([new, old]))
    assert found["close"].to_list() == [100.7, 100.7, 100.5, 100.5]
    assert is_sorted(found)


def test_only_what_was_known_counts() -> None:
    old = fetch(1)
    new = fetch(2, close=100.7).with_columns(known_at="fetched_at")
    both = pl.concat([old, new])
    assert newest(both, FETCHED)["close"].unique().to_list() == [100.5]
    assert newest(both, LATER)["close"].unique().to_list() == [100.7]
    assert newest(both, datetime(2023, 1, 1, tzinfo=UTC)).is_empty()


def test_exact_repeats_collapse_and_contradictions_stay() -> None:
    nan = float("nan")
    one = fetch(1, adj_close=nan).head(1)
    found = newest(pl.concat([one, one, one.with_columns(close=pl.lit(100.9)), one]))
    assert found["close"].to_list() == [100.5, 100.9]


def test_a_contradiction_of_an_old_fetch_is_over() -> None:
    old = fetch(1).head(1)
    found = newest(pl.concat([old, old.with_columns(close=pl.lit(99.5)), fetch(2).head(1)]))
    assert found["fetch_id"].to_list() == ["f2"]


def test_equal_times_are_settled_by_the_fetch_id() -> None:
    a = raw_rows(fetch_id="a", close=100.1).head(1)
    b = raw_rows(fetch_id="b", close=100.2).head(1)
    assert newest(pl.concat([b, a]))["close"].to_list() == [100.2]


def test_an_identical_answer_adds_nothing() -> None:
    known = fetch(1, vwap=None, adj_close=float("nan"))
    assert new_or_changed(fetch(2, vwap=None, adj_close=float("nan")), known).new == 0
    assert new_or_changed(known, known).new == 0
    shuffled = fetch(2, vwap=None, adj_close=float("nan")).reverse()
    assert new_or_changed(shuffled, known).new == 0


def test_a_part_of_what_is_known_adds_nothing() -> None:
    assert new_or_changed(fetch(2)[1:3], fetch(1)).new == 0


def test_a_first_sight_keeps_its_assumed_knowledge_time() -> None:
    incoming = fetch(1)
    found = new_or_changed(incoming, incoming.clear())
    assert (found.new, found.revised) == (4, 0)
    assert found.frame.equals(incoming)


def test_a_revision_was_known_when_it_was_fetched() -> None:
    incoming = fetch(2).with_columns(
        close=pl.when(pl.col("session") == DAY).then(100.6).otherwise("close")
    )
    found = new_or_changed(incoming, fetch(1))
    assert (found.new, found.revised) == (1, 1)
    assert found.frame["known_at"].to_list() == [FETCHED + timedelta(hours=2)]
    again = new_or_changed(incoming, pl.concat([fetch(1), found.frame]))
    assert again.new == 0


def test_every_value_column_counts() -> None:
    known = fetch(1).head(1)
    for name in VALUES:
        other = (
            pl.lit("raw|bid||regular|") if name == "basis" else pl.lit(7).cast(known[name].dtype)
        )
        changed = fetch(2).head(1).with_columns(other.alias(name))
        assert new_or_changed(changed, known).revised == 1, name


def test_a_bar_that_came_late_was_not_known_before() -> None:
    known = fetch(1)[[0, 1, 3]]
    found = new_or_changed(fetch(2), known)
    # the third session was never seen before, so its bar is a first sight
    assert found.new == 1
    assert found.frame["known_at"].to_list() == fetch(2)["known_at"].to_list()[2:3]


def test_a_late_minute_of_a_seen_session_has_its_fetch_as_knowledge_time() -> None:
    from market_data.timeframes import Timeframe

    minutes = {"timeframe": Timeframe.M1, "first": DAY, "last": DAY}
    known = raw_rows(**minutes).filter(pl.col("ts").dt.minute() != 40)
    incoming = raw_rows(**minutes, fetch_id="z", fetched_at=LATER)
    found = new_or_changed(incoming, known)
    assert (found.new, found.revised) == (7, 0)
    assert found.frame["known_at"].unique().to_list() == [LATER]
    # a minute that ended after the earlier fetch could not have been seen by it
    early = known.head(10).with_columns(fetched_at=pl.lit(known["ts"][9] + timedelta(minutes=2)))
    fresh = new_or_changed(incoming, early.with_columns(known_at="fetched_at"))
    assert fresh.frame["known_at"].to_list()[-1] == incoming["known_at"].to_list()[-1]


def test_an_answer_without_rows_makes_what_comes_after_it_late() -> None:
    incoming = fetch(2)
    first, second = incoming["session"].to_list()[:2]

    def seen(hour: int) -> pl.DataFrame:
        asked = FETCHED + timedelta(hours=hour)
        return pl.DataFrame(
            {
                "symbol": ["AAA", "AAA", "BBB"],
                "session": [first, date(2023, 1, 3), second],
                "asked_at": [asked] * 3,
            },
            schema_overrides={"asked_at": incoming.schema["fetched_at"]},
        )

    late = FETCHED + timedelta(hours=2)
    assumed = incoming["known_at"].to_list()
    for known in (incoming.clear(), fetch(1)[3:]):
        found = new_or_changed(incoming, known, seen(1))
        assert found.revised == 0
        assert found.frame["known_at"].to_list() == [late, *assumed[1 : found.new]]
    # an answer of this fetch or of a later one, and one before the bar could be had
    for hour in (2, 3, -24 * 365):
        assert new_or_changed(incoming, incoming.clear(), seen(hour)).frame.equals(incoming)


def test_of_two_fetches_in_the_wrong_order_only_the_earlier_is_a_first_sight() -> None:
    first, second = fetch(1).head(2), fetch(2, close=100.7).head(2)
    log = new_or_changed(second, first.clear()).frame
    log = pl.concat([log, new_or_changed(first, log).frame])
    before = newest(log, FETCHED + timedelta(hours=2) - timedelta(microseconds=1))
    assert before.equals(first)
    after = newest(log)
    assert after["close"].to_list() == [100.7, 100.7]
    assert after["known_at"].to_list() == [FETCHED + timedelta(hours=2)] * 2
    # A fetch that contradicts itself is one fetch: none of its rows is a revision.
    twice = pl.concat([first, first.with_columns(close=pl.lit(100.9))])
    assert newest(twice, FETCHED)["known_at"].to_list() == twice.sort("ts")["known_at"].to_list()


def test_the_first_fetch_after_the_end_revises_a_running_bar_of_equal_values() -> None:
    bar = fetch(2).head(1)
    running = bar.with_columns(
        fetch_id=pl.lit("f0"), fetched_at=pl.col("ts") + timedelta(hours=1)
    ).with_columns(known_at="fetched_at")
    found = new_or_changed(bar, running)
    assert found.revised == 1
    assert new_or_changed(fetch(3).head(1), pl.concat([running, found.frame])).new == 0
    polled = running.with_columns(
        fetch_id=pl.lit("f1"), fetched_at=pl.col("fetched_at") + timedelta(minutes=1)
    ).with_columns(known_at="fetched_at")
    assert new_or_changed(polled, running).new == 0


def test_sets_are_compared_as_a_whole() -> None:
    one = fetch(1).head(1)
    two = pl.concat([one, one.with_columns(close=pl.lit(100.9))])
    as_second = two.with_columns(fetch_id=pl.lit("f2"), fetched_at=pl.lit(LATER))
    assert new_or_changed(as_second.reverse(), two).new == 0
    assert new_or_changed(as_second, one).new == 2
    assert new_or_changed(as_second.head(1), two).new == 1
    third = as_second.with_columns(close=pl.Series([100.5, 100.8]))
    assert new_or_changed(third, two).new == 2


bars = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([100.1, 100.2, float("nan"), None])),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(bars, min_size=1, max_size=5), st.randoms())
def test_the_log_tells_what_each_fetch_said(fetches: list, random: object) -> None:
    """Appending fetch after fetch, each repeated, the newest view equals the last word on each."""
    base = raw_rows()
    log = base.clear()
    last_word: dict[object, set] = {}
    for number, said in enumerate(fetches):
        places, closes = zip(*said, strict=True)
        incoming = base[list(places)].with_columns(
            vwap=pl.Series(closes, dtype=pl.Float64),
            fetch_id=pl.lit(f"f{number}"),
            fetched_at=pl.lit(FETCHED + timedelta(hours=number)),
        )
        log = pl.concat([log, new_or_changed(incoming, log).frame])
        assert new_or_changed(incoming, log).new == 0
        for ts, rows in incoming.group_by("ts"):
            last_word[ts[0]] = {repr(v) for v in rows["vwap"].to_list()}
    found = newest(log.sample(fraction=1.0, shuffle=True, seed=1))
    told = {ts[0]: {repr(v) for v in rows["vwap"].to_list()} for ts, rows in found.group_by("ts")}
    assert told == last_word
    assert found.height == sum(len(v) for v in last_word.values())
