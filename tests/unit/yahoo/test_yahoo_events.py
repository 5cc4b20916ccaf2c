"""Splits and dividends of charts: units, repetitions, and those that cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from adapters.vendors.yahoo.events import read_actions
from market_data.errors import MalformedAnswerError
from tests.support.yahoo_replay import chart as invented

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def chart(*args: Any, **kwargs: Any) -> dict[str, Any]:
    result: dict[str, Any] = invented(*args, **kwargs)["chart"]["result"][0]
    return result


def at(*moment: int, zone: str = "America/New_York") -> int:
    return int(datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp())  # type: ignore[misc, arg-type]


def telling(**events: list[dict[str, Any]]) -> dict[str, Any]:
    """A chart with events."""
    named = {kind: dict(enumerate(listed)) for kind, listed in events.items()}
    return chart([at(2024, 3, 11, 9, 30)], [1.0], events=named)


def split(numerator: Any, denominator: Any = 1, day: int = 11) -> dict[str, Any]:
    return {"date": at(2024, 3, day, 9, 30), "numerator": numerator, "denominator": denominator}


def test_pence_of_a_dividend_become_pounds() -> None:
    stamp = at(2024, 3, 11, 8, 0, zone="Europe/London")
    events = {"dividends": {"x": {"amount": 25.0, "date": stamp}}}
    content = chart([stamp], [1.0], zone="Europe/London", currency="GBp", events=events)
    assert read_actions([content], "ACME", NOW)[0]["value"].to_list() == [0.25]
    events["dividends"]["x"]["currency"] = "GBP"
    events["dividends"]["x"]["amount"] = 0.25
    assert read_actions([content], "ACME", NOW)[0]["value"].to_list() == [0.25]


def test_an_event_told_twice_counts_once() -> None:
    stamp = at(2024, 3, 11, 9, 30)
    events = {"splits": {"x": {"numerator": 2, "denominator": 1, "date": stamp}}}
    content = chart([stamp], [1.0], events=events)
    frame, _ = read_actions([content, content], "ACME", NOW)
    assert frame.select("ex_date", "kind", "value").rows() == [(date(2024, 3, 11), "split", 2.0)]
    assert frame["known_at"].to_list() == [datetime(2024, 3, 11, tzinfo=UTC)]


def test_a_dividend_is_of_a_share_of_the_session_before() -> None:
    """Tokyo: 4063.T paid 275 yen and split 5:1 on 2023-03-30; Yahoo tells 55."""
    told = [
        {"date": at(2024, 3, day, 9, 30), "amount": amount}
        for day, amount in ((8, 10.0), (11, 55.0), (12, 7.0))
    ]
    content = telling(splits=[split(5)], dividends=told)
    frame, _ = read_actions([content], "ACME", NOW)
    paid = frame.filter(pl.col("kind") == "dividend").select("ex_date", "value").rows()
    assert paid == [(date(2024, 3, 8), 50.0), (date(2024, 3, 11), 275.0), (date(2024, 3, 12), 7.0)]


@pytest.mark.parametrize(
    "event",
    [
        {"date": 1},
        {"numerator": "2", "denominator": 1, "date": 1},
        {"numerator": True, "denominator": 1, "date": 1},
        {"numerator": 2, "denominator": 1, "date": 10**400},
        None,
        "4:1",
    ],
)
def test_an_event_of_another_shape_is_malformed(event: Any) -> None:
    content = chart([at(2024, 3, 11, 9, 30)], [1.0], events={"splits": {"x": event}})
    with pytest.raises(MalformedAnswerError):
        read_actions([content], "ACME", NOW)


@pytest.mark.parametrize(
    "ratio",
    [
        (0, 1),
        (1, 0),
        (-2, 1),
        (float("inf"), 1),
        (float("nan"), 1),
        (10**400, 1),
        (1e300, 1),
        (1, 1e300),
        (1001, 1),
    ],
)
def test_a_split_that_cannot_be_is_malformed(ratio: tuple[Any, Any]) -> None:
    with pytest.raises(MalformedAnswerError, match="a split of ACME cannot be"):
        read_actions([telling(splits=[split(*ratio)])], "ACME", NOW)


def test_two_different_splits_of_one_day_are_malformed() -> None:
    charts = [telling(splits=[split(2)]), telling(splits=[split(3)])]
    with pytest.raises(MalformedAnswerError, match="contradiction"):
        read_actions(charts, "ACME", NOW)


def test_a_split_of_one_for_one_says_nothing() -> None:
    actions, rejected = read_actions([telling(splits=[split(1)])], "ACME", NOW)
    assert actions.is_empty()
    assert rejected.is_empty()


@pytest.mark.parametrize("amount", [0, -1.0, float("nan"), float("inf"), 10**400, 1e300])
def test_a_dividend_that_cannot_be_is_refused_alone(amount: Any) -> None:
    odd = {"date": at(2024, 3, 12, 9, 30), "amount": amount}
    good = {"date": at(2024, 3, 11, 9, 30), "amount": 0.5}
    actions, rejected = read_actions([telling(dividends=[good, odd])], "ACME", NOW)
    assert actions["value"].to_list() == [0.5]
    (row,) = rejected.to_dicts()
    assert (row["symbol"], row["ts"]) == ("ACME", datetime(2024, 3, 12, tzinfo=UTC))
    assert row["reasons"] in ("bad_value", "implausible_dividend")


def test_two_dividends_of_one_day_are_believed_neither() -> None:
    both = [{"date": at(2024, 3, 11, 9, 30), "amount": amount} for amount in (0.5, 0.6)]
    actions, rejected = read_actions([telling(dividends=both)], "ACME", NOW)
    assert actions.is_empty()
    assert rejected["reasons"].to_list() == ["contradiction", "contradiction"]
