"""`emp ingest --leave`: files of the older layout, their issues, and how old ones go."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from emp.cli import run
from tests.support.instances import give_installation

HEADER = "date,open,high,low,close,volume\n"
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")
ROWS = "".join(f"{day},10,11,9,10.{i},100\n" for i, day in enumerate(DAYS))
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs `emp ingest` of a file and leaves what it brought; the summary."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    give_installation(tmp_path / "data")

    def caller(*options: str, rows: str = ROWS, status: int = 0) -> dict[str, Any]:
        (tmp_path / "bars.csv").write_text(HEADER + rows)
        source = ["--path", str(tmp_path / "bars.csv"), "--spec", "plain_daily"]
        capfd.readouterr()
        code = run(
            ["ingest", *source, "--vendor", "mine", "--symbols", "AAA", "--refetch", *options]
        )
        out, err = capfd.readouterr()
        assert code == status, err
        told: dict[str, Any] = json.loads(out)
        return told

    return caller


def test_bars_metadata_and_issues_lie_beside_each_other(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "pricing"
    told = call("--leave", str(folder))["left"]
    names = sorted(path.name for path in folder.iterdir())
    stem = re.fullmatch(r"(\d{8}T\d{6}Z_mine_1d_[0-9a-f]{12})\.parquet", names[0])
    assert stem is not None
    assert names == [f"{stem[1]}{end}" for end in (".parquet", "_issues.json", "_metadata.json")]
    assert {Path(told[part]).name for part in ("dataset", "metadata", "issues")} == set(names)

    bars = pl.read_parquet(told["dataset"])
    assert bars.columns == [
        "timestamp",
        "symbol",
        "open",
        "high",
        "low",
        "close",
        "adj_close",
        "volume",
        "source",
    ]
    assert bars.height == told["rows"] == 4
    assert bars["source"].unique().to_list() == ["mine"]
    metadata = json.loads(Path(told["metadata"]).read_text())
    assert metadata["rows"] == metadata["metadata"]["row_count"] == 4
    assert (metadata["symbols"], metadata["vendor"], metadata["interval"]) == (
        ["AAA"],
        "mine",
        "1d",
    )
    assert metadata["window_start"] == "2024-01-02T00:00:00+00:00"
    assert json.loads(Path(told["issues"]).read_text()) == {"issues": []}


def test_csv_and_the_issues_of_a_poor_answer(call: Call, tmp_path: Path) -> None:
    flat = "".join(f"{day},10,10,10,10,100\n" for day in (DAYS[0], DAYS[0], DAYS[1]))
    told = call(
        *("--leave", str(tmp_path / "x"), "--leave-format", "csv"),
        *("--start", "2024-01-02", "--end", "2024-01-31"),
        rows=flat,
        status=1,
    )["left"]
    assert pl.read_csv(told["dataset"]).height == 2
    issues = json.loads(Path(told["issues"]).read_text())["issues"]
    assert issues == told["quality_issues"]
    assert {i["code"]: i["severity"] for i in issues} == dict.fromkeys(
        ("duplicate_rows", "missing_rows", "flat_prices", "stale_series"), "warning"
    )
    missing = next(i for i in issues if i["code"] == "missing_rows")
    assert missing["symbol"] == "AAA"
    assert missing["context"] == {"observed": 2, "expected_hint": 21, "minimum_required": 12}


def test_no_data_is_an_error_and_with_fail_on_quality_nothing_lands(
    call: Call, tmp_path: Path
) -> None:
    span = ("--start", "2024-02-05", "--end", "2024-02-06")
    told = call("--leave", str(tmp_path / "x"), *span, status=1)["left"]
    (issue,) = told["quality_issues"]
    assert (issue["code"], issue["severity"]) == ("no_data", "error")
    assert pl.read_parquet(told["dataset"]).is_empty()

    strict = call("--leave", str(tmp_path / "y"), *span, "--fail-on-quality", status=2)["left"]
    assert strict["dataset"] is None
    assert not (tmp_path / "y").exists()


def test_old_and_surplus_entries_go_and_other_files_stay(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "pricing"
    folder.mkdir()
    ends = (".parquet", "_metadata.json", "_issues.json")
    old = [f"20200101T000000Z_mine_1d_0123456789ab{end}" for end in ends]
    recent = [f"2{i}260101T000000Z_mine_1d_0123456789ab{end}" for i in "0" for end in ends]
    others = [
        "notes.txt",
        "20200101T000000Z_mine.parquet",
        "20201399T000000Z_a_1d_0123456789ab.csv",
    ]
    for name in (*old, *recent, *others):
        (folder / name).write_text("{}")
    (folder / "20200101T000000Z_mine_1d_0123456789ff.csv").mkdir()
    outside = tmp_path / "outside.parquet"
    outside.write_text("mine")
    (folder / old[1]).write_text(json.dumps({"dataset_path": str(outside)}))

    told = call("--leave", str(folder), "--cache-retention-days", "3650")["left"]
    assert told["pruned_files"] == 0
    call("--leave", str(folder), "--cache-retention-days", "1500")
    left = {path.name for path in folder.iterdir()}
    assert not left & set(old)
    assert {*recent, *others} < left
    assert outside.read_text() == "mine", "only files of the folder are touched"

    call("--leave", str(folder), "--cache-max-entries", "1")
    kept = {path.name for path in folder.iterdir()} - set(others)
    assert len(kept) == 4, "one entry, and a folder that is none"
    assert not kept & set(recent)


def test_options_of_files_need_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    wanted = ["ingest", "--vendor", "yahoo", "--symbols", "AAPL", "--lookback-days", "2"]
    assert run([*wanted, "--cache-max-entries", "3"]) == 1
    assert "--leave FOLDER" in capfd.readouterr().err
