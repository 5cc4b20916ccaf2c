"""`emp quarantine` from a file with bad rows: list, show, try again, drop, export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.backend import open_platform
from emp.cli import run
from emp.platforms import installation
from market_data.pipeline.curate import curate_sessions
from market_data.timeframes import Timeframe
from tests.support.instances import give_installation

ROOT = Path(__file__).resolve().parents[3]
Call = Callable[..., Any]
SPEC = "extends: plain\ndescription: mine\ntimeframe: 1d\n"
ROWS = """date,open,high,low,close,volume
2024-01-02,10,11,9,10.5,100
2024-01-03,10,11,9,10.5,N.A.
2024-01-04,10,8,9,10.5,100
2024-01-05,2000,2100,1900,2050,100
"""


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command in an installation of its own; what it printed as JSON."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    give_installation(tmp_path / "data")
    monkeypatch.setenv("EMP_CONFIG_DIR", str(tmp_path / "config"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    limit_prices(tmp_path, 1000)
    (tmp_path / "mine.yaml").write_text(SPEC)
    (tmp_path / "bars.csv").write_text(ROWS)

    def caller(*arguments: str, status: int = 0) -> Any:
        capfd.readouterr()
        assert run(arguments) == status, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    spec, bars = str(tmp_path / "mine.yaml"), str(tmp_path / "bars.csv")
    caller(
        *("ingest", "--path", bars, "--spec", spec, "--vendor", "mine", "--symbols", "MINE"),
        status=1,
    )
    return caller


def limit_prices(folder: Path, price_max: int) -> None:
    quality = folder / "config" / "quality.yaml"
    text = (ROOT / "config" / "quality.yaml").read_text()
    old = "  equity:\n"
    head, tail = text.split(old, 1)
    line = next(x for x in tail.splitlines() if "price_max" in x)
    quality.write_text(head + old + tail.replace(line, f"    price_max: {price_max}", 1))


def rows(call: Call, *arguments: str) -> dict[str, dict[str, Any]]:
    told = call("quarantine", "list", "--json", *arguments)
    return {row["session"]: row for row in told["rows"]}


def curate() -> None:
    """Refuse what the rules refuse."""
    platform = open_platform(installation(None))
    curate_sessions(platform, Timeframe.D1, ["MINE"], date(2024, 1, 2), date(2024, 1, 5))


def test_rows_are_listed_shown_and_tried_again(call: Call, tmp_path: Path) -> None:
    curate()
    listed = rows(call)
    assert {d: r["reasons"] for d, r in listed.items()} == {
        "2024-01-03": "bad_volume",
        "2024-01-04": "ohlc",
        "2024-01-05": "price_range",
    }
    assert set(rows(call, "--stage", "fetch")) == {"2024-01-03"}
    assert set(rows(call, "--reason", "price_range")) == {"2024-01-05"}

    shown = call("quarantine", "show", listed["2024-01-03"]["row_id"][:12])
    assert shown["row"]["volume"] == "N.A."
    (payload,) = shown["fetch"]["payloads"]
    assert list(Path(shown["fetch"]["payload_folder"]).rglob(f"{payload}*"))

    nothing = call("quarantine", "replay", "--json", status=1)
    assert (nothing["accepted"], nothing["refused again"]) == (0, 3)
    (failed,) = nothing["failed"]
    assert failed.startswith("curating 1d bars of MINE, 2024-01-03 to 2024-01-05, failed: ")
    assert "is held back" in failed

    # The user learns what N.A. stands for, and that the price is right.
    (tmp_path / "mine.yaml").write_text(SPEC + 'null_values: ["N.A."]\n')
    limit_prices(tmp_path, 10_000)
    would = call("quarantine", "replay", "--dry-run", "--json")
    assert (would["accepted"], would["refused again"]) == (2, 1)
    assert set(rows(call)) == set(listed), "a dry run writes nothing"

    # A third of the rows is still refused, so the check holds the range back.
    done = call("quarantine", "replay", "--json", status=1)
    assert (done["accepted"], done["refused again"]) == (2, 1)
    (left,) = rows(call).values()
    assert left["session"] == "2024-01-04"
    accepted = rows(call, "--status", "replayed")
    assert set(accepted) == {"2024-01-03", "2024-01-05"}
    assert all(row["decided_by"] for row in accepted.values())
    bars = call("bars", "MINE", "--format", "json")
    assert [bar["session"] for bar in bars] == ["2024-01-02", "2024-01-03", "2024-01-05"]

    again = call("quarantine", "replay", "--json", status=1)
    assert (again["accepted"], again["refused again"]) == (0, 1)
    assert call("bars", "MINE", "--format", "json") == bars


def test_rows_are_dropped_with_a_reason_and_exported(call: Call, tmp_path: Path) -> None:
    curate()
    odd = rows(call)["2024-01-04"]["row_id"]
    dropped = call("quarantine", "drop", odd, "--reason", "a test print", "--yes")
    assert dropped == {"dropped": 1, "not_open": 0}
    assert call("quarantine", "drop", odd, "--reason", "again", "--yes")["not_open"] == 1
    (kept,) = rows(call, "--status", "dropped").values()
    assert (kept["decision"], bool(kept["decided_by"])) == ("a test print", True)
    curate()
    assert set(rows(call)) == {"2024-01-03", "2024-01-05"}, "it stays dropped"

    folder = tmp_path / "dead letters"
    told = call("quarantine", "list", "--status", "all", "--export", str(folder))
    assert (told["files"], told["rows"]) == (2, 3)
    letters = {
        letter["error"]: letter
        for letter in (json.loads(path.read_text()) for path in sorted(folder.glob("dlq_*.json")))
    }
    unreadable = letters["unreadable_rows"]
    assert unreadable["context"] == {
        "asset_pair": "MINE",
        "timeframe": "1d",
        "provider": "mine",
    }
    assert unreadable["records"] == [
        {
            "date": "2024-01-03",
            "open": "10",
            "high": "11",
            "low": "9",
            "close": "10.5",
            "volume": "N.A.",
            "reason": "bad_volume",
        }
    ]
    assert {r["reason"] for r in letters["invalid_rows"]["records"]} == {"ohlc", "price_range"}
    names = sorted(path.name for path in folder.iterdir())
    call("quarantine", "list", "--status", "all", "--export", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == names


def test_what_does_not_exist_is_named(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["quarantine", "show", "zz"]) == 1
    assert "there is no row 'zz'" in capfd.readouterr().err
    assert run(["quarantine", "list", "--status", "gone"]) == 1
    assert "--status gone" in capfd.readouterr().err


def test_a_misspelt_name_is_an_error_that_names_the_known_ones(
    call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    misspelt = (
        ("--vendor", "mien", "mine"),
        ("--symbols", "MNIE", "MINE"),
        ("--reason", "olhc", "ohlc"),
        ("--reason", "bad_volum", "bad_volume"),
    )
    for command in ("list", "replay"):
        for option, name, known in misspelt:
            assert run(["quarantine", command, option, name]) == 1
            out, err = capfd.readouterr()
            assert not out
            assert f"{option} {name}: " in err
            assert f"there are: {known}" in err
    for option, name in (("--reason", "not_finite"), ("--vendor", "yahoo"), ("--symbols", "AAPL")):
        assert rows(call, option, name) == {}, "it merely has no row"


def test_no_trouble_of_a_replay_is_kept_back(
    call: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(SPEC + 'null_values: ["N.A."]\n')
    payloads = tmp_path / "data" / "lake" / "payloads"
    payloads.rename(tmp_path / "away")
    (row,) = call("quarantine", "replay", "--dry-run", "--json")["rows"]
    run(["quarantine", "replay", "--dry-run"])
    assert len(row["why"]) > 80
    assert f"[1] {row['why']}\n" in capfd.readouterr().out, "nothing cuts the sentence"
    (tmp_path / "away").rename(payloads)

    # The curated bars cannot be written.
    (tmp_path / "data" / "warehouse").write_text("no folder")
    (failed,) = call("quarantine", "replay", "--json", status=1)["failed"]
    assert failed.startswith("curating 1d bars of MINE, 2024-01-03 to 2024-01-03, failed: ")
    assert (
        "emp coverage MINE --start 2024-01-03 --end 2024-01-03 --timeframe 1d --outdated" in failed
    )
    assert rows(call, "--status", "replayed") == {}
