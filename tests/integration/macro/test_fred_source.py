"""FRED as a source of releases and vintages, over HTTP, by its recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.fred.source import FredSource
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    VendorError,
)
from tests.support.fred_replay import (
    DATES,
    KEY,
    NAMES,
    OBSERVATIONS,
    ONE_RELEASE,
    as_vintages,
    error,
    fred_on,
    recorded,
    serve_dates,
    serve_vintages,
)
from tests.support.replay_server import ReplayServer, Reply, json_body, too_many

OCTOBER = (date(2024, 10, 1), date(2024, 10, 31))


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server


def source(server: ReplayServer) -> FredSource:
    return FredSource(fred_on(server), NAMES)


def test_recorded_dates_of_all_releases(server: ReplayServer, test_data: Path) -> None:
    """The recorded page is the first of eight; asked for as one, it tells what it counts."""
    body = json.loads(recorded(test_data, "releases_dates.json"))
    server.reply(DATES, json_body(body | {"count": len(body["release_dates"])}))
    answer = source(server).release_dates([50, 53, 180], *OCTOBER)
    days = answer.frame.filter(release=50)["session"].to_list()
    assert days == [date(2024, 10, 4)]
    assert answer.frame.filter(release=53)["session"].to_list() == [
        date(2024, 10, 2),
        date(2024, 10, 30),
    ]
    assert answer.frame.filter(release=180).height == 5
    assert dict(answer.frame.select("release", "name").iter_rows()) == {
        n: NAMES[n] for n in (50, 53, 180)
    }
    (asked,) = server.asked
    assert asked.query["include_release_dates_with_no_data"] == "true"
    assert (asked.query["realtime_start"], asked.query["realtime_end"]) == (
        "2024-10-01",
        "2024-10-31",
    )


def test_recorded_pages_that_do_not_come_to_their_count(
    server: ReplayServer, test_data: Path
) -> None:
    body = recorded(test_data, "releases_dates.json")
    server.reply(DATES, Reply(body), Reply(body), json_body({"count": 7370, "release_dates": []}))
    with pytest.raises(MalformedAnswerError, match="counts 7370 rows and gave 2000"):
        source(server).release_dates([50], *OCTOBER)


def test_pages_are_put_together(server: ReplayServer) -> None:
    days = [f"2024-10-{d:02}" for d in range(1, 31)]
    serve_dates(server, {180: days, 53: ["2024-10-30"]}, page=7)
    answer = source(server).release_dates([180, 53], *OCTOBER)
    assert answer.frame.height == 31
    assert [int(a.query["offset"]) for a in server.asked] == [0, 7, 14, 21, 28]
    assert {a.query["limit"] for a in server.asked} == {"1000"}
    assert len(answer.payloads) == 5


def test_a_long_range_is_asked_release_by_release(server: ReplayServer, test_data: Path) -> None:
    body = recorded(test_data, "release_dates_10.json")
    server.reply(ONE_RELEASE, Reply(body), release_id="10")
    answer = source(server).release_dates([10], date(1949, 1, 1), date(2024, 12, 31))
    told = [r["date"] for r in json.loads(body)["release_dates"]]
    assert [str(d) for d in answer.frame["session"]] == sorted(set(told))
    assert set(answer.frame["name"]) == {NAMES[10]}
    assert len(server.asked) == 1


def test_both_ways_to_ask_tell_the_same(server: ReplayServer) -> None:
    dates = {53: ["2024-10-30", "2024-11-27"], 180: ["2024-10-31", "2024-11-07"]}
    serve_dates(server, dates)
    asked = source(server)
    short = asked.release_dates([53, 180], date(2024, 10, 1), date(2024, 11, 30)).frame
    long = asked.release_dates([53, 180], date(2024, 9, 1), date(2024, 12, 31)).frame
    assert short.equals(long)
    assert len(server.asked_for(DATES)) == 1
    assert len(server.asked_for(ONE_RELEASE)) == 2


def test_recorded_vintage_of_gdp(server: ReplayServer, test_data: Path) -> None:
    """The third quarter of 2024 as it was first published, on a day that FRED names a vintage."""
    body = recorded(test_data, "series_observations_GDP.json")
    server.reply(OBSERVATIONS, Reply(body), series_id="GDP")
    answer = source(server).vintages("GDP", date(1946, 1, 1), date(2024, 12, 31))
    newest = answer.frame.filter(pl.col("period") == date(2024, 7, 1))
    assert newest.row(0) == (date(2024, 10, 30), date(2024, 7, 1), 29349.924)
    days = json.loads(recorded(test_data, "series_vintagedates_GDP.json"))["vintage_dates"]
    assert set(answer.frame["seen"].cast(pl.String)) == {days[-1]}
    assert answer.frame.filter(pl.col("value").is_null())["period"].to_list() == [
        date(1946, month, 1) for month in (1, 4, 7, 10)
    ]


def test_first_days_are_never_cut_off(server: ReplayServer) -> None:
    """FRED cuts a value's first day off at the beginning of the real-time period asked for."""
    vintages = [("2024-04-25", "2024-01-01", "1"), ("2024-05-30", "2024-01-01", "2"),
                ("2024-07-25", "2024-04-01", "3")]  # fmt: skip
    serve_vintages(server, "GDP", vintages, page=2)
    answer = source(server).vintages("GDP", date(2024, 1, 1), date(2024, 12, 31))
    assert [(str(s), str(p), f"{v:g}") for s, p, v in answer.frame.iter_rows()] == vintages
    assert len(server.asked) == 2
    query = server.asked[0].query
    assert (query["realtime_start"], query["realtime_end"]) == ("2024-01-01", "9999-12-31")
    assert (query["output_type"], query["limit"]) == ("1", "100000")


