"""From FRED's answers to the calendar and back, on both stores: what is kept, what was known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import assemble
from adapters.clock import FixedClock
from adapters.configuration import read_yaml
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from adapters.stores.opening import open_lake, open_warehouse
from emp.annotations import Wish, decided, keep, to_curate
from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, MACRO_CALENDAR
from market_data.errors import ConfigurationError, UnauthorisedError, UnreachableError
from market_data.macro.releases import MacroTable
from market_data.macro.schemas import MACRO_EVENTS
from market_data.pipeline.health import health_of
from market_data.pipeline.macro_calendar import (
    curate_macro,
    read_macro_bias,
    read_macro_events,
)
from market_data.pipeline.macro_health import macro_limits
from market_data.pipeline.macro_ingest import ingest_release_dates, ingest_vintages
from market_data.pipeline.macro_inspection import (
    inspect_calendar,
    inspect_release_dates,
    inspect_vintages,
)
from market_data.pipeline.platform import Platform
from market_data.ports import BarStore, Decision
from market_data.quality.thresholds import Thresholds
from tests.support.fred_replay import (
    DATES,
    OBSERVATIONS,
    Vintage,
    as_vintages,
    error,
    recorded,
    serve_dates,
    serve_nothing,
    serve_vintages,
    turn_on,
)
from tests.support.replay_server import ReplayServer, failing

FIRST, LAST = date(2024, 7, 1), date(2024, 11, 30)
NOW = datetime(2024, 11, 3, 12, tzinfo=UTC)
GDP: list[Vintage] = [
    ("2024-04-25", "2024-01-01", "28284.498"),
    ("2024-07-25", "2024-04-01", "28629.153"),
    ("2024-08-29", "2024-04-01", "28652.337"),
    ("2024-09-26", "2024-04-01", "29016.714"),
    ("2024-10-30", "2024-07-01", "29349.924"),
]
Open = Callable[[datetime], Platform]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        serve_dates(server, {53: ["2024-07-25", "2024-08-29", "2024-09-26", "2024-10-30"]})
        serve_vintages(server, "GDP", GDP)
        yield server


def timescale(url: str) -> BarStore:
    from adapters.timescale.factory import open_connections, open_store
    from adapters.timescale.settings import TimescaleSettings

    return open_store(open_connections(TimescaleSettings(url=url)))


@pytest.fixture(params=["delta", "timescale"])
def open_at(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens one installation at any moment."""
    settings = Settings(data_dir=tmp_path / "data")
    store = (
        timescale(request.getfixturevalue("empty_timescale_url"))
        if request.param == "timescale"
        else open_warehouse(str(settings.warehouse_root))
    )

    def at(now: datetime) -> Platform:
        return assemble(
            settings,
            lake=open_lake(str(settings.lake_root)),
            store=store,
            operations=open_operations(settings.local_operations_url),
            clock=FixedClock(now),
        )

    return at


def bring(platform: Platform, first: date = FIRST, last: date = LAST) -> pl.DataFrame:
    ingest_release_dates(platform, first, last)
    ingest_vintages(platform, first, last)
    return curate_macro(platform, first, last)


def gdp(platform: Platform, as_of: datetime | None = None) -> pl.DataFrame:
    return read_macro_events(platform, FIRST, LAST, as_of=as_of).filter(symbol="US-GDP")


@pytest.mark.parametrize("open_at", ["delta"], indirect=True)
def test_a_person_may_accept_what_is_found_of_a_release(
    server: ReplayServer, open_at: Open
) -> None:
    """Of one event alone, by its code; what is open of others stays so."""
    only_gdp = MacroTable(releases=(open_at(NOW).macro.table.release(53),))
    platform = replace(open_at(NOW), macro=replace(open_at(NOW).macro, table=only_gdp))
    bring(platform)
    days = (date(2024, 10, 1), date(2024, 10, 31))

    def wish(symbol: str) -> Wish:
        return Wish(Decision.ACCEPT, symbol, MACRO_CALENDAR.name, days, "FRED does not carry it")

    with pytest.raises(ConfigurationError, match="no open finding about US-GDP"):
        decided(platform, wish("US-GDP"))
    made = decided(platform, wish("US-REAL-GDP"))
    assert made.annotation.codes == ("value_overdue",)
    keep(platform, made.annotation)
    seen = inspect_calendar(platform, *days)
    assert seen.findings.is_empty()
    assert seen.accepted["symbol"].unique().to_list() == ["US-REAL-GDP"]
    after = health_of(platform, MACRO_CALENDAR.name)
    assert (after.status, after.accepted) == ("GREEN", made.findings.height)
    assert to_curate(platform, made.annotation, made.findings) == []


