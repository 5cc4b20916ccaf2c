"""Reading charts that no recording shows: empty rows, live rows, changes of the clock."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from adapters.vendors.yahoo.chart import (
    currency_unit,
    first_trade,
    read_actions,
    read_bars,
)
from market_data.errors import MalformedAnswerError
from market_data.ports import SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.yahoo_replay import chart as invented

WANTED = SymbolRequest(
    Instrument(symbol="ACME", asset_class=AssetClass.EQUITY, calendar="XNYS"), "ACME"
)
START, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def chart(*args: Any, **kwargs: Any) -> dict[str, Any]:
    result: dict[str, Any] = invented(*args, **kwargs)["chart"]["result"][0]
    return result


def at(*moment: int, zone: str = "America/New_York") -> int:
    return int(datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp())  # type: ignore[misc, arg-type]


def read(content: dict[str, Any], timeframe: Timeframe) -> tuple[pl.DataFrame, pl.DataFrame]:
    return read_bars(content, WANTED, timeframe, START, END)


def test_a_row_without_prices_is_rejected_once_and_kept() -> None:
    stamps = [at(2024, 3, d, 9, 30) for d in (11, 12, 13)]
    frame, rejected = read(chart(stamps, [1.0, None, 3.0]), Timeframe.D1)
    assert frame["close"].to_list() == [1.0, 3.0]
    row = rejected.row(0, named=True)
    assert (row["reasons"], row["ts"]) == ("null_bar", datetime(2024, 3, 12, tzinfo=UTC))
    assert json.loads(row["row"])["at"] == stamps[1]


def test_a_row_with_some_prices_is_rejected_under_another_reason() -> None:
    content = chart([at(2024, 3, 11, 9, 30)], [1.0])
    content["indicators"]["quote"][0]["high"] = [None]
    frame, rejected = read(content, Timeframe.D1)
    assert frame.is_empty()
    assert rejected["reasons"].to_list() == ["null_price"]


def test_an_empty_volume_stays_empty() -> None:
    content = chart([at(2024, 3, 11, 9, 30), at(2024, 3, 12, 9, 30)], [1.0, 2.0])
    content["indicators"]["quote"][0]["volume"] = [None, 0]
    frame, _ = read(content, Timeframe.D1)
    assert frame["volume"].to_list() == [None, 0.0]


def test_minutes_keep_their_instant_across_the_change_of_the_clock() -> None:
    stamps = [at(2024, 3, 8, 9, 30), at(2024, 3, 11, 9, 30)]
    frame, _ = read(chart(stamps, [1.0, 2.0]), Timeframe.M1)
    assert [t.hour for t in frame["ts"]] == [14, 13]


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/London", (2024, 7, 1, 0, 0), date(2024, 7, 1)),
        ("Europe/London", (2024, 6, 30, 23, 0), date(2024, 7, 1)),
        ("Asia/Tokyo", (2024, 7, 1, 9, 0), date(2024, 7, 1)),
        ("Pacific/Auckland", (2024, 7, 1, 10, 0), date(2024, 7, 1)),
        ("America/Sao_Paulo", (2022, 1, 2, 23, 0), date(2022, 1, 3)),
    ],
)
def test_a_daily_bar_carries_the_date_of_its_exchange(
    zone: str, moment: tuple[int, ...], day: date
) -> None:
    frame, _ = read(chart([at(*moment, zone=zone)], [1.0], zone=zone), Timeframe.D1)
    assert frame["ts"].to_list() == [datetime(day.year, day.month, day.day, tzinfo=UTC)]


def test_of_the_running_day_the_newer_row_counts() -> None:
    stamps = [at(2024, 3, 11, 9, 30), at(2024, 3, 12, 9, 30), at(2024, 3, 12, 14, 17, 31)]
    frame, rejected = read(chart(stamps, [1.0, 2.0, 2.5]), Timeframe.D1)
    assert frame["close"].to_list() == [1.0, 2.5]
    assert rejected.is_empty()


def test_a_day_given_twice_in_the_middle_is_left_for_others_to_judge() -> None:
    stamps = [at(2024, 3, 11, 9, 30), at(2024, 3, 11, 9, 31), at(2024, 3, 12, 9, 30)]
    frame, _ = read(chart(stamps, [1.0, 2.0, 3.0]), Timeframe.D1)
    assert frame["close"].to_list() == [1.0, 2.0, 3.0]


def test_the_live_row_of_an_intraday_chart_is_left_out() -> None:
    hours = [at(2024, 3, 11, 9, 30), at(2024, 3, 11, 10, 30)]
    frame, _ = read(chart([*hours, at(2024, 3, 11, 11, 2, 5)], [1.0, 2.0, 2.1]), Timeframe.H1)
    assert frame["close"].to_list() == [1.0, 2.0]
    frame, _ = read(chart([*hours, at(2024, 3, 11, 11, 30)], [1.0, 2.0, 2.1]), Timeframe.H1)
    assert frame["close"].to_list() == [1.0, 2.0, 2.1]


def test_pence_of_a_dividend_become_pounds() -> None:
    stamp = at(2024, 3, 11, 8, 0, zone="Europe/London")
    events = {"dividends": {"x": {"amount": 25.0, "date": stamp}}}
    content = chart([stamp], [1.0], zone="Europe/London", currency="GBp", events=events)
    assert read_actions([content], "ACME", END)["value"].to_list() == [0.25]
    events["dividends"]["x"]["currency"] = "GBP"
    events["dividends"]["x"]["amount"] = 0.25
    assert read_actions([content], "ACME", END)["value"].to_list() == [0.25]


def test_an_event_told_twice_counts_once() -> None:
    stamp = at(2024, 3, 11, 9, 30)
    events = {"splits": {"x": {"numerator": 2, "denominator": 1, "date": stamp}}}
    content = chart([stamp], [1.0], events=events)
    frame = read_actions([content, content], "ACME", END)
    assert frame.select("ex_date", "kind", "value").rows() == [(date(2024, 3, 11), "split", 2.0)]
    assert frame["known_at"].to_list() == [datetime(2024, 3, 11, tzinfo=UTC)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c["indicators"]["quote"][0].pop("close"),
        lambda c: c["indicators"]["quote"][0].update(close=["12.5"]),
        lambda c: c["indicators"]["quote"][0].update(close=[1.0, 2.0]),
        lambda c: c.pop("indicators"),
        lambda c: c.update(meta=None),
        lambda c: c["meta"].update(exchangeTimezoneName="Mars/Olympus"),
        lambda c: c.update(timestamp="soon"),
    ],
    ids=["column", "text", "length", "indicators", "meta", "zone", "stamps"],
)
def test_another_shape_is_malformed(damage: Any) -> None:
    content = chart([at(2024, 3, 11, 9, 30)], [1.0])
    damage(content)
    with pytest.raises(MalformedAnswerError):
        read(content, Timeframe.D1)


@pytest.mark.parametrize(
    "event", [{"date": 1}, {"numerator": 2, "denominator": 0, "date": 1}, None, "4:1"]
)
def test_an_event_of_another_shape_is_malformed(event: Any) -> None:
    content = chart([at(2024, 3, 11, 9, 30)], [1.0], events={"splits": {"x": event}})
    with pytest.raises(MalformedAnswerError):
        read_actions([content], "ACME", END)


@pytest.mark.parametrize(
    "odd",
    [True, "1.0", [1.0], float("nan"), [[[[1.0]]]], 10**400],
    ids=lambda odd: type(odd).__name__,
)
def test_a_price_is_a_number_or_nothing(odd: Any) -> None:
    content = chart([at(2024, 3, d, 9, 30) for d in (11, 12)], [1.0, 2.0])
    content["indicators"]["quote"][0]["low"][1] = odd
    if isinstance(odd, float):
        assert read(content, Timeframe.D1)[0]["low"].is_nan().to_list() == [False, True]
        return
    with pytest.raises(MalformedAnswerError, match="cannot be read"):
        read(content, Timeframe.D1)


def test_a_row_without_a_time_of_ours_is_rejected() -> None:
    stamps = [at(2024, 3, 11, 9, 30), None, 10**17, -(10**12)]
    frame, rejected = read(chart(stamps, [1.0, 2.0, 3.0, 4.0]), Timeframe.D1)  # type: ignore[arg-type]
    assert frame["close"].to_list() == [1.0]
    assert rejected.select("ts", "reasons").unique().rows() == [(None, "bad_time")]
    assert rejected.height == 3


@pytest.mark.parametrize("unit", ["U|S|D", ["USD"], 7, "x" * 40])
def test_a_currency_that_is_none_is_not_believed(unit: Any) -> None:
    assert currency_unit({"meta": {"currency": unit}}) == ""


@pytest.mark.parametrize("first", [10**30, -(10**30), True, "1990", None, 0])
def test_a_first_trade_at_no_time_of_ours_is_not_known(first: Any) -> None:
    assert first_trade({"meta": {"firstTradeDate": first}}, "ACME") == {}


@pytest.mark.parametrize("ratio", [(0, 1), (1, 0), (-2, 1), (float("inf"), 1), (10**400, 1)])
def test_a_split_that_cannot_be_is_malformed(ratio: tuple[Any, Any]) -> None:
    event = {"date": at(2024, 3, 11, 9, 30), "numerator": ratio[0], "denominator": ratio[1]}
    content = chart([at(2024, 3, 11, 9, 30)], [1.0], events={"splits": {"x": event}})
    with pytest.raises(MalformedAnswerError, match="event"):
        read_actions([content], "ACME", END)
