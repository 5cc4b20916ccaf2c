"""'emp ingest --vendor yahoo' over loop-back HTTP, on recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.configuration import load_universe
from adapters.settings import Settings
from emp.cli import run
from tests.support.instances import give_installation
from tests.support.replay_server import ReplayServer, too_many
from tests.support.yahoo_replay import CHART, serve_recordings

DAYS = ["--start", "2020-01-02", "--end", "2020-01-03"]


@pytest.fixture
def server(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReplayServer]:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    give_installation(tmp_path)
    with ReplayServer() as replay:
        monkeypatch.setenv("EMP_YAHOO_URL", replay.url)
        serve_recordings(replay, test_data)
        yield replay


def test_new_symbols_are_registered_and_their_bars_kept(
    server: ReplayServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = run(["ingest", "--vendor", "yahoo", "--symbols", "EURUSD=X,OCDO.L", *DAYS])
    told = capfd.readouterr()
    assert status == 0, told.err
    summary = json.loads(told.out)
    assert summary["rows"] == {"1d": {"EURUSD": 2, "OCDO.L": 1}}
    assert [i["symbol"] for i in summary["registered"]["instruments"]] == ["OCDO.L"]
    assert "registered OCDO.L as OCDO.L at yahoo, assumed to be equity on calendar XLON" in told.err
    kept = load_universe(Settings(data_dir=tmp_path)).instrument("OCDO.L")
    assert (kept.calendar, kept.currency, kept.assumed) == ("XLON", "GBP", True)
    asked = len(server.asked_for(CHART + "EURUSD=X"))
    assert asked > 0
    assert run(["ingest", "--vendor", "yahoo", "--symbols", "EURUSD", *DAYS]) == 0
    assert len(server.asked_for(CHART + "EURUSD=X")) == asked
    assert run(["bars", "OCDO.L", "--format", "json"]) == 0
    pounds = json.loads(capfd.readouterr().out.splitlines()[-1])
    # Yahoo quotes London in pence; Ocado traded at 12 to 13 pounds then.
    assert all(10 < row["close"] < 15 for row in pounds)


def test_a_symbol_that_is_refused_makes_status_1_and_the_others_land(
    server: ReplayServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for interval in ("1d", "1mo"):
        server.reply(CHART + "QQQ", *[too_many(0)] * 20, interval=interval)
    day = ["--start", "2020-01-02", "--end", "2020-01-02"]
    status = run(["ingest", "--vendor", "yahoo", "--symbols", "OCDO.L,QQQ", *day])
    summary = json.loads(capfd.readouterr().out)
    assert summary["outcomes"]["QQQ"]["outcome"] == "refused"
    assert "too many requests" in summary["outcomes"]["QQQ"]["detail"]
    assert summary["outcomes"]["OCDO.L"]["outcome"] == "rows"
    assert summary["rows"] == {"1d": {"OCDO.L": 1, "QQQ": 0}}
    assert status == 1
