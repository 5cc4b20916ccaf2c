"""Splits that are imported after bars were curated: what they change is curated anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emp.cli import run

Call = Callable[..., tuple[Any, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command that succeeds; what it printed as JSON, and what it said on stderr."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))

    def caller(*arguments: str) -> tuple[Any, str]:
        capfd.readouterr()
        assert run(arguments) == 0, capfd.readouterr().err
        out, err = capfd.readouterr()
        return json.loads(out), err

    return caller


def test_bars_that_a_split_changes_are_curated_anew(call: Call, test_data: Path) -> None:
    path = test_data / "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv"
    span = ["--start", "2014-06-02", "--end", "2014-06-11"]
    call("ingest", "--path", str(path), "--spec", "yahoo_csv", "--symbols", "AAPL", *span)
    friday = ["bars", "AAPL", "--start", "2014-06-06", "--end", "2014-06-06", "--format", "json"]
    (before,), _ = call(*friday)

    factors = test_data / "reference/lean_factor_files/aapl.csv"
    since = "--known-since-ex-date"
    imported, said = call("actions", "import", str(factors), "--symbol", "AAPL", since)
    # Prices change until the split; all sessions lose the flag that nobody had told of one.
    assert imported["curated_again"] == [
        {
            "symbol": "AAPL",
            "timeframe": "1d",
            "first": "2014-06-02",
            "last": "2014-06-11",
            "outdated_sessions": 8,
        }
    ]
    assert (
        "curated 1d bars of AAPL are outdated on 8 sessions from 2014-06-02 to 2014-06-11" in said
    )
    (after,), _ = call(*friday)
    assert after["close"] == pytest.approx(before["close"] * 7)

    again, said = call("actions", "import", str(factors), "--symbol", "AAPL")
    assert (again["new_or_changed"], again["curated_again"]) == (0, [])
    assert "outdated" not in said


def test_a_csv_with_bad_rows_and_a_source_that_contradicts(
    call: Call, test_data: Path, tmp_path: Path
) -> None:
    factors = test_data / "reference/lean_factor_files/aapl.csv"
    call("actions", "import", str(factors), "--symbol", "AAPL")
    own = tmp_path / "splits.csv"
    own.write_text(
        "symbol,ex_date,kind,value\n"
        "AAPL,2014-06-09,split,6\n"
        "AAPL,2020-08-31,split,4\n"
        "AAPL,2020-08-30,split,4\n"
        "NOSUCH,2020-08-31,split,4\n"
    )
    would, _ = call("actions", "import", str(own), "--source", "broker", "--dry-run")
    assert (would["format"], would["splits"], would["dry_run"]) == ("csv", 2, True)
    assert [r["reasons"] for r in would["refused"]] == [["not_a_session"], ["unknown_symbol"]]
    (conflict,) = would["conflicts"]
    assert (conflict["source"], conflict["value"], conflict["other_value"]) == ("broker", 6.0, 7.0)
    assert call("quarantine", "list", "--json")[0]["rows"] == []
    assert call("actions", "list", "--conflicts", "--json")[0] == []

    done, _ = call("actions", "import", str(own), "--source", "broker", "--known-now")
    assert done["new_or_changed"] == 2
    (listed,) = call("actions", "list", "--conflicts", "--json")[0]
    assert (listed["ex_date"], listed["stands"]) == ("2014-06-09", "broker")
    refused = call("quarantine", "list", "--vendor", "broker", "--json")[0]["rows"]
    assert {r["reasons"] for r in refused} == {"not_a_session", "unknown_symbol"}
    again, _ = call("actions", "import", str(own), "--source", "broker", "--known-now")
    assert again["new_or_changed"] == 0
    assert len(call("quarantine", "list", "--vendor", "broker", "--json")[0]["rows"]) == 2

    # A corrected value ends the contradiction.
    own.write_text("symbol,ex_date,kind,value\nAAPL,2014-06-09,split,7\n")
    mended, _ = call("actions", "import", str(own), "--source", "broker")
    assert mended["conflicts"] == []


def test_a_person_takes_a_split_back_and_the_bars_are_curated_anew(
    call: Call, test_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = test_data / "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv"
    span = ["--start", "2014-06-02", "--end", "2014-06-06"]
    call("ingest", "--path", str(path), "--spec", "yahoo_csv", "--symbols", "AAPL", *span)
    own = tmp_path / "splits.csv"
    own.write_text("symbol,ex_date,kind,value\nAAPL,2014-06-09,split,7\n")
    call("actions", "import", str(own), "--known-since-ex-date")
    bars = ["bars", "AAPL", *span, "--format", "json"]
    divided = [bar["close"] for bar in call(*bars)[0]]

    gone, _ = call("actions", "withdraw", "AAPL", "2014-06-09")
    assert [row["value"] for row in gone["withdrawn"]] == [7.0]
    assert [again["outdated_sessions"] for again in gone["curated_again"]] == [5]
    assert [bar["close"] * 7 for bar in call(*bars)[0]] == pytest.approx(divided)
    assert call("actions", "list", "--json")[0] == []

    assert run(("actions", "withdraw", "AAPL", "2014-06-09")) != 0
    assert "no split of AAPL on 2014-06-09 is known" in capfd.readouterr().err


def test_a_late_import_leaves_reads_of_before_alone(
    call: Call, test_data: Path, tmp_path: Path
) -> None:
    path = test_data / "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv"
    span = ["--start", "2014-06-02", "--end", "2014-06-11"]
    load = ["ingest", "--path", str(path), "--spec", "yahoo_csv", "--symbols", "AAPL", *span]
    call(*load)
    bars = ["bars", "AAPL", *span, "--format", "json"]
    before = datetime.now(UTC).isoformat()
    served, _ = call(*bars)
    own = tmp_path / "splits.csv"
    own.write_text("symbol,ex_date,kind,value\nAAPL,2014-06-09,split,7\n")
    call("actions", "import", str(own), "--source", "broker")
    (kept,) = call("actions", "list", "--json")[0]
    assert kept["known_at"] > before
    then, _ = call(*bars, "--as-of", before)
    assert [b["close"] for b in then] == [b["close"] for b in served]
    # Another source that says the same says nothing new.
    call("actions", "import", str(own), "--source", "another")
    assert call("actions", "list", "--json")[0][0]["known_at"] == kept["known_at"]
    # Asked for again, now that the split is known, the bars are turned back.
    call(*load, "--refetch")
    after, _ = call(*bars)
    assert after[0]["close"] == pytest.approx(served[0]["close"] * 7)
    then, _ = call(*bars, "--as-of", before)
    assert [b["close"] for b in then] == [b["close"] for b in served]


def test_actions_that_come_before_the_bars_are_known_since_their_ex_date(
    call: Call, tmp_path: Path
) -> None:
    own = tmp_path / "splits.csv"
    own.write_text("symbol,ex_date,kind,value\nAAPL,2014-06-09,split,7\n")
    call("actions", "import", str(own))
    (kept,) = call("actions", "list", "--json")[0]
    assert kept["known_at"].startswith("2014-06-09")
