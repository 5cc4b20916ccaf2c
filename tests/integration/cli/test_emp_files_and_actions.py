"""A user's own files through the command line: LEAN's AAPL, its factor file, formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from emp.cli import run

SPLIT = ["--start", "2020-08-24", "--end", "2020-09-04"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lean")


@pytest.fixture
def call(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    monkeypatch.setenv("EMP_DATA_DIR", str(data))

    def caller(*arguments: str, status: int = 0) -> str:
        capfd.readouterr()
        assert run(arguments) == status, capfd.readouterr().err
        return capfd.readouterr().out

    return caller


def test_lean_files_become_bars_that_split_adjust(
    call: Callable[..., str], test_data: Path
) -> None:
    path = test_data / "daily" / "lean_usa" / "aapl.zip"
    summary = json.loads(call("ingest", "--path", str(path), "--spec", "lean_daily", *SPLIT))
    assert summary["rows"] == {"1d": {"AAPL": 10}}
    assert summary["vendor"] == "lean"
    assert summary["registered"]["vendors"] == [
        {"name": "lean", "reader": "files", "timeframes": ["1d"]}
    ]
    last = json.loads(call("bars", "AAPL", "--last", "5", "--format", "json"))
    assert [row["session"] for row in last] == [
        "2020-08-31",
        "2020-09-01",
        "2020-09-02",
        "2020-09-03",
        "2020-09-04",
    ]
    assert {row["source"] for row in last} == {"lean"}

    factors = test_data / "reference" / "lean_factor_files" / "aapl.csv"
    imported = json.loads(call("actions", "import", str(factors), "--symbol", "AAPL"))
    assert imported["splits"] == 4
    assert imported["new_or_changed"] == imported["splits"] + imported["dividends"]
    again = json.loads(call("actions", "import", str(factors), "--symbol", "AAPL"))
    assert again["new_or_changed"] == 0
    friday = ["bars", "AAPL", "--start", "2020-08-28", "--end", "2020-08-28", "--format", "json"]
    (traded,) = json.loads(call(*friday))
    (adjusted,) = json.loads(call(*friday, "--adjusted", "splits"))
    assert adjusted["close"] == pytest.approx(traded["close"] / 4)
    assert adjusted["volume"] == pytest.approx(traded["volume"] * 4)


def test_a_registration_is_kept_and_not_said_again(
    call: Callable[..., str], test_data: Path
) -> None:
    path = str(test_data / "daily" / "lean_usa" / "ibm.zip")
    arguments = ["ingest", "--path", path, "--spec", "lean_daily"]
    day = ["--start", "2020-09-01", "--end", "2020-09-01"]
    first = json.loads(call(*arguments, *day))
    assert [i["symbol"] for i in first["registered"]["instruments"]] == ["IBM"]
    assert first["registered"]["instruments"][0]["assumed"] is True
    second = json.loads(call(*arguments, *day))
    assert second["registered"] == {"instruments": [], "vendors": []}
    assert second["rows"] == {"1d": {"IBM": 1}}


def test_formats_are_listed_and_proposed(
    call: Callable[..., str], test_data: Path, tmp_path: Path
) -> None:
    listed = json.loads(call("files", "specs", "--json"))
    assert "lean_daily" in {alias for row in listed for alias in row["aliases"].split(", ")}
    assert "lean_equity_daily" in call("files", "specs")
    lean = test_data / "daily" / "lean_usa" / "aapl.zip"
    assert "--spec lean_equity_daily" in call("files", "sniff", str(lean))
    assert run(["files", "sniff", str(tmp_path / "none.csv")]) == 1
    told = json.loads(call("files", "sniff", str(lean), "--json"))
    assert (told["format"], told["known"], told["symbol"]) == ("lean_equity_daily", True, "AAPL")


def test_a_proposed_format_can_be_used_at_once(call: Callable[..., str], tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    lines = ["Date;Open;High;Low;Close;Turnover"]
    lines += [f"{day:02d}.02.2024;10.5;11.0;10.0;10.75;1" for day in (20, 21, 22, 23)]
    own.write_text("\n".join(lines) + "\n")
    proposed = call("files", "sniff", str(own))
    spec = tmp_path / "mine.yaml"
    spec.write_text(proposed)
    assert yaml.safe_load(proposed)["delimiter"] == ";"
    arguments = ["--path", str(own), "--spec", str(spec), "--vendor", "mine", "--symbols", "MINE"]
    summary = json.loads(call("ingest", *arguments))
    assert summary["sessions"] == {"first": "2024-02-20", "last": "2024-02-23"}
    assert summary["rows"] == {"1d": {"MINE": 4}}
    assert summary["registered"]["instruments"][0]["assumed"] is True