@pytest.mark.parametrize("open_at", ["delta"], indirect=True)
def test_the_health_of_the_calendar(server: ReplayServer, open_at: Open) -> None:
    only_gdp = MacroTable(releases=(open_at(NOW).macro.table.release(53),))

    def at(now: datetime) -> Platform:
        platform = open_at(now)
        return replace(platform, macro=replace(platform.macro, table=only_gdp))

    bring(at(NOW))
    found = health_of(at(NOW), "curated/macro_calendar")
    assert (found.status, found.symbols) == ("YELLOW", 2)
    (reason,) = found.reasons
    assert (reason.code, "US-REAL-GDP 2024-10-30" in reason.text) == ("value_overdue", True)
    mine = health_of(at(NOW), "curated/macro_calendar", symbols=["US-GDP"])
    assert (mine.status, mine.symbols, mine.reasons) == ("GREEN", 1, ())
    serve_vintages(server, "GDPC1", GDP)
    bring(at(NOW))
    assert health_of(at(NOW), "curated/macro_calendar").status == "GREEN"
    assert health_of(at(NOW), "raw/fred_observations").status == "GREEN"
    assert health_of(at(NOW + timedelta(days=70)), "curated/macro_calendar").status == "RED"
    limits = read_yaml(Settings().config_dir / "quality.yaml") | {"macro": {"block_share": 0.2}}
    strict = replace(at(NOW), thresholds=Thresholds.parse(limits))
    used = macro_limits(strict, inspect_calendar(strict, FIRST, LAST))
    assert used["block_share"].unique().to_list() == [0.2]


