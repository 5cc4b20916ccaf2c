"""Charts that no recording shows: empty and live rows, odd numbers, changes of the clock."""

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
    "odd", [True, "1.0", [1.0], [[[[1.0]]]]], ids=lambda odd: type(odd).__name__
)
def test_a_price_is_a_number_or_nothing(odd: Any) -> None:
    content = chart([at(2024, 3, d, 9, 30) for d in (11, 12)], [1.0, 2.0])
    content["indicators"]["quote"][0]["low"][1] = odd
    with pytest.raises(MalformedAnswerError, match="cannot be read"):
        read(content, Timeframe.D1)


@pytest.mark.parametrize("column", ["open", "low", "close", "volume", "adjclose"])
@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_none_can_be_costs_its_row_alone(column: str, token: str) -> None:
    content = chart([at(2024, 3, d, 9, 30) for d in (11, 12, 13)], [1.0, 2.0, 3.0])
    indicators = content["indicators"]
    indicators["adjclose"] = [{"adjclose": [1.0, 2.0, 3.0]}]
    cells = indicators.get(column, indicators["quote"])[0][column]
    cells[1] = json.loads(token)
    frame, rejected = read(content, Timeframe.D1)
    assert frame["close"].to_list() == [1.0, 3.0]
    named = "adj_close" if column == "adjclose" else column
    (row,) = rejected.to_dicts()
    assert (row["reasons"], row["ts"]) == (f"bad_{named}", datetime(2024, 3, 12, tzinfo=UTC))
    # Strict readers of JSON take no NaN.
    kept = json.loads(row["row"], parse_constant=pytest.fail)
    assert kept[named] in ("NaN", "inf", "-inf")


def test_a_row_says_all_that_is_wrong_with_it() -> None:
    content = chart([at(2024, 3, 11, 9, 30)], [1.0])
    content["indicators"]["quote"][0].update(high=[None], volume=[float("nan")])
    _, rejected = read(content, Timeframe.D1)
    assert rejected["reasons"].to_list() == ["null_price,bad_volume"]


def test_a_time_with_a_fraction_of_a_second_is_none() -> None:
    stamps = [float(at(2024, 3, 11, 9, 30)), at(2024, 3, 12, 9, 30) + 0.5, float("inf")]
    frame, rejected = read(chart(stamps, [1.0, 2.0, 3.0]), Timeframe.D1)  # type: ignore[arg-type]
    assert frame["close"].to_list() == [1.0]
    assert rejected["reasons"].to_list() == ["bad_time", "bad_time"]


def test_a_row_without_a_time_of_ours_is_rejected() -> None:
    stamps = [at(2024, 3, 11, 9, 30), None, 10**17, -(10**12), 10**400]
    frame, rejected = read(chart(stamps, [1.0, 2.0, 3.0, 4.0, 5.0]), Timeframe.D1)  # type: ignore[arg-type]
    assert frame["close"].to_list() == [1.0]
    assert rejected.select("ts", "reasons").unique().rows() == [(None, "bad_time")]
    assert rejected.height == 4


@pytest.mark.parametrize("unit", ["U|S|D", ["USD"], 7, "x" * 40])
def test_a_currency_that_is_none_is_not_believed(unit: Any) -> None:
    assert currency_unit({"meta": {"currency": unit}}) == ""


@pytest.mark.parametrize("first", [10**30, -(10**30), True, "1990", None, 0])
def test_a_first_trade_at_no_time_of_ours_is_not_known(first: Any) -> None:
    assert first_trade({"meta": {"firstTradeDate": first}}, "ACME") == {}
