"""FRED as a source of releases and vintages, over HTTP, by its recorded answers."""

from __future__ import annotations

import json
import re
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
    answered,
    as_vintages,
    echo,
    error,
    fred_on,
    recorded,
    serve_dates,
    serve_vintages,
    too_many_vintages,
)
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body, too_many

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
    counted = len(body["release_dates"])
    server.reply(DATES, lambda asked: answered(json.dumps(body).encode(), asked, count=counted))
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
    server.reply(
        DATES,
        lambda asked: answered(body, asked),
        lambda asked: answered(body, asked),
        lambda asked: answered(body, asked, release_dates=[]),
    )
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
    server.reply(ONE_RELEASE, lambda asked: answered(body, asked), release_id="10")
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
    server.reply(OBSERVATIONS, lambda asked: answered(body, asked), series_id="GDP")
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
    server.reply(OBSERVATIONS, lambda asked: answered(body, asked))
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


# Pages that do not go together, and answers about something else.


def swapped(days: list[str], *places: int) -> list[str]:
    """The same number of days, some of them said twice and others never."""
    return [days[place] for place in places]


def pages_of(server: ReplayServer, *pages: list[str], **changed: object) -> None:
    """Pages of dates of one release; the count is that of all rows unless changed."""
    count = sum(len(page) for page in pages)
    left = list(pages)

    def answer(asked: Asked) -> Reply:
        page = left.pop(0) if left else []
        rows = [{"release_id": 53, "release_name": NAMES[53], "date": d} for d in page]
        told = echo(asked) | {"count": count, "release_dates": rows}
        last = {k: v(asked) if callable(v) else v for k, v in changed.items()} if not left else {}
        return json_body(told | last)

    server.reply(DATES, answer)


DAYS = [f"2024-10-{d:02}" for d in range(1, 7)]


def test_pages_that_go_together(server: ReplayServer) -> None:
    pages_of(server, DAYS[:3], DAYS[3:])
    assert source(server).release_dates([53], *OCTOBER).frame.height == 6


@pytest.mark.parametrize(
    "pages",
    [
        (DAYS[:3], DAYS[:3]),
        (DAYS[:3], DAYS[2:5]),
        (swapped(DAYS, 0, 1, 1), DAYS[3:]),
        (swapped(DAYS, 0, 0, 1, 2, 3, 4),),
    ],
    ids=["repeated", "overlapping", "twice in one", "twice in the only one"],
)
def test_a_row_that_comes_twice_hides_another(
    server: ReplayServer, pages: tuple[list[str], ...]
) -> None:
    pages_of(server, *pages)
    with pytest.raises(MalformedAnswerError, match=r"counts 6 rows and gave \d different ones"):
        source(server).release_dates([53], *OCTOBER)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"count": 7}, "counts 6 rows on one page and 7 on the next"),
        ({"count": 5}, "counts 6 rows on one page and 5 on the next"),
        ({"count": "many"}, "does not count"),
        ({"offset": 0}, "asked for offset 3 and speaks of '0'"),
        ({"offset": None}, "asked for offset 3 and speaks of nothing"),
        ({"offset": [3]}, "asked for offset 3 and speaks of '<list>'"),
        ({"limit": 100}, "asked for limit 1000 and speaks of '100'"),
        ({"sort_order": "desc"}, "asked for sort_order 'asc'"),
        ({"realtime_start": "2024-09-01"}, "asked for realtime_start '2024-10-01'"),
        ({"realtime_end": "9999-12-31"}, "asked for realtime_end '2024-10-31'"),
    ],
)
def test_a_page_that_answers_something_else(
    server: ReplayServer, changed: dict[str, object], words: str
) -> None:
    pages_of(server, DAYS[:3], DAYS[3:], **changed)
    with pytest.raises(MalformedAnswerError, match=re.escape(words)):
        source(server).release_dates([53], *OCTOBER)


def test_pages_without_end_are_given_up(server: ReplayServer) -> None:
    server.reply(
        ONE_RELEASE,
        lambda asked: json_body(
            echo(asked)
            | {
                "count": 100,
                "release_dates": [{"release_id": 53, "date": str(asked.query["offset"])}],
            }
        ),
    )
    with pytest.raises(MalformedAnswerError, match="more than 50 pages"):
        source(server).release_dates([53], date(2023, 1, 1), date(2024, 1, 1))
    assert len(server.asked) == 50
    server.reply(ONE_RELEASE, lambda asked: json_body(
        echo(asked) | {"count": 999_999_999, "release_dates": [{"release_id": 53, "date": "x"}]}
    ))  # fmt: skip
    with pytest.raises(MalformedAnswerError, match="more than 50 pages"):
        source(server).release_dates([53], date(2023, 1, 1), date(2024, 1, 1))
    assert len(server.asked) == 51