def test_a_value_is_read_as_it_was_known(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    made = bring(platform)
    assert_frame_equal(platform.store.scan(MACRO_CALENDAR), made)
    now = gdp(platform)
    assert now["actual"].to_list() == [29016.714] * 3 + [29349.924]
    assert now["first_published"].to_list() == [28629.153] * 3 + [29349.924]
    assert now["published"].to_list() == [28629.153, 28652.337, 29016.714, 29349.924]
    for moment, actual in (
        ("2024-07-25T12:29:59", None),
        ("2024-07-25T12:30", 28629.153),
        ("2024-08-29T12:29:59", 28629.153),
        ("2024-08-29T12:30", 28652.337),
        ("2024-09-26T12:30", 29016.714),
    ):
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        found = gdp(platform, at)
        assert found["actual"].to_list()[:1] == ([] if actual is None else [actual]), moment
    assert_frame_equal(gdp(platform, NOW), now)


def test_gdp_as_first_published_by_the_recorded_vintage(
    server: ReplayServer, open_at: Open, test_data: Path
) -> None:
    serve_vintages(server, "GDP", as_vintages(recorded(test_data, "series_observations_GDP.json")))
    platform = open_at(NOW)
    bring(platform)
    newest = gdp(platform, datetime(2024, 10, 30, 12, 30, tzinfo=UTC)).tail(1).to_dicts()[0]
    assert (newest["actual"], newest["first_published"]) == (29349.924, 29349.924)
    assert newest["period"] == date(2024, 7, 1)
    assert newest["ts"] == datetime(2024, 10, 30, 12, 30, tzinfo=UTC)
    earlier = gdp(platform, datetime(2024, 10, 30, 12, 29, tzinfo=UTC))
    assert earlier["actual"].null_count() == earlier.height


def test_run_again_nothing_is_added(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    made = bring(platform)
    later = open_at(datetime(2024, 11, 3, 18, tzinfo=UTC))
    assert ingest_release_dates(later, FIRST, LAST).new == 0
    assert ingest_vintages(later, FIRST, LAST).new == 0
    version = later.store.version(MACRO_CALENDAR)
    assert_frame_equal(curate_macro(later, FIRST, LAST), made)
    assert later.store.version(MACRO_CALENDAR) == version
    assert later.raw_log.statements(FRED_VINTAGES).height == len(GDP)
    assert later.raw_log.statements(FRED_RELEASE_DATES).height == 4


def test_days_one_by_one_come_to_the_whole_range(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    for day in ("2024-07-25", "2024-08-29", "2024-09-26", "2024-10-30", "2024-10-31"):
        bring(platform, date.fromisoformat(day), date.fromisoformat(day))
    one_by_one = platform.store.scan(MACRO_CALENDAR)
    assert_frame_equal(curate_macro(platform, FIRST, LAST), one_by_one)


def test_a_release_that_moves(server: ReplayServer, open_at: Open) -> None:
    early = datetime(2024, 10, 20, tzinfo=UTC)
    serve_dates(server, {53: ["2024-09-26", "2024-10-24"]})
    serve_vintages(server, "GDP", GDP[:-1])
    made = bring(open_at(early))
    assert made.filter(symbol="US-GDP")["session"].to_list()[-1] == date(2024, 10, 24)
    serve_dates(server, {53: ["2024-09-26", "2024-10-30"]})
    serve_vintages(server, "GDP", GDP)
    platform = open_at(NOW)
    bring(platform)
    assert gdp(platform)["session"].to_list() == [date(2024, 9, 26), date(2024, 10, 30)]
    before = gdp(platform, datetime(2024, 10, 21, tzinfo=UTC))
    assert before["session"].to_list() == [date(2024, 9, 26), date(2024, 10, 24)]
    assert before["status"].to_list() == ["released", "scheduled"]
    found = inspect_release_dates(platform, FIRST, LAST).findings.filter(check="drift")
    assert found.select("symbol", "session", "code").rows() == [
        ("53", date(2024, 10, 24), "release_moved")
    ]


def test_an_event_that_leaves_the_table_leaves_the_calendar(
    server: ReplayServer, open_at: Open
) -> None:
    platform = open_at(NOW)
    bring(platform)
    release = platform.macro.table.release(53)
    shorter = release.model_copy(update={"events": release.events[:1]})
    feed = replace(platform.macro, table=MacroTable(releases=(shorter,)))
    changed = replace(platform, macro=feed)
    codes = inspect_calendar(changed, FIRST, LAST).findings["code"]
    assert "event_withdrawn" in codes
    curate_macro(changed, FIRST, LAST)
    assert set(changed.store.scan(MACRO_CALENDAR)["symbol"]) == {"US-GDP"}
    assert "event_withdrawn" not in inspect_calendar(changed, FIRST, LAST).findings["code"]


def test_a_value_that_fred_corrects_in_place(server: ReplayServer, open_at: Open) -> None:
    """Both are kept, and the correction was not known before it was seen."""
    bring(open_at(NOW))
    corrected = [*GDP[:-1], ("2024-10-30", "2024-07-01", "29354.1")]
    serve_vintages(server, "GDP", corrected)
    later = datetime(2024, 11, 10, tzinfo=UTC)
    platform = open_at(later)
    bring(platform)
    assert gdp(platform)["actual"].to_list()[-1] == 29354.1
    assert gdp(platform, NOW)["actual"].to_list()[-1] == 29349.924
    assert platform.raw_log.statements(FRED_VINTAGES).height == len(GDP) + 1


@pytest.mark.parametrize(
    ("withdrawn", "known"),
    [
        ([*GDP, ("2024-11-08", "2024-07-01", ".")], "2024-11-08T13:30"),
        ([*GDP[:-1], ("2024-10-30", "2024-07-01", ".")], "2024-11-10T00:00"),
    ],
    ids=["by a vintage", "in place"],
)
def test_a_value_that_fred_withdraws(
    server: ReplayServer, open_at: Open, withdrawn: list[Vintage], known: str
) -> None:
    """It is shown no longer, and still was there for whoever asks about the time before."""
    bring(open_at(NOW))
    serve_vintages(server, "GDP", withdrawn)
    platform = open_at(datetime(2024, 11, 10, tzinfo=UTC))
    bring(platform)
    at = datetime.fromisoformat(known).replace(tzinfo=UTC)
    for moment in (None, at):
        newest = gdp(platform, moment).to_dicts()[-1]
        assert (newest["status"], newest["actual"]) == ("withdrawn", None)
        assert newest["first_published"] == 29349.924
        assert newest["known_at"] == at
    before = gdp(platform, at - timedelta(microseconds=1)).to_dicts()[-1]
    assert (before["status"], before["actual"]) == ("released", 29349.924)
    found = inspect_calendar(platform, FIRST, LAST).findings
    assert found.filter(code="value_withdrawn")["symbol"].to_list() == ["US-GDP"]
    spoken = read_macro_bias(platform, ["AAPL"], datetime(2024, 11, 1, tzinfo=UTC))["bias"].item()
    assert spoken > 0
    serve_vintages(server, "GDP", [*withdrawn, ("2024-11-12", "2024-07-01", "29350")])
    again = open_at(datetime(2024, 11, 13, tzinfo=UTC))
    bring(again)
    assert gdp(again)["actual"].to_list()[-1] == 29350.0


@pytest.mark.parametrize("open_at", ["delta"], indirect=True)
def test_a_clock_that_was_ahead_buries_no_later_answer(server: ReplayServer, open_at: Open) -> None:
    """A year ahead, FRED was asked; put right, it is asked again and has other words."""
    bring(open_at(NOW))
    days = ["2024-07-25", "2024-08-29", "2024-09-26", "2024-10-30"]
    serve_dates(server, {53: [*days, "2024-11-27"]})
    serve_vintages(server, "GDP", [*GDP[:-1], ("2024-10-30", "2024-07-01", "1.5")])
    bring(open_at(NOW + timedelta(days=365)))
    right = open_at(NOW + timedelta(hours=1))
    ahead = {
        inspect: "fetched_in_future" in inspect(right, FIRST, LAST).findings["code"]
        for inspect in (inspect_release_dates, inspect_vintages)
    }
    assert all(ahead.values())
    serve_dates(server, {53: days})
    serve_vintages(server, "GDP", [*GDP[:-1], ("2024-10-30", "2024-07-01", "2.5")])
    bring(right)
    assert gdp(right)["session"].to_list()[-1] == date(2024, 10, 30)
    assert gdp(right)["actual"].to_list()[-1] == 2.5
    assert_frame_equal(gdp(right, NOW + timedelta(hours=1)), gdp(right))
    assert gdp(right, NOW)["actual"].to_list()[-1] == 29349.924
    for inspect in ahead:
        assert "fetched_in_future" not in inspect(right, FIRST, LAST).findings["code"]
    known = right.ledger.read(sessions=(FIRST, NOW.date()))
    assert set(known["vendor"]) == {"fred_releases", "fred_observations"}
    assert known["asked_at"].max() <= NOW + timedelta(hours=1)
    # Three weeks on, the question of a year ahead is none that was put since.
    weeks = open_at(NOW + timedelta(days=21))
    assert codes_of_asked(weeks) == {"last_asked_long_before"}


def codes_of_asked(platform: Platform) -> set[str]:
    """What the check says of when the newest sessions were asked for."""
    found = inspect_release_dates(platform, date(2024, 11, 24), LAST).findings
    return set(found.filter(check="staleness")["code"])


@pytest.mark.parametrize("day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
def test_the_hour_follows_new_yorks_clocks(server: ReplayServer, open_at: Open, day: str) -> None:
    serve_dates(server, {50: [day]})
    platform = open_at(datetime(2024, 11, 20, tzinfo=UTC))
    made = bring(platform, date.fromisoformat(day), date.fromisoformat(day))
    hour = 12 if day in ("2024-03-11", "2024-11-01") else 13
    assert {(t.hour, t.minute) for t in made["ts"]} == {(hour, 30)}
    assert {str(s) for s in made["session"]} == {day}


def test_events_are_chosen_by_currency_and_importance(server: ReplayServer, open_at: Open) -> None:
    serve_dates(server, {53: ["2024-10-30"], 180: ["2024-10-31"]})
    platform = open_at(NOW)
    bring(platform)

    def symbols(**how: list[str]) -> set[str]:
        return set(read_macro_events(platform, FIRST, LAST, **how)["symbol"])  # type: ignore[arg-type]

    assert symbols() == {"US-GDP", "US-REAL-GDP", "US-JOBLESS-CLAIMS"}
    assert symbols(importance=["medium"]) == {"US-JOBLESS-CLAIMS"}
    assert symbols(currencies=["USD"]) == symbols()
    with pytest.raises(ConfigurationError, match=r"EUR.*has USD"):
        symbols(currencies=["EUR"])
    with pytest.raises(ConfigurationError, match="high, medium, low"):
        symbols(importance=["huge"])


def test_bias_of_symbols_as_it_was_known(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    bring(platform)
    at = datetime(2024, 10, 30, 12, 30, tzinfo=UTC)
    found = read_macro_bias(platform, ["EURUSD", "AAPL"], at)
    rise = (29349.924 - 29016.714) / 29016.714
    # The other event of the release, real output, has no value here and counts as nothing.
    assert found["bias"].to_list() == pytest.approx([-rise / 2, rise / 2])
    assert found["events"].to_list() == [2, 2]
    before = read_macro_bias(platform, ["AAPL"], datetime(2024, 10, 30, 12, tzinfo=UTC))
    assert before["bias"].to_list() == [0.0]
    with pytest.raises(ConfigurationError, match="NOBODY"):
        read_macro_bias(platform, ["NOBODY"], at)


def test_what_the_checks_find_after_an_ordinary_run(server: ReplayServer, open_at: Open) -> None:
    real = [(seen, period, str(float(value) / 1.26)) for seen, period, value in GDP[:3]]
    serve_vintages(server, "GDPC1", real)
    platform = open_at(NOW)
    bring(platform)
    span = date(2024, 7, 1), date(2024, 11, 3)
    found = {
        inspect: set(inspect(platform, *span).findings.select("code", "symbol").rows())
        for inspect in (inspect_release_dates, inspect_vintages, inspect_calendar)
    }
    assert found[inspect_vintages] == {
        ("value_revised", "GDP"),
        ("value_overdue", "US-REAL-GDP"),
    }
    assert found[inspect_calendar] == {
        ("value_revised", "US-GDP"),
        ("value_overdue", "US-REAL-GDP"),
    }
    # Every release but one has no date at all.
    unannounced = {symbol for code, symbol in found[inspect_release_dates]}
    assert {code for code, _ in found[inspect_release_dates]} == {"release_not_announced"}
    assert "53" not in unannounced
    assert len(unannounced) == len(platform.macro.table.releases) - 1


def test_one_series_that_fails_stops_no_other(
    server: ReplayServer, open_at: Open, test_data: Path
) -> None:
    refusal = error(test_data, "400_series_does_not_exist.json")
    server.reply(OBSERVATIONS, refusal, series_id="GDPC1")
    platform = open_at(NOW)
    ingest_release_dates(platform, FIRST, LAST)
    report = ingest_vintages(platform, FIRST, LAST)
    assert [name for name, _ in report.failed] == ["GDPC1"]
    assert report.new == len(GDP)
    (newest,) = platform.journal.runs(vendor="fred_observations")
    assert newest.status == "partial"
    assert "does not exist" in newest.error


def test_a_key_that_is_wrong_is_told_and_nothing_is_kept(
    server: ReplayServer, open_at: Open, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", "f" * 32)
    platform = open_at(NOW)
    with pytest.raises(UnauthorisedError, match="FRED_API_KEY"):
        ingest_release_dates(platform, FIRST, LAST)
    assert platform.raw_log.statements(FRED_RELEASE_DATES).is_empty()
    (newest,) = platform.journal.runs(vendor="fred_releases")
    assert newest.status == "failed"
    assert "f" * 32 not in newest.error


def test_trouble_that_every_series_meets_ends_the_questions(
    server: ReplayServer, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = open_at(NOW)
    ingest_release_dates(platform, FIRST, LAST)
    monkeypatch.setenv("FRED_API_KEY", "f" * 32)
    before = len(server.asked)
    with pytest.raises(UnauthorisedError):
        ingest_vintages(platform, FIRST, LAST)
    assert len(server.asked) == before + 1
    monkeypatch.setenv("FRED_URL", "http://127.0.0.1:1")
    with pytest.raises(UnreachableError):
        ingest_vintages(platform, FIRST, LAST)


def test_an_empty_calendar_is_typed(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    for as_of in (None, NOW):
        frame = read_macro_events(platform, FIRST, LAST, as_of=as_of)
        assert frame.is_empty()
        assert dict(frame.schema) == MACRO_EVENTS.dtypes
    found = read_macro_bias(platform, ["EURUSD"], NOW)
    assert found.select("bias", "confidence", "events").row(0) == (0.0, 0.1, 0)


def test_an_outage_leaves_the_calendar_as_it_was(server: ReplayServer, open_at: Open) -> None:
    platform = open_at(NOW)
    made = bring(platform)
    server.reply(DATES, failing(500))
    server.reply(OBSERVATIONS, failing(500))
    serve = date(2024, 10, 28), date(2024, 10, 31)
    with pytest.raises(Exception, match="500"):
        ingest_release_dates(platform, *serve)
    assert_frame_equal(platform.store.scan(MACRO_CALENDAR), made)
