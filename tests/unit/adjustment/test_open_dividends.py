"""Dividends that come with splits of which it is open whether they are worked in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from market_data.corporate_actions.open_dividends import settled_dividends, waiting
from market_data.corporate_actions.told_early import VERDICTS
from market_data.schemas import CORPORATE_ACTIONS

PAID, EX = date(2024, 2, 15), date(2024, 4, 10)
OPENING = datetime(2024, 4, 10, 13, 30, tzinfo=UTC)
EARLY, SOON, LATE = (OPENING + timedelta(days=days) for days in (-1, 1, 3))
Action = tuple[date, str, float]
SPLIT: Action = (EX, "split", 4.0)
DIVIDEND: Action = (PAID, "dividend", 8.0)


def actions(*stated: Action) -> pl.DataFrame:
    rows = [("AAA", d, k, v, "yahoo", datetime.combine(d, time(), UTC)) for d, k, v in stated]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def settled(
    *told: Action,
    now: datetime = SOON,
    shown: dict[date, bool] | None = None,
    known: tuple[Action, ...] = (),
) -> list[float]:
    verdicts = [("AAA", day, worked_in) for day, worked_in in (shown or {}).items()]
    frame = pl.DataFrame(verdicts, schema=VERDICTS, orient="row")
    found = settled_dividends(actions(*told), frame, actions(*known), now=now, calendar="XNYS")
    assert found.columns == CORPORATE_ACTIONS.names
    return found["value"].to_list()


@pytest.mark.parametrize(
    ("now", "shown", "stated"),
    [
        pytest.param(EARLY - timedelta(days=9), {}, [2.0], id="announced"),
        pytest.param(EARLY, {}, [], id="before the opening"),
        pytest.param(SOON, {}, [], id="nothing shown"),
        pytest.param(SOON, {EX: True}, [8.0], id="worked in"),
        pytest.param(SOON, {EX: False}, [2.0], id="lacking"),
        pytest.param(LATE, {}, [8.0], id="two days later"),
        pytest.param(LATE, {EX: False}, [2.0], id="lacking still"),
    ],
)
def test_a_dividend_is_stated_as_far_as_the_prices_say_it(
    now: datetime, shown: dict[date, bool], stated: list[float]
) -> None:
    assert settled(SPLIT, DIVIDEND, now=now, shown=shown) == stated


def test_a_known_one_is_not_changed_by_an_answer_with_an_open_question() -> None:
    for shown in ({}, {EX: False}):
        assert settled(SPLIT, DIVIDEND, shown=shown, known=((PAID, "dividend", 2.0),)) == []
    assert settled(SPLIT, DIVIDEND, shown={EX: True}, known=((PAID, "dividend", 2.0),)) == [8.0]


def test_one_that_was_taken_back_is_not_known() -> None:
    taken_back = (PAID, "dividend", 0.0)
    assert settled(SPLIT, DIVIDEND, shown={EX: False}, known=(taken_back,)) == [2.0]


def test_of_two_splits_each_counts_for_itself() -> None:
    second = (date(2024, 4, 11), "split", 2.0)
    told = (SPLIT, second, (PAID, "dividend", 16.0))
    assert settled(*told, shown={EX: True, second[0]: False}) == [8.0]
    assert settled(*told, shown={EX: True}) == []
    assert settled(*told, shown={EX: False, second[0]: False}) == [2.0]


def test_only_what_is_not_younger_than_a_split_that_traded_lately_waits() -> None:
    late = (EX + timedelta(days=1), "dividend", 1.0)
    same = (EX, "dividend", 2.0)
    old = ((date(2023, 1, 3), "split", 2.0), (date(2022, 1, 3), "dividend", 3.0))
    told = actions(SPLIT, DIVIDEND, same, late, *old)
    held = waiting(told, now=SOON, calendar="XNYS")
    assert held.equals(actions(DIVIDEND, same, old[1]))
    assert waiting(told, now=SOON + timedelta(days=30), calendar="XNYS").is_empty()
    assert settled(late, SPLIT) == [1.0]
    assert settled(same, SPLIT) == []