def test_dates_of_another_release_are_refused(server: ReplayServer, test_data: Path) -> None:
    body = recorded(test_data, "release_dates_10.json")
    server.reply(ONE_RELEASE, lambda asked: answered(body, asked))
    with pytest.raises(MalformedAnswerError, match="927 release dates cannot be read"):
        source(server).release_dates([53], date(2023, 1, 1), date(2024, 1, 1))


@pytest.mark.parametrize("name", ["observation_start", "observation_end", "realtime_end"])
def test_observations_of_another_range_are_refused(server: ReplayServer, name: str) -> None:
    server.reply(
        OBSERVATIONS,
        lambda asked: json_body(echo(asked) | {"count": 0, "observations": [], name: "2011-11-11"}),
    )
    with pytest.raises(MalformedAnswerError, match=f"asked for {name}.*'2011-11-11'"):
        source(server).vintages("GDP", *OCTOBER)


def test_a_value_before_the_days_asked_for_is_refused(server: ReplayServer) -> None:
    row = {"realtime_start": "2024-09-30", "date": "2024-10-01", "value": "1"}
    server.reply(
        OBSERVATIONS, lambda asked: json_body(echo(asked) | {"count": 1, "observations": [row]})
    )
    with pytest.raises(MalformedAnswerError, match="1 observations cannot be read"):
        source(server).vintages("GDP", *OCTOBER)


ODD = ["nan", "NaN", "inf", "-Infinity", "1e999", "1e5", "0x1p3", "1_000", "9" * 400, "+1", " 1",
       "", "-", "1,5", "\u0663", "1.2.3"]  # fmt: skip


@pytest.mark.parametrize("value", [*ODD, None, True, [1]])
def test_a_value_that_is_no_plain_decimal_is_kept_apart(
    server: ReplayServer, value: object
) -> None:
    rows = [
        {"realtime_start": "2024-10-30", "date": "2024-10-01", "value": "-28.5"},
        {"realtime_start": "2024-10-31", "date": "2024-10-01", "value": value},
        {"realtime_start": "2024-10-31", "date": "2024-10-02", "value": "."},
    ]
    server.reply(
        OBSERVATIONS, lambda asked: json_body(echo(asked) | {"count": 3, "observations": rows})
    )
    answer = source(server).vintages("GDP", *OCTOBER)
    assert answer.frame["value"].to_list() == [-28.5, None]
    (rejected,) = answer.rejected.to_dicts()
    assert (rejected["symbol"], rejected["reasons"]) == ("GDP", "bad_value")
    assert json.loads(rejected["row"])["date"] == "2024-10-01"


def test_more_vintages_than_fred_gives_at_once(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Portions tell what one answer would: no first day is cut off, no value said again."""
    monkeypatch.setattr("adapters.vendors.fred.source.VINTAGES_LIMIT", 2)
    vintages = [
        ("2024-10-02", "2024-10-01", "1"), ("2024-10-03", "2024-10-01", "2"),
        ("2024-10-03", "2024-10-02", "."), ("2024-10-04", "2024-10-02", "5"),
        ("2024-10-07", "2024-10-02", "."), ("2024-10-08", "2024-10-03", "7"),
        ("2024-10-09", "2024-10-01", "2.5"),
    ]  # fmt: skip
    serve_vintages(server, "DFF", vintages, most_days=2)
    answer = source(server).vintages("DFF", *OCTOBER)
    told = [
        (str(s), str(p), "." if v is None else f"{v:g}") for s, p, v in answer.frame.iter_rows()
    ]
    assert told == vintages
    windows = [(a.query["realtime_start"], a.query["realtime_end"]) for a in server.asked]
    assert windows == [
        ("2024-10-01", "9999-12-31"),
        ("2024-10-01", "9999-12-31"),
        ("2024-10-01", "2024-10-03"),
        ("2024-10-04", "2024-10-07"),
        ("2024-10-08", "9999-12-31"),
    ]
    assert len(server.asked_for("/fred/series/vintagedates")) == 1


def test_recorded_days_of_vintages(server: ReplayServer, test_data: Path) -> None:
    body = recorded(test_data, "series_vintagedates_GDP.json")
    server.reply("/fred/series/vintagedates", lambda asked: answered(body, asked))
    server.reply(OBSERVATIONS, too_many_vintages(), *[
        lambda asked: json_body(echo(asked) | {"count": 0, "observations": []})
    ])  # fmt: skip
    answer = source(server).vintages("GDP", date(1990, 1, 1), date(2024, 12, 31))
    assert answer.frame.is_empty()
    assert len(server.asked) == 3
