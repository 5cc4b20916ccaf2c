"""Which files of a drop folder are complete, and which folders are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.dropped_files import Dropped, gather, look_into
from adapters.settings import Settings
from market_data.automation.drop import DropFolder, Found, Known, check_folders, complete
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import Universe, VendorConfig


def folder(**changes: Any) -> DropFolder:
    given = {"name": "broker", "folder": "drop", "vendor": "mine", "spec": "plain", **changes}
    return DropFolder.model_validate(given)


def test_a_file_is_complete_once_it_has_settled() -> None:
    rules, file = folder(settle="30s"), {"a.csv": Found(10, 1)}
    known, ready = complete(rules, {}, file, 100.0, 500)
    assert ready == []
    known, ready = complete(rules, known, file, 120.0, 500)
    assert ready == []
    grown = {"a.csv": Found(20, 2)}
    known, ready = complete(rules, known, grown, 140.0, 500)
    assert ready == []
    known, ready = complete(rules, known, grown, 170.0, 500)
    assert ready == ["a.csv"]
    known, ready = complete(rules, known, grown, 300.0, 500)
    assert ready == []
    # Gone, it is forgotten; there again, it is a new one.
    known, ready = complete(rules, known, {}, 310.0, 500)
    assert known == {}


def test_even_without_settling_it_is_seen_twice() -> None:
    rules, file = folder(settle="0s"), {"a.csv": Found(10, 1), "b.csv": Found(0, 1)}
    known, ready = complete(rules, {}, file, 100.0, 500)
    assert ready == []
    _, ready = complete(rules, known, file, 100.0, 500)
    assert ready == ["a.csv"]


def test_what_is_too_much_waits() -> None:
    rules = folder(settle="0s")
    found = {f"{n:03d}.csv": Found(1, 1) for n in range(7)}
    known, _ = complete(rules, {}, found, 0.0, 3)
    taken = []
    for _ in range(4):
        known, ready = complete(rules, known, found, 1.0, 3)
        taken.append(len(ready))
    assert taken == [3, 3, 1, 0]
    assert all(file.handed for file in known.values())


def test_a_marker_goes_before_standing_still() -> None:
    rules = folder(marker=".done")
    waiting = {"a.csv": Found(10, 1)}
    known = {"a.csv": Known(10, 1, 0.0)}
    assert complete(rules, known, waiting, 1e6, 500)[1] == []
    assert complete(rules, {}, {"a.csv": Found(0, 1, marked=True)}, 1.0, 500)[1] == ["a.csv"]


def test_names_that_are_never_taken(tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.done", "b.csv.part", "c.tmp", ".d.csv", "e.csv~", "below/f.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "g.csv").write_text("x")
    assert set(look_into(tmp_path, folder())) == {"a.csv", "a.csv.done", "below/f.csv"}
    marked = look_into(tmp_path, folder(marker=".done"))
    assert {name: file.marked for name, file in marked.items()} == {
        "a.csv": True,
        "below/f.csv": False,
    }
    assert look_into(tmp_path / "nowhere", folder()) == {}


@pytest.mark.parametrize("gone", [True, False])
def test_a_copy_never_lands_above_a_newer_file_of_its_name(tmp_path: Path, *, gone: bool) -> None:
    settings, rules = Settings(data_dir=tmp_path), folder()
    source = tmp_path / "drop" / "a.csv"
    source.parent.mkdir()
    source.write_text("old")
    file = Dropped("a.csv", 3, source.stat().st_mtime_ns)
    assert gather(settings, rules, "first", [file]).names == ["a.csv"]
    if gone:
        source.unlink()
    else:
        source.write_text("newer")
    again = gather(settings, rules, "first", [file])
    assert (again.names, again.changed, again.gone) == (["a.csv"], [], [])
    later = {"a.csv": datetime.now(UTC) + timedelta(seconds=1)}
    late = gather(settings, rules, "first", [file], later)
    assert (late.names, [*late.changed, *late.gone]) == ([], ["a.csv"])
    # Nothing reads it as a part of the batch; it is kept all the same.
    assert [f.name for f in late.folder.iterdir()] == [".a.csv"]


def test_folders_that_are_refused() -> None:
    mine = VendorConfig(name="mine", reader="files", timeframes=(Timeframe.D1,))
    universe = Universe.model_validate({"vendors": [mine.model_dump()], "instruments": []})
    check_folders(universe, [folder(), folder(name="other", folder="drop2")])
    for wrong in (
        [folder(), folder(folder="drop2")],
        [folder(), folder(name="other")],
        [folder(vendor="yours")],
    ):
        with pytest.raises(ConfigurationError, match=r"automation\.yaml"):
            check_folders(universe, wrong)
    for field, value in (("name", "A b"), ("marker", "done"), ("after", "burn"), ("colour", 1)):
        with pytest.raises(ValidationError):
            folder(**{field: value})
