"""Options of 'emp ingest' that must not be, and the sessions that they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.settings import Settings
from emp.errors import PeriodError, SourceError
from emp.ingestion import Wish, prepare
from market_data.errors import ConfigurationError
from market_data.pipeline.market_slice import newest_session
from market_data.timeframes import Timeframe

SUNDAY_EVENING = datetime(2024, 3, 10, 22, 30, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"lookback_days": 3, "start": "2024-01-02"}, PeriodError, "not both"),
        ({"lookback_days": 3, "end": "2024-01-02"}, PeriodError, "not both"),
        ({"lookback_days": 0}, PeriodError, "1 or more"),
        ({"end": "2024-01-02"}, PeriodError, "--end needs --start"),
        ({}, PeriodError, "say a period"),
        ({"start": "2024-01-05", "end": "2024-01-02"}, PeriodError, "before it starts"),
        ({"start": "1960-01-05", "end": "1961-01-02"}, PeriodError, "no session"),
        ({"start": "2099-01-05"}, PeriodError, "before it starts"),
        ({"start": "2024-01-05", "path": "x"}, SourceError, "go together"),
        ({"start": "2024-01-05", "spec": "x"}, SourceError, "go together"),
        ({"start": "2024-01-05", "vendor": None}, SourceError, "--vendor NAME, or --path"),
        ({"start": "2024-01-05", "vendor": "nobody"}, ConfigurationError, "known: sample_a"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    settings: Settings, options: dict[str, object], error: type[Exception], words: str
) -> None:
    wish = Wish(**{"vendor": "sample_a", **options})  # type: ignore[arg-type]
    with pytest.raises(error, match=words):
        prepare(settings, wish, SUNDAY_EVENING)


def test_a_look_back_ends_with_the_newest_session_that_has_begun(settings: Settings) -> None:
    wish = Wish(vendor="sample_a", symbols=["DEMO-EURUSD"], lookback_days=5)
    prepared = prepare(settings, wish, SUNDAY_EVENING)
    assert (prepared.first, prepared.last) == (date(2024, 3, 5), date(2024, 3, 11))
    stocks = newest_session(prepared.universe, ["DEMO-ACME"], SUNDAY_EVENING)
    assert stocks == date(2024, 3, 8)


def test_sessions_that_cannot_exist_are_cut_off_and_said(settings: Settings) -> None:
    wish = Wish(vendor="sample_a", start="1980-01-01", end="2030-01-01")
    prepared = prepare(settings, wish, SUNDAY_EVENING)
    assert (prepared.first, prepared.last) == (date(1990, 1, 1), date(2024, 3, 11))
    assert "were cut" in prepared.notes[0]


def test_files_say_their_own_extent_symbol_and_vendor(settings: Settings, test_data: Path) -> None:
    path = test_data / "daily" / "lean_usa" / "aapl.zip"
    prepared = prepare(settings, Wish(path=str(path), spec="lean_daily"), SUNDAY_EVENING)
    assert prepared.feed.vendor == "lean"
    assert prepared.feed.symbols == ("AAPL",)
    assert prepared.timeframe is Timeframe.D1
    assert (prepared.first, prepared.last) == (date(1998, 1, 2), date(2021, 3, 31))


def test_files_never_speak_for_a_vendor_that_is_asked_over_the_network(
    settings: Settings, test_data: Path
) -> None:
    path = test_data / "daily" / "yahoo_csvdir" / "AAPL.csv.gz"
    wish = Wish(path=str(path), spec="yahoo_csv", symbols=["AAPL"])
    prepared = prepare(settings, wish, SUNDAY_EVENING)
    assert prepared.feed.vendor == "yahoo_files"
    assert "yahoo_files" in prepared.notes[0]


def test_a_format_and_a_timeframe_that_differ_are_refused(
    settings: Settings, test_data: Path
) -> None:
    path = test_data / "daily" / "lean_usa" / "aapl.zip"
    wish = Wish(path=str(path), spec="lean_daily", timeframe=Timeframe.H1)
    with pytest.raises(SourceError, match="holds 1d bars, not 1h"):
        prepare(settings, wish, SUNDAY_EVENING)
