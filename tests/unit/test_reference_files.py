"""config/reference: what it may say, what it refuses, and who sees it."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from adapters.configuration import load_universe, register
from adapters.examination import examine
from adapters.reference_files import load_reference
from adapters.settings import Settings
from market_data.calendars import calendar_name, expected_bars, trading_sessions, versioned
from market_data.errors import ConfigurationError
from market_data.reference.tables import calendars_of
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "reference").mkdir()
    return Settings(
        data_dir=tmp_path / "data", config_dir=CONFIG, reference_dir=tmp_path / "reference"
    )


def write(settings: Settings, name: str, text: str) -> Path:
    path = Path(str(settings.reference_dir)) / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_files_are_right() -> None:
    found = examine()
    assert [p for p in found.problems if p.variable == "universe.yaml"] == []


def test_an_empty_folder_changes_nothing(settings: Settings) -> None:
    universe = load_universe(settings)
    assert {i.calendar for i in universe.instruments} == {"fx", "24/7", "XNYS"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "holidays.yaml",
            "calendars:\n  XNYS:\n    - {date: 2024-05-06, closed: true}\n    - date: 2024-05-07\n",
            r"holidays\.yaml, line 4: calendars\.XNYS\.1: give closed alone",
        ),
        (
            "holidays.yaml",
            "calendars:\n  fx:\n    - {date: 2024-05-06, closed: true}\n  fx: []\n",
            r"holidays\.yaml, line 4: fx is given twice",
        ),
        ("holidays.yaml", "calendars: [", r"holidays\.yaml is not YAML"),
        (
            "holidays.yaml",
            "calendars:\n  fx:\n    - {date: 2024-02-30, closed: true}\n",
            r"holidays\.yaml, line 3: 2024-02-30 is no date",
        ),
        ("holidays.yaml", "- fx", r"holidays\.yaml must hold a mapping"),
        ("holidays.yaml", "days: []", r"holidays\.yaml, line 1: days: Extra inputs"),
        (
            "sessions.yaml",
            'calendars:\n  fx: {zone: UTC, open: "08:00", close: "09:00"}\n',
            r"sessions\.yaml, line 2: calendars\.fx: fx has hours already",
        ),
        (
            "sessions.yaml",
            'calendars:\n  A@B: {zone: UTC, open: "08:00", close: "09:00"}\n',
            r"sessions\.yaml, line 2: calendars\.A@B: a calendar's code takes letters",
        ),
        (
            "sessions.yaml",
            'calendars:\n  OWN:\n    zone: Nowhere\n    open: "08:00"\n    close: "09:00"\n',
            r"sessions\.yaml, line 3: calendars\.OWN\.zone: 'Nowhere' is no zone",
        ),
        (
            "instruments.yaml",
            "instruments:\n  - {symbol: X, asset_class: stock, calendar: XNYS}\n",
            r"instruments\.yaml, line 2: instruments\.0\.asset_class: Input should be",
        ),
        (
            "instruments.yaml",
            "instruments:\n  - {symbol: AAPL, asset_class: equity, calendar: XNYS}\n",
            "both hold AAPL; keep each instrument in one",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    settings: Settings, name: str, text: str, told: str
) -> None:
    write(settings, name, text)
    with pytest.raises(ConfigurationError, match=told):
        load_universe(settings)


def test_config_check_builds_the_changed_calendars(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(settings, "holidays.yaml", 'calendars:\n  fx: [{date: 2024-05-04, close: "12:00"}]\n')
    load_universe(settings)
    monkeypatch.setenv("EMP_REFERENCE_DIR", str(settings.reference_dir))
    told = [str(p) for p in examine().problems]
    assert any("fx has no session on 2024-05-04" in problem for problem in told)


def test_two_installations_in_one_process_keep_their_own_days(
    settings: Settings, tmp_path: Path
) -> None:
    write(settings, "holidays.yaml", "calendars:\n  XNYS: [{date: 2024-05-06, closed: true}]\n")
    mine, shipped = load_universe(settings), load_universe(Settings(data_dir=tmp_path / "other"))
    span = (date(2024, 5, 6), date(2024, 5, 7))
    open_days = [
        expected_bars([u.instrument("AAPL")], Timeframe.D1, *span)["session"].to_list()
        for u in (mine, shipped)
    ]
    assert open_days == [[span[1]], list(span)]
    assert mine.instrument("AAPL").model_dump()["calendar"] == "XNYS"
    assert mine.instrument("EURUSD").calendar == "fx"


def test_an_instrument_on_hours_of_its_own(settings: Settings) -> None:
    write(
        settings,
        "sessions.yaml",
        'calendars:\n  DESK: {zone: Asia/Tokyo, open: "09:00", close: "18:00"}\n',
    )
    write(
        settings,
        "instruments.yaml",
        "instruments:\n  - {symbol: OWN, asset_class: index, calendar: DESK}\n",
    )
    universe = load_universe(settings)
    sessions = trading_sessions(
        universe.instrument("OWN").calendar, date(2024, 5, 3), date(2024, 5, 6)
    )
    assert sessions["session"].to_list() == [date(2024, 5, 3), date(2024, 5, 6)]
    assert set(sessions["minutes"]) == {540}


def test_the_loader_remembers_until_a_file_changes(settings: Settings) -> None:
    path = write(settings, "holidays.yaml", "calendars: {fx: []}\n")
    first = load_reference(settings)
    assert load_reference(settings) is first
    assert load_reference(settings, refresh=True) is not first
    path.write_text("calendars:\n  fx: [{date: 2024-05-06, closed: true}]\n", encoding="utf-8")
    assert len(load_reference(settings).calendars["fx"].days) == 1


def test_a_registration_follows_the_calendars_of_the_configuration(settings: Settings) -> None:
    write(settings, "holidays.yaml", "calendars:\n  fx: [{date: 2024-05-06, closed: true}]\n")
    new = Instrument(symbol="NEW", asset_class=AssetClass.FX, calendar="fx")
    register(settings, instruments=[new])
    known = load_universe(settings).instrument("NEW")
    assert known.calendar.startswith("fx@")
    register(settings, instruments=[known])
    assert "@" not in settings.registered_universe.read_text(encoding="utf-8")


def test_files_elsewhere_are_read_by_the_configured_folder(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "config" / "reference" / "holidays.yaml").unlink()
    moved = Settings(data_dir=tmp_path / "data", config_dir=tmp_path / "config")
    assert load_universe(moved).instrument("EURUSD").calendar == "fx"


def test_the_shipped_desks_of_fx_have_their_hours() -> None:
    universe = load_universe(Settings(config_dir=CONFIG))
    year = (date(2024, 1, 1), date(2024, 12, 31))
    hours = {
        code: str(sessions["minutes"].unique().to_list())
        for code in ("london_fx", "new_york_fx", "tokyo_fx")
        for sessions in [trading_sessions(versioned(code, universe.calendars), *year)]
    }
    assert hours == {"london_fx": "[570]", "new_york_fx": "[540]", "tokyo_fx": "[540]"}
    assert {calendar_name(c) for c in calendars_of(universe)} >= {*hours, "fx", "XNYS"}
