"""The reviewed table of releases: FRED's numbers and names, hours that follow the clocks."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from adapters.macro_releases import load_macro_releases
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.macro.releases import MacroTable, with_instants
from tests.support.fred_replay import recorded

FILE = Settings().config_dir / "reference" / "macro_releases.yaml"


@pytest.fixture(scope="module")
def table() -> MacroTable:
    return load_macro_releases(Settings())


def test_every_number_and_name_is_freds(table: MacroTable, test_data: Path) -> None:
    told = json.loads(recorded(test_data, "releases.json.gz"))["releases"]
    names = {release["id"]: release["name"] for release in told}
    assert {r.release: r.name for r in table.releases} == {
        number: names[number] for number in table.numbers
    }
    assert len(table.releases) >= 15
    gdp = json.loads(recorded(test_data, "series_release_GDP.json"))["releases"][0]
    assert "GDP" in {e.series for e in table.release(gdp["id"]).events}


def test_press_releases_only(table: MacroTable, test_data: Path) -> None:
    """What FRED itself calls a press release has an hour at all."""
    told = json.loads(recorded(test_data, "releases.json.gz"))["releases"]
    press = {release["id"] for release in told if release["press_release"]}
    assert set(table.numbers) <= press


def test_the_release_that_fred_dates_every_day_is_left_out(
    table: MacroTable, test_data: Path
) -> None:
    rows = json.loads(recorded(test_data, "releases_dates.json"))["release_dates"]
    days: dict[int, set[str]] = {}
    for row in rows:
        days.setdefault(row["release_id"], set()).add(row["date"])
    assert 101 not in table.numbers
    assert len(days[101]) > 40
    assert all(len(days.get(number, ())) < 10 for number in table.numbers)


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        (date(2024, 3, 8), "2024-03-08T13:30"),
        (date(2024, 3, 12), "2024-03-12T12:30"),
        (date(2024, 3, 10), "2024-03-10T12:30"),  # the day on which the clocks go forward
        (date(2024, 11, 1), "2024-11-01T12:30"),
        (date(2024, 11, 3), "2024-11-03T13:30"),  # and back
        (date(2024, 11, 15), "2024-11-15T13:30"),
    ],
)
def test_half_past_eight_in_new_york(table: MacroTable, day: date, instant: str) -> None:
    frame = pl.DataFrame({"session": [day], "release": [10]})
    found = with_instants(frame, table, by="release", into="ts")
    assert found["ts"].to_list() == [datetime.fromisoformat(instant).replace(tzinfo=UTC)]


def test_each_release_has_its_own_hour(table: MacroTable) -> None:
    frame = pl.DataFrame(
        {"session": [date(2024, 7, 1)] * 4, "series": ["GDP", "INDPRO", "TOTALSL", "NOBODY"]}
    )
    found = with_instants(frame, table, by="series", into="ts")
    assert found["series"].to_list() == ["GDP", "INDPRO", "TOTALSL"]
    assert found["ts"].dt.strftime("%H:%M").to_list() == ["12:30", "13:15", "19:00"]


def wrong(change: str) -> dict[str, Any]:
    content = deepcopy(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    first = content["releases"][0]
    changes: dict[str, Any] = {
        "release given twice": lambda: content["releases"].append(first),
        "zone": lambda: first.update(zone="Eastern"),
        "time": lambda: first.update(time="25:00"),
        "time without quotes": lambda: first.update(time=600),
        "offset": lambda: first.update(time="08:30+05:00"),
        "importance": lambda: first["events"][0].update(importance="huge"),
        "currency": lambda: first.update(currency="dollar"),
        "events": lambda: first.update(events=[]),
        "hours": lambda: first.update(hours="08:30"),
        "overdue_after": lambda: content.update(overdue_after=3),
        "series given twice": lambda: first["events"][0].update(series="GDP"),
    }
    changes[change]()
    return content


@pytest.mark.parametrize(
    "change",
    [
        "release given twice", "zone", "time", "time without quotes", "offset", "importance",
        "currency", "events", "hours", "overdue_after", "series given twice",
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_place(tmp_path: Path, change: str) -> None:
    (tmp_path / "macro_releases.yaml").write_text(yaml.safe_dump(wrong(change)), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=change.split(maxsplit=1)[0]) as refused:
        load_macro_releases(Settings(reference_dir=tmp_path))
    assert "macro_releases.yaml" in str(refused.value)


def test_a_folder_without_the_table_has_no_releases(tmp_path: Path) -> None:
    assert load_macro_releases(Settings(reference_dir=tmp_path)).releases == ()
