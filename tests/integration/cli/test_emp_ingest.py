"""'emp ingest' and the commands that read what it left, over the sample vendors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import emp
from adapters.settings import Settings
from emp.cli import run
from emp.instance import open_instance
from tests.support.warm_python import run_python

RANGE = ["--start", "2024-02-12", "--end", "2024-03-01"]
"""A missing, a repeated, a contradicted, a spiked and an impossible bar lie in these days."""
SAMPLE = ["ingest", "--vendor", "sample_a", "--timeframe", "1d"]
SYMBOLS = {"DEMO-ACME": 13, "DEMO-GLOBEX": 13, "DEMO-EURUSD": 15, "DEMO-BTC": 18}
"""Sessions of the range, less the missing one of ACME and those of GLOBEX and BTC that lie in
quarantine. Nineteen days, fourteen sessions of New York."""

RECEIVED = sum(SYMBOLS.values()) + 1 + 1 + 2
"""And the repeated one of EURUSD, the one of GLOBEX, both of BTC."""


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def in_new_process(data: Path, *arguments: str) -> Done:
    done = run_python(["-m", "emp", *arguments], env={**os.environ, "EMP_DATA_DIR": str(data)})
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ingested")


@pytest.fixture(scope="module")
def first(data: Path) -> Done:
    """The first ingest, in a process of its own."""
    return in_new_process(data, *SAMPLE, *RANGE)


Call = Callable[..., Done]


@pytest.fixture
def call(
    first: Done, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command in this process after the first ingest."""
    monkeypatch.setenv("EMP_DATA_DIR", str(data))

    def caller(*arguments: str) -> Done:
        capfd.readouterr()
        status = run(arguments)
        told = capfd.readouterr()
        return Done(status, told.out, told.err)

    return caller


def test_stdout_holds_one_json_document_and_stderr_the_progress(first: Done, data: Path) -> None:
    assert first.status == 0, first.err
    summary = first.json
    assert summary["status"] == "success"
    assert summary["rows"] == {"1d": SYMBOLS}
    assert summary["vendor"] == "sample_a"
    assert summary["sessions"] == {"first": "2024-02-12", "last": "2024-03-01"}
    assert {s: o["outcome"] for s, o in summary["outcomes"].items()} == dict.fromkeys(
        SYMBOLS, "rows"
    )
    assert summary["received_rows"] == RECEIVED
    # The repetition that is equal in every cell is nothing new.
    assert summary["new_rows"] == RECEIVED - 1
    assert Path(summary["location"]["curated"][0]).is_dir()
    assert summary["location"]["data_dir"] == str(data)
    assert "raw/sample_a_bars_1d" in first.err
    assert "Traceback" not in first.err
    assert "DEBUG" not in first.err
    assert "Warning" not in first.err


def test_findings_say_check_symbol_session_and_limit(first: Done) -> None:
    findings = first.json["findings"]
    assert first.json["findings_total"] == len(findings)
    ohlc = next(f for f in findings if f["code"] == "ohlc" and f["symbol"] == "DEMO-GLOBEX")
    assert ohlc["session"] == "2024-02-28"
    assert ohlc["check"] == "ohlc"
    assert set(ohlc) >= {"severity", "value", "threshold", "detail", "dataset"}
    errors = [f for f in findings if f["severity"] == "error"]
    assert first.json["error_findings"] == len(errors) > 0
    assert findings[: len(errors)] == errors


def test_a_second_ingest_asks_nothing_and_changes_nothing(call: Call, data: Path) -> None:
    settings = Settings(data_dir=data)
    before = emp.get_curated_bars(list(SYMBOLS), quality="all", settings=settings)
    again = call(*SAMPLE, *RANGE)
    assert again.status == 0, again.err
    summary = again.json
    assert summary["received_rows"] == summary["new_rows"] == 0
    assert not any(o["asked"] for o in summary["outcomes"].values())
    assert {o["outcome"] for o in summary["outcomes"].values()} == {"rows"}
    assert summary["rows"] == {"1d": SYMBOLS}
    after = emp.get_curated_bars(list(SYMBOLS), quality="all", settings=settings)
    assert after.equals(before)


def test_a_refetch_asks_again_and_finds_nothing_new(call: Call) -> None:
    again = call(*SAMPLE, "--symbols", "DEMO-EURUSD", *RANGE, "--refetch")
    assert again.status == 0, again.err
    assert again.json["received_rows"] == 16
    assert again.json["new_rows"] == again.json["revised_rows"] == 0
    assert again.json["outcomes"]["DEMO-EURUSD"]["asked"] is True


