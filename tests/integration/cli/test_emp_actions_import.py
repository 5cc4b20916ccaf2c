"""Splits that are imported after bars were curated: what they change is curated anew."""

from __future__ import annotations

import json
from collections.abc import Callable
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
    imported, said = call("actions", "import", str(factors), "--symbol", "AAPL")
    assert imported["curated_again"] == [
        {
            "symbol": "AAPL",
            "timeframe": "1d",
            "first": "2014-06-02",
            "last": "2014-06-06",
            "outdated_sessions": 5,
        }
    ]
    assert (
        "curated 1d bars of AAPL are outdated on 5 sessions from 2014-06-02 to 2014-06-06" in said
    )
    (after,), _ = call(*friday)
    assert after["close"] == pytest.approx(before["close"] * 7)

    again, said = call("actions", "import", str(factors), "--symbol", "AAPL")
    assert (again["new_or_changed"], again["curated_again"]) == (0, [])
    assert "outdated" not in said
