"""Files taken whole, without dates: every line of them becomes a bar or lies in quarantine."""

from __future__ import annotations

import gzip
import json
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import emp
from adapters.settings import Settings
from emp.cli import run
from emp.platforms import platform_of
from market_data.calendars import bar_starts, trading_sessions
from market_data.errors import UnknownActionsWarning
from market_data.timeframes import Timeframe

HEADER = "time,open,high,low,close,volume\n"
DAILY = "name: own\nextends: plain_daily\nsymbol_from: stem\nvendor: own\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("EMP_DATA_DIR", str(folder))
    return folder


def ingest(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capfd.readouterr()
    status = run(["ingest", *arguments])
    told = capfd.readouterr()
    return status, json.loads(told.out) if told.out else {"error": told.err}


def minutes(starts: pl.Series | list[datetime]) -> str:
    return "".join(f"{ts:%Y-%m-%dT%H:%M:%SZ},1.1,1.2,1.0,1.15,10\n" for ts in starts)


def days(first: date, last: date) -> str:
    sessions = trading_sessions("XNYS", first, last)["session"]
    return "".join(f"{session},10,11,9,10.5,100\n" for session in sessions)


def errors(summary: dict[str, Any]) -> list[Any]:
    return [f for f in summary["findings"] if f["severity"] == "error"]


def test_bars_after_the_fx_roll_are_kept_whatever_the_formats_own_calendar(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = datetime(2024, 3, 5, tzinfo=UTC)
    for name, first in (("d1", start), ("d2", start + timedelta(days=1))):
        file = tmp_path / f"{name}.csv"
        file.write_text(HEADER + minutes([first + timedelta(minutes=m) for m in range(1440)]))
        status, told = ingest(
            capfd,
            "--path",
            str(file),
            "--spec",
            "plain",
            "--symbols",
            "EURUSD",
            "--vendor",
            "dealer",
        )
        assert status == 0, told
        assert told["received_rows"] == 1440
    bars = emp.get_curated_bars("EURUSD", "2024-03-05", "2024-03-07", "1m", quality="all")
    assert bars.height == 2880
    whole = bars.filter(pl.col("session") == date(2024, 3, 6))
    assert whole.height == 1440


def test_every_line_of_futures_that_open_the_evening_before(
    data: Path, test_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = test_data / "intraday/futures_1m_cme"
    lines = sum(gzip.decompress(f.read_bytes()).count(b"\n") - 1 for f in folder.glob("*.gz"))
    _, told = ingest(capfd, "--path", str(folder), "--spec", "cme_1m_csv")
    assert told["received_rows"] + told["rejected_rows"] == lines


@pytest.mark.parametrize("stray", ["2027-03-04T14:44:00Z", "1970-01-01T00:00:00Z"])
def test_a_stray_time_costs_its_own_line_only(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], stray: str
) -> None:
    starts = bar_starts("XNYS", Timeframe.M1, date(2024, 3, 4), date(2024, 3, 6))["ts"]
    file = tmp_path / "FUT.csv"
    file.write_text(HEADER + minutes(starts) + f"{stray},1.1,1.2,1.0,1.15,10\n")
    status, told = ingest(capfd, "--path", str(file), "--spec", "plain", "--symbols", "FUT")
    assert status == 0, told
    assert (told["received_rows"], told["rejected_rows"]) == (1170, 1)
    assert emp.get_curated_bars("FUT", "2024-03-04", "2024-03-06", "1m").height == 1170
    kept = platform_of(Settings()).quarantine.read()
    assert kept["reasons"].to_list() == ["future" if stray > "2000" else "too_early"]
    assert "1.15" in kept["row"].item()


def test_files_of_different_lengths_are_asked_for_what_they_hold(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mix"
    folder.mkdir()
    long, short = date(2023, 1, 3), date(2023, 12, 1)
    last = date(2023, 12, 29)
    header = "date,open,high,low,close,volume\n"
    (folder / "OLDY.csv").write_text(header + days(long, last))
    (folder / "NEWA.csv").write_text(header + days(short, last))
    (folder / "GONE.csv").write_text(header + days(long, date(2023, 6, 30)))
    spec = tmp_path / "own.yaml"
    spec.write_text(DAILY)
    status, told = ingest(capfd, "--path", str(folder), "--spec", str(spec))
    assert status == 0, told
    assert errors(told) == []
    held = emp.get_curated_bars(["OLDY", "NEWA", "GONE"], long, last)
    counted = dict(held.group_by("symbol").len().iter_rows())
    assert counted == {"OLDY": 250, "NEWA": 20, "GONE": 124}


def test_sessions_before_a_file_begins_are_no_fault_of_it(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "NEWA.csv"
    file.write_text(
        "date,open,high,low,close,volume\n" + days(date(2023, 12, 1), date(2023, 12, 29))
    )
    spec = tmp_path / "own.yaml"
    spec.write_text(DAILY)
    period = ["--start", "2023-01-03", "--end", "2023-12-29"]
    status, told = ingest(capfd, "--path", str(file), "--spec", str(spec), *period)
    assert (status, errors(told)) == (0, []), told
    known = emp.get_coverage("NEWA", "2023-01-03", "2023-12-29", vendors=["own"])
    outcomes = dict(known.group_by("outcome").len().iter_rows())
    assert outcomes["rows"] == 20
    assert outcomes["unavailable"] == 230


def test_a_file_that_disappears_is_no_success(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "own.yaml"
    spec.write_text(DAILY)
    folder = tmp_path / "files"
    folder.mkdir()
    header = "date,open,high,low,close,volume\n"
    (folder / "AAA.csv").write_text(header + days(date(2024, 3, 4), date(2024, 3, 6)))
    asked = ["--path", str(folder), "--spec", str(spec), "--symbols", "AAA"]
    assert ingest(capfd, *asked)[0] == 0
    (folder / "AAA.csv").rename(folder / "BBB.csv")
    status, told = ingest(capfd, *asked, "--start", "2024-03-07", "--end", "2024-03-08")
    assert status == 1, told
    known = emp.get_coverage("AAA", "2024-03-07", "2024-03-08", vendors=["own"])
    assert known["outcome"].to_list() == ["failed", "failed"]


def test_a_corrected_file_that_is_not_read_is_said_to_be_none(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "AAA.csv"
    asked = ["--path", str(file), "--spec", "plain_daily", "--symbols", "AAA"]
    notes = []
    for close in ("10.5", "10.6", "10.6"):
        rows = days(date(2024, 3, 4), date(2024, 3, 6)).replace("10.5", close)
        file.write_text("date,open,high,low,close,volume\n" + rows)
        status, told = ingest(capfd, *asked, *(["--refetch"] if len(notes) == 2 else []))
        assert status == 0
        notes.append([n for n in told["notes"] if "--refetch" in n])
        closes = emp.get_curated_bars("AAA", "2024-03-04")["close"].to_list()
    assert [len(n) for n in notes] == [0, 1, 0]
    assert closes == [10.6] * 3


def test_a_dry_run_of_new_files_prints_the_plan_and_leaves_nothing(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "AAA.csv"
    rows = days(date(2024, 3, 4), date(2024, 3, 6))
    file.write_text("date,open,high,low,close,volume\n" + rows)
    capfd.readouterr()
    asked = ["ingest", "--path", str(file), "--spec", "plain_daily", "--symbols", "AAA"]
    assert run([*asked, "--vendor", "newcomer", "--dry-run"]) == 0
    told = capfd.readouterr().out
    assert "newcomer" in told
    assert "3 symbol-sessions" in told
    assert not data.exists()


def test_adjusted_prices_without_any_known_action_are_not_served_in_silence(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "AAA.csv"
    rows = days(date(2024, 3, 4), date(2024, 3, 6))
    file.write_text("date,open,high,low,close,volume\n" + rows)
    assert ingest(capfd, "--path", str(file), "--spec", "plain_daily", "--symbols", "AAA")[0] == 0
    with pytest.warns(UnknownActionsWarning, match="AAA.*emp actions import"):
        emp.get_curated_bars("AAA", "2024-03-04", adjusted="splits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emp.get_curated_bars("AAA", "2024-03-04")
    capfd.readouterr()
    assert run(["bars", "AAA", "--adjusted", "splits", "--format", "json"]) == 0
    told = capfd.readouterr()
    assert len(json.loads(told.out)) == 3
    assert told.err.startswith("emp: note: no split or dividend of AAA")