def test_quality_decides_when_asked_and_only_about_the_symbols_of_the_run(call: Call) -> None:
    options = ["--start", "2024-02-28", "--end", "2024-02-28", "--fail-on-quality"]
    bad = call(*SAMPLE, "--symbols", "DEMO-GLOBEX", *options)
    assert bad.json["error_findings"] > 0
    assert bad.status == 2
    good = call(*SAMPLE, "--symbols", "DEMO-ACME", *options)
    assert good.json["findings_total"] == 0
    assert good.status == 0


def test_runs_are_recorded_where_the_ui_looks(first: Done, data: Path) -> None:
    import dagster as dg

    with open_instance(Settings(data_dir=data)) as instance:
        stored = instance.get_run_by_id(first.json["run_id"])
        assert stored is not None
        assert stored.status is dg.DagsterRunStatus.SUCCESS
        key = dg.AssetKey(["curated", "bars_1d"])
        sessions = instance.get_materialized_partitions(key)
    assert {"2024-02-12", "2024-03-01"} <= sessions
    assert first.json["run_id"] in first.json["ui"]


def test_bars_in_every_form_hold_the_same_rows(call: Call, tmp_path: Path) -> None:
    arguments = ["bars", "DEMO-ACME", "DEMO-EURUSD", "--last", "3"]
    as_json = call(*arguments, "--format", "json").json
    assert [row["symbol"] for row in as_json] == ["DEMO-ACME"] * 3 + ["DEMO-EURUSD"] * 3
    assert as_json[2]["ts"] == "2024-03-01T14:30:00Z"
    as_csv = pl.read_csv(BytesIO(call(*arguments, "--format", "csv").out.encode()))
    assert as_csv["close"].to_list() == [row["close"] for row in as_json]
    file = tmp_path / "bars.parquet"
    written = call(*arguments, "--format", "parquet", "--out", str(file))
    assert written.out == ""
    assert pl.read_parquet(file)["close"].to_list() == [row["close"] for row in as_json]
    printed = call(*arguments)
    assert printed.out.count("DEMO-ACME") == 3


def test_quality_tells_findings_and_scores(call: Call) -> None:
    told = call("quality", "--symbols", "DEMO-GLOBEX", *RANGE, "--json").json
    assert ("2024-02-28", "ohlc") in {(f["session"], f["code"]) for f in told["findings"]}
    scores = {s["session"]: s for s in told["scores"]}
    assert scores["2024-02-27"]["status"] == "GREEN"
    assert scores["2024-02-28"]["status"] != "GREEN"
    assert {f["symbol"] for f in told["findings"]} == {"DEMO-GLOBEX"}
    assert "findings" in call("quality", "--symbols", "DEMO-GLOBEX", *RANGE).out


def test_quality_is_summed_up_per_symbol_and_session(call: Call) -> None:
    rows = call("quality", "summary", *RANGE, "--json").json
    by_day = {(r["symbol"], r["session"]): r for r in rows}
    bad = by_day["DEMO-GLOBEX", "2024-02-28"]
    assert (bad["status"], bad["errors"], bad["codes"]) == ("RED", 3, "no_data,ohlc,stale")
    assert (bad["coverage"], bad["expected"], bad["observed"]) == (0.0, 1, 0)
    assert by_day["DEMO-GLOBEX", "2024-02-27"]["status"] == "GREEN"
    alone = call("quality", "summary", "--symbols", "DEMO-ACME", *RANGE, "--format", "csv").out
    assert set(pl.read_csv(BytesIO(alone.encode()))["symbol"]) == {"DEMO-ACME"}
    lost = call("quality", "--json", "summary", *RANGE)
    assert (lost.status, "stand after its name" in lost.err) == (1, True)
    assert "--symbols, --start and --end" in call("quality", *RANGE).err


def test_health_is_told_of_a_moment(call: Call) -> None:
    told = call("health", "curated/bars_1d", "--as-of", "2024-03-01", "--json").json
    assert (told["status"], told["as_of"]) == ("YELLOW", "2024-03-01T00:00:00+00:00")
    assert "ohlc" in {r["code"] for r in told["reasons"]}
    before = call("health", "--as-of", "2024-02-27", "--symbols", "DEMO-ACME", "--json").json
    assert (before["status"], [r["code"] for r in before["reasons"]]) == ("YELLOW", ["false_tick"])
    assert "YELLOW" in call("health", "--as-of", "2024-03-01").out


def test_health_decides_when_asked(call: Call) -> None:
    """Nobody asked for anything since: the newest sessions are missing."""
    now = call("health", "--json", "--fail-on-quality")
    assert (now.status, now.json["status"]) == (2, "RED")
    assert "stale" in {r["code"] for r in now.json["reasons"]}
    assert call("health").status == 0
    wrong = call("health", "curated/bars_7d")
    assert (wrong.status, "no dataset" in wrong.err) == (1, True)
    assert "future" in call("health", "--as-of", "2999-01-01").err