@pytest.mark.parametrize(
    "name", ["series_observations_CPILFESL.json", "series_observations_WGS10YR.json.gz"]
)
def test_recorded_observations(server: ReplayServer, test_data: Path, name: str) -> None:
    body = recorded(test_data, name)
    server.reply(OBSERVATIONS, Reply(body))
    answer = source(server).vintages("X", date(1900, 1, 1), date(2024, 12, 31))
    told = {p: None if v == "." else float(v) for _, p, v in as_vintages(body)}
    assert {str(p): v for _, p, v in answer.frame.iter_rows()} == told


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("400_api_key_not_registered.json", UnauthorisedError),
        ("400_api_key_not_set.xml", UnauthorisedError),
        ("400_series_does_not_exist.json", UnknownSymbolError),
    ],
)
def test_recorded_refusals(
    server: ReplayServer, test_data: Path, file: str, kind: type[VendorError]
) -> None:
    server.reply(OBSERVATIONS, error(test_data, file))
    with pytest.raises(kind) as refused:
        source(server).vintages("GDP", *OCTOBER)
    assert type(refused.value) is kind
    assert len(server.asked) == 1, "asking again is of no use"
    assert KEY not in str(refused.value)
    if kind is UnauthorisedError:
        assert "FRED_API_KEY" in str(refused.value)


def test_too_many_requests_are_waited_for(server: ReplayServer) -> None:
    serve_vintages(server, "GDP", [("2024-10-30", "2024-10-01", "5")])
    server.first(OBSERVATIONS, too_many(retry_after=2))
    answer = source(server).vintages("GDP", *OCTOBER)
    assert answer.frame.height == 1
    server.reply(OBSERVATIONS, too_many(retry_after=3600))
    with pytest.raises(RateLimitedError):
        source(server).vintages("GDP", *OCTOBER)
    server.reply(OBSERVATIONS, json_body({"error_code": 429, "error_message": "Too Many"}))
    with pytest.raises(RateLimitedError):
        source(server).vintages("GDP", *OCTOBER)


def test_payloads_hold_no_key(server: ReplayServer) -> None:
    serve_vintages(server, "GDP", [("2024-10-30", "2024-10-01", "5")])
    (payload,) = source(server).vintages("GDP", *OCTOBER).payloads
    assert KEY not in payload.source
    assert "series_id=GDP" in payload.source
