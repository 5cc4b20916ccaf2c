"""`emp macro` and the client's macro functions, over a server that plays FRED."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import emp
from adapters.settings import Settings
from emp.cli import run
from market_data.errors import ConfigurationError
from market_data.macro.schemas import MACRO_EVENTS
from tests.support.fred_replay import KEY, serve_dates, serve_nothing, serve_vintages, turn_on
from tests.support.institution import institution
from tests.support.replay_server import ReplayServer, failing

RANGE = ["--start", "2024-10-25", "--end", "2024-11-03"]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        serve_nothing(server)
        serve_dates(server, {53: ["2024-10-30"], 180: ["2024-10-31"]})
        gdp = [("2024-09-26", "2024-04-01", "29016.714"), ("2024-10-30", "2024-07-01", "29349.924")]
        for series in ("GDP", "GDPC1"):
            serve_vintages(server, series, gdp)
        claims = [("2024-10-31", "2024-10-26", "216000"), ("2024-11-07", "2024-10-26", "218000")]
        serve_vintages(server, "ICSA", claims)
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path / "data"


@pytest.fixture
def on(server: ReplayServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ReplayServer:
    turn_on(monkeypatch, server)
    return server


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["macro", *arguments]) == 0
    return capfd.readouterr().out


def test_fetched_and_read(
    on: ReplayServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads(printed(capfd, "ingest", *RANGE))
    assert summary["succeeded"]
    assert summary["rows_by_status"] == {"released": 3}
    assert (summary["rows"], summary["received_rows"], summary["new_rows"]) == (3, 8, 8)

    rows = json.loads(printed(capfd, "events", *RANGE, "--format", "json"))
    assert list(rows[0]) == MACRO_EVENTS.names
    assert [(r["symbol"], r["ts"], r["actual"]) for r in rows] == [
        ("US-GDP", "2024-10-30T12:30:00Z", 29349.924),
        ("US-REAL-GDP", "2024-10-30T12:30:00Z", 29349.924),
        ("US-JOBLESS-CLAIMS", "2024-10-31T12:30:00Z", 218000.0),
    ]
    then = [*RANGE, "--as-of", "2024-11-01", "--importance", "medium", "--format", "json"]
    (claims,) = json.loads(printed(capfd, "events", *then, "--currency", "USD"))
    assert (claims["actual"], claims["first_published"]) == (216000.0, 216000.0)
    assert "Gross domestic product" in printed(capfd, "events", *RANGE)

    (bias,) = json.loads(
        printed(capfd, "bias", "EURUSD", "--at", "2024-10-31T12:30", "--format", "json")
    )
    assert (bias["base"], bias["quote"], bias["events"]) == ("EUR", "USD", 3)
    assert bias["bias"] < 0

    again = json.loads(printed(capfd, "ingest", *RANGE))
    assert (again["new_rows"], again["rows"]) == (0, 3)
    frame = emp.get_macro_events("2024-10-25", "2024-11-03", importance="high")
    assert frame["symbol"].to_list() == ["US-GDP", "US-REAL-GDP"]
    found = emp.get_macro_bias(["EURUSD", "AAPL"], at="2024-10-31T12:30")
    assert found["bias"].to_list() == pytest.approx([bias["bias"], -bias["bias"]])


def test_a_dry_run_asks_and_writes_nothing(
    on: ReplayServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["macro", "ingest", *RANGE, "--dry-run"]) == 0
    printed_plan = capfd.readouterr()
    plan = json.loads(printed_plan.out)
    assert plan["releases"]["53"] == "Gross Domestic Product"
    assert plan["off"] == ""
    assert plan["cost"]["requests"] == plan["series_at_most"] + 1
    (window,) = plan["cost"]["windows"]
    assert (window["per"], window["limit"], window["left"]) == ("minute", 120, 120)
    assert "120 left of" in printed_plan.err
    long = ["--start", "2023-01-01", "--end", "2024-11-03", "--dry-run"]
    years = json.loads(printed(capfd, "ingest", *long))
    assert years["cost"]["requests"] == plan["series_at_most"] + len(plan["releases"])
    assert on.asked == []
    assert not folder.exists()


def test_what_is_missing_is_explained(
    on: ReplayServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    day = ["--start", "2024-10-29", "--end", "2024-10-31"]
    never = json.loads(printed(capfd, "coverage", *day, "--json"))
    assert [(r["symbol"], r["session"], r["outcome"]) for r in never] == [
        ("*", f"2024-10-{d}", "not asked") for d in (29, 30, 31)
    ]
    on.reply("/fred/series/observations", failing(500), series_id="ICSA")
    serve_vintages(on, "GDPC1", [])
    assert run(["macro", "ingest", *day]) == 0
    capfd.readouterr()
    told = {r["symbol"]: r for r in json.loads(printed(capfd, "coverage", *day, "--json"))}
    assert set(told) == {"US-REAL-GDP", "US-JOBLESS-CLAIMS"}
    assert told["US-REAL-GDP"]["outcome"] == "nothing"
    assert "FRED had no value when it was asked at" in told["US-REAL-GDP"]["reason"]
    assert told["US-JOBLESS-CLAIMS"]["outcome"] == "failed"
    assert "in vain: FRED" in told["US-JOBLESS-CLAIMS"]["reason"]
    assert KEY not in str(told)
    rows = json.loads(printed(capfd, "coverage", *day, "--json", "--all"))
    (gdp,) = [r for r in rows if r["symbol"] == "US-GDP"]
    assert (gdp["status"], gdp["outcome"], gdp["reason"]) == ("released", "rows", "")
    assert "US-REAL-GDP" in printed(capfd, "coverage", *day)


def test_without_a_key_a_line_names_the_variable(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY", raising=False)
    assert run(["macro", "ingest", *RANGE]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert "FRED_API_KEY is not set" in told.err
    assert told.err.count("\n") == 1
    assert emp.get_macro_events("2024-10-25", "2024-11-03").is_empty()


def test_the_key_may_stand_in_a_file(
    server: ReplayServer, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("FRED_API_KEY", "FRED_URL"):
        # What a file sets stays in the environment; this puts it back afterwards.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    file = tmp_path / ".env"
    file.write_text(f"FRED_API_KEY={KEY}\nFRED_URL={server.url}\n", encoding="utf-8")
    assert run(["--env-file", str(file), "macro", "ingest", *RANGE]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["rows"] == 3
    assert KEY not in told.out + told.err
    assert {a.query["api_key"] for a in server.asked} == {KEY}


def test_the_key_may_be_an_option(
    server: ReplayServer, folder: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("FRED_API_KEY", "a-key-of-the-environment")
    monkeypatch.setenv("FRED_URL", server.url)
    assert run(["macro", "ingest", *RANGE, "--extra", f"FRED_API_KEY={KEY}"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"] == 3
    assert {a.query["api_key"] for a in server.asked} == {KEY}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["events", "--start", "2024-11-03", "--end", "2024-11-01"], "before it starts"),
        (["events", "--start", "soon", "--end", "2024-11-01"], "soon"),
        (["events", *RANGE, "--currency", "XXX"], "has USD"),
        (["events", *RANGE, "--importance", "huge"], "high, medium, low"),
        (["bias", "NOBODY"], "NOBODY"),
        (["ingest", "--start", "1950-01-01", "--end", "1950-02-01"], "has sessions from 1990"),
        (["ingest", "--start", "2024-01-01", "--end", "2099-02-01"], "has sessions from"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    on: ReplayServer, capfd: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["macro", *options]) == 1
    told = capfd.readouterr()
    assert words in told.err
    assert told.err.count("\n") == 1
    assert on.asked == []


def test_reading_never_loads_dagster(folder: Path) -> None:
    script = (
        "import emp, sys; emp.get_macro_events('2024-01-01', '2024-01-31');"
        "emp.get_macro_bias('EURUSD'); print('dagster' in sys.modules, 'httpx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_the_client_refuses_what_is_no_range(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="time of day"):
        emp.get_macro_events("2024-01-01T10:00", "2024-01-31")
    with pytest.raises(ConfigurationError, match="before it starts"):
        emp.get_macro_events("2024-02-01", "2024-01-31")


def test_both_modes_tell_the_same(
    on: ReplayServer, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also through the cache, whose answer is gone when the calendar was made anew."""
    printed(capfd, "ingest", *RANGE)
    reads = [["macro", "events", *RANGE, "--format", "json"],
             ["macro", "events", *RANGE, "--format", "json", "--as-of", "2024-11-01"],
             ["macro", "bias", "EURUSD", "--format", "json", "--at", "2024-11-01"]]  # fmt: skip
    own = [printed(capfd, *arguments[1:]) for arguments in reads]
    with institution(tmp_path / "institutional") as installed:
        empty = installed.run(*reads[0])
        assert json.loads(empty.stdout) == []
        brought = installed.run("macro", "ingest", *RANGE)
        assert brought.returncode == 0, brought.stderr
        for arguments, expected in zip(reads, own, strict=True):
            assert json.loads(installed.run(*arguments).stdout) == json.loads(expected)
        for secret in (*installed.secrets, KEY):
            assert secret not in brought.stdout + brought.stderr


def test_settings_may_be_given(on: ReplayServer, tmp_path: Path) -> None:
    other = Settings(data_dir=tmp_path / "other")
    at = datetime(2024, 11, 1, tzinfo=UTC)
    assert emp.get_macro_events("2024-10-01", "2024-10-31", as_of=at, settings=other).is_empty()
    assert isinstance(emp.get_macro_bias("EURUSD", at, settings=other), pl.DataFrame)