def test_the_quality_report_is_one_page(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert call("report", "quality", "--out", str(out)).out.strip() == str(out)
    text = out.read_text()
    for told in ("curated/bars_1d", "DEMO-GLOBEX", "2024-02-28", "false_tick", "<svg"):
        assert told in text
    wrong = call("report", "quality", "--out", str(tmp_path / "none" / "report.html"))
    assert (wrong.status, "cannot write" in wrong.err) == (1, True)


def test_coverage_tells_every_day(call: Call) -> None:
    arguments = ["coverage", "DEMO-ACME", "--start", "2024-02-17", "--end", "2024-02-21"]
    told = call(*arguments, "--json").json
    of_a = {row["session"]: row["outcome"] for row in told if row["vendor"] == "sample_a"}
    of_b = {row["session"]: row["outcome"] for row in told if row["vendor"] == "sample_b"}
    weekend = dict.fromkeys(("2024-02-17", "2024-02-18", "2024-02-19"), "holiday")
    assert of_a == {**weekend, "2024-02-20": "rows", "2024-02-21": "rows"}
    assert of_b == {**weekend, "2024-02-20": "not asked", "2024-02-21": "not asked"}
    only = call(*arguments, "--vendor", "sample_a", "--json").json
    assert {row["vendor"] for row in only} == {"sample_a"}


def test_actions_that_a_vendor_reported_are_listed(call: Call) -> None:
    rows = call("actions", "list", "--symbols", "DEMO-GLOBEX,DEMO-ACME", "--json").json
    assert {(r["symbol"], r["kind"], r["ex_date"]) for r in rows} == {
        ("DEMO-ACME", "dividend", "2024-02-09"),
        ("DEMO-GLOBEX", "split", "2024-03-04"),
    }


def test_a_dry_run_knows_the_ledger_and_asks_for_the_rest(call: Call) -> None:
    options = ["--start", "2024-02-28", "--end", "2024-03-06", "--dry-run", "--json"]
    told = call(*SAMPLE, "--symbols", "DEMO-ACME", *options).json
    assert told["answered"] == 3
    (question,) = told["requests"]
    assert question["vendor_symbols"] == ["DEMO-ACME"]
    assert question["symbol_sessions"] == told["lacking"] == 3
    assert question["last"] == "2024-03-06"
    table = call(*SAMPLE, "--symbols", "DEMO-ACME", *options[:-1])
    assert "3 symbol-sessions lack an answer, 3 have one" in table.out


def test_a_dry_run_writes_nothing_and_registers_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    # An address that nobody answers: a request would fail.
    monkeypatch.setenv("EMP_YAHOO_URL", "http://127.0.0.1:9")
    arguments = ["--symbols", "EURUSD=X,VOD.L", "--lookback-days", "30", "--dry-run", "--json"]
    assert run(["ingest", "--vendor", "yahoo", *arguments]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["symbols"] == ["EURUSD", "VOD.L"]
    assert {tuple(r["vendor_symbols"]) for r in told["requests"]} == {("VOD.L",), ("EURUSD=X",)}
    assert told["registered"]["instruments"][0]["symbol"] == "VOD.L"
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_none_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    options = ["--symbols", "AAPL", "--start", "2024-02-28", "--end", "2024-02-29"]
    broken = tmp_path / "broken.csv"
    broken.write_text("<html>sold out</html>\n")
    status = run(["ingest", "--path", str(broken), "--spec", "plain_daily", *options])
    told = capfd.readouterr()
    summary = json.loads(told.out)
    assert status == 1
    assert summary["status"] == "failure"
    assert summary["outcomes"]["AAPL"]["outcome"] == "failed"
    assert summary["failures"][0]["step"] == "raw/plain_bars_1d"
    assert summary["rows"] == {"1d": {"AAPL": 0}}
    assert "Traceback" not in told.err


def test_minutes_are_resampled_when_asked(call: Call) -> None:
    day = ["--start", "2024-03-07", "--end", "2024-03-07"]
    arguments = ["ingest", "--vendor", "sample_a", "--timeframe", "1m", "--symbols", "DEMO-ACME"]
    done = call(*arguments, *day, "--resample")
    assert done.status == 0, done.err
    rows = {timeframe: counts["DEMO-ACME"] for timeframe, counts in done.json["rows"].items()}
    assert rows == {"1m": 390, "5m": 78, "15m": 26, "30m": 13, "1h": 7, "4h": 2, "1d": 1}
    refused = call(*SAMPLE, *RANGE, "--resample")
    assert refused.status == 1
    assert "1m bars" in refused.err
