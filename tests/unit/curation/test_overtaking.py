"""What comes after the answer of a clock that was ahead is later all the same."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from market_data.overtaking import without_overtaken
from market_data.revisions import Difference, new_or_changed, newest
from tests.support.raw_rows import FETCHED, raw_rows

HOUR = timedelta(hours=1)
AHEAD = FETCHED + timedelta(days=365)


def answer(name: str, when: datetime, close: float) -> pl.DataFrame:
    return raw_rows(fetch_id=name, fetched_at=when, close=close, last=date(2024, 1, 3))


class Log:
    """What is kept, one append after the other."""

    def __init__(self) -> None:
        self.rows = raw_rows().clear()

    def append(self, rows: pl.DataFrame, now: datetime | None = None) -> Difference:
        found = new_or_changed(rows, self.rows, now=now)
        self.rows = pl.concat([self.rows, found.frame])
        return found

    def close(self, known_at: datetime | None = None) -> float:
        (value,) = newest(self.rows, known_at)["close"].unique()
        return float(value)


def log_with_an_answer_from_ahead() -> Log:
    log = Log()
    for rows in (answer("a", FETCHED, 100.1), answer("b", AHEAD, 100.2)):
        log.append(rows, rows["fetched_at"][0])
    return log


def test_what_comes_after_a_clock_that_was_ahead_is_later() -> None:
    log = log_with_an_answer_from_ahead()
    when = FETCHED + HOUR
    found = log.append(answer("c", when, 100.3), when)
    assert (found.new, found.revised) == (2, 2)
    assert log.close() == log.close(when) == log.close(AHEAD + HOUR) == 100.3
    assert log.close(when - timedelta(seconds=1)) == 100.1
    assert newest(log.rows)["fetched_at"].unique().to_list() == [when]
    assert newest(log.rows, when)["fetched_at"].unique().to_list() == [when]
    later = when + HOUR
    log.append(answer("d", later, 100.4), later)
    assert (log.close(), log.close(when), log.close(later)) == (100.4, 100.3, 100.4)
    after = AHEAD + HOUR
    log.append(answer("e", after, 100.5), after)
    assert (log.close(), log.close(AHEAD)) == (100.5, 100.4)


def test_an_answer_with_the_values_from_ahead_tells_when_they_were_known() -> None:
    log = log_with_an_answer_from_ahead()
    when = FETCHED + HOUR
    assert log.append(answer("c", when, 100.2), when).new == 2
    assert log.close() == log.close(when) == 100.2
    assert log.append(answer("d", when + HOUR, 100.2), when + HOUR).new == 0


def test_a_retry_adds_nothing_whatever_came_in_between() -> None:
    log = log_with_an_answer_from_ahead()
    when = FETCHED + HOUR
    third = answer("c", when, 100.3)
    log.append(third, when)
    assert log.append(third, when + HOUR).new == 0
    assert log.append(third).new == 0
    log.append(answer("d", when + HOUR, 100.4), when + HOUR)
    assert log.append(third, when + 2 * HOUR).new == 0
    assert log.close() == 100.4


def test_an_answer_that_was_asked_before_another_does_not_overtake_it() -> None:
    log = log_with_an_answer_from_ahead()
    early, late = FETCHED + HOUR, FETCHED + 2 * HOUR
    log.append(answer("d", late, 100.4), late)
    log.append(answer("c", early, 100.3), late + HOUR)
    assert (log.close(), log.close(late)) == (100.4, 100.4)


def test_an_answer_out_of_the_archive_keeps_its_place() -> None:
    log = log_with_an_answer_from_ahead()
    log.append(answer("c", FETCHED + HOUR, 100.3))
    assert log.close() == 100.2


def test_two_that_ask_at_once_keep_the_order_of_their_questions() -> None:
    log = Log()
    second = FETCHED + timedelta(seconds=1)
    log.append(answer("b", second, 100.2), second + HOUR)
    log.append(answer("a", FETCHED, 100.1), second + HOUR)
    assert log.close() == 100.2


def test_bars_that_nobody_knew_and_bars_from_ahead_in_one_answer() -> None:
    log = log_with_an_answer_from_ahead()
    when = FETCHED + HOUR
    four = raw_rows(fetch_id="c", fetched_at=when, close=100.3)
    found = log.append(four, when)
    assert (found.new, found.revised) == (4, 2)
    assert newest(log.rows).equals(newest(log.rows, when))
    assert newest(log.rows)["close"].to_list() == [100.3] * 4


def test_revisions_without_those_that_were_overtaken() -> None:
    log = log_with_an_answer_from_ahead()
    assert without_overtaken(log.rows).equals(log.rows)
    when = FETCHED + HOUR
    log.append(answer("c", when, 100.3), when)
    left = without_overtaken(log.rows)
    assert left["fetch_id"].to_list() == ["a", "c"] * 2
    assert left["fetched_at"].to_list() == [FETCHED, when] * 2
    assert newest(left).equals(newest(log.rows))
