"""`emp migrate-store` on real servers: there and back, killed, disturbed, and never by surprise."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import psycopg
import pytest
from filelock import FileLock
from polars.testing import assert_frame_equal

from adapters.operations import SqlAnnotations, open_database
from adapters.settings import Settings
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.reference_tables import TABLES, ReferenceTables
from emp.cli import run
from market_data.datasets import (
    FEATURES,
    MACRO_CALENDAR,
    PREDICTIONS_DATASET,
    REGIME_STATS_DATASET,
)
from market_data.macro.calendar import build_calendar
from market_data.ports import Annotation, Decision
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS
from tests.support.institution import Institution, institution
from tests.support.macro_rows import GDP, TABLE, dates, vintages
from tests.support.warm_python import StartedPython, run_python

DAYS = ("2024-02-12", "2024-03-01")
INGEST = ["ingest", "--vendor", "sample_a", "--start", DAYS[0], "--end", DAYS[1]]
MINUTES = ["ingest", "--vendor", "sample_a", "--timeframe", "1m", "--resample",
           "--start", "2024-02-29", "--end", DAYS[1]]  # fmt: skip
TO_SERVERS = ("migrate-store", "--to", "institutional")
TO_FILES = ("migrate-store", "--to", "bootstrap")

EMPTY = {
    TABLES[2],
    *(f"operations/alert{name}" for name in ("s", "_outbox", "_routes", "_silences", "_told")),
    *("operations/answer_shapes", "operations/shape_changes"),
    *(f"operations/backfill{name}" for name in ("s", "_keys", "_pieces")),
    *(dataset.name for dataset in FEATURES.values()),
    *(PREDICTIONS_DATASET.name, REGIME_STATS_DATASET.name),
}
"""What the folder below holds nothing of: nobody was alerted, no answer of a vendor has a shape
that is watched, nothing was filled back, no features were made."""

READ = """
import sys, emp, emp.client
names, days = ["DEMO-ACME", "DEMO-EURUSD", "DEMO-BTC", "DEMO-GLOBEX"], sys.argv[2:]
frames = {
    "known": emp.get_curated_bars(names, *days, quality="all", as_of="2024-02-20"),
    "scores": emp.get_quality_scores(names, *days),
    "coverage": emp.get_coverage(names, *days),
    "covered minutes": emp.get_coverage(names, *days, timeframe="1m"),
    "macro events": emp.get_macro_events("2024-01-01", "2024-12-31"),
}
for frame in ("1m", "5m", "15m", "30m", "1h", "4h", "1d"):
    frames[f"bars {frame}"] = emp.get_curated_bars(names, *days, frame, quality="all")
    frames[f"latest {frame}"] = emp.client.get_latest_bars(names, 2, frame)
for name, frame in frames.items():
    frame.write_parquet(f"{sys.argv[1]}/{name}.parquet")
"""

READ_ALL_THE_TIME = """
import sys, emp
from pathlib import Path
names, days = ["DEMO-ACME", "DEMO-EURUSD", "DEMO-BTC", "DEMO-GLOBEX"], sys.argv[2:]
seen = set()
reads = 0
while not Path(sys.argv[1]).exists():
    bars = emp.get_curated_bars(names, *days, "1m", quality="all")
    daily = emp.get_curated_bars(names, *days, quality="all")
    covered = emp.get_coverage(names, *days)
    seen.add((bars.height, bars["close"].sum(), daily.height, covered.height))
    reads += 1
    print(reads, flush=True)
print(len(seen), seen, flush=True)
"""


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in bootstrap mode with something in every part that is copied."""
    folder = tmp_path_factory.mktemp("bootstrap") / "data"
    settings = Settings(data_dir=folder)
    with institution(folder) as house:
        for command in (INGEST, MINUTES):
            done = house.run(*command, EMP_MODE="bootstrap")
            assert done.returncode == 0, done.stderr[-3000:]
    engine = open_database(settings.local_operations_url)
    now = datetime(2024, 3, 2, 3, 4, 5, 678901, tzinfo=UTC)
    day = date(2024, 2, 14)
    SqlAnnotations(engine).add(
        Annotation(now, "me", "curated/bars_1d", "DEMO-BTC", day, day, Decision.ACCEPT, "so")
    )
    engine.dispose()
    year = (date(2024, 1, 1), date(2024, 12, 31))
    events = build_calendar(dates("2024-07-25"), vintages(GDP), TABLE, sessions=year, now=now)
    DeltaBarStore(settings.warehouse_root).replace(
        MACRO_CALENDAR, events, sessions=year, symbols=TABLE.symbols
    )
    reference = ReferenceTables(settings.warehouse_root)
    times = {"calendar": "24/7", "session": day, "open": now, "close": now}
    sessions = {**times, "early_close": False, "minutes": 1440}
    reference.put("reference/trading_sessions", TRADING_SESSIONS.conform(pl.DataFrame([sessions])))
    words = {"name": "Ω", "asset_class": "fx", "calendar": "fx", "currency": "USD", "vendors": ""}
    known = {"symbol": "DEMO-BTC", **words, "assumed": True}
    reference.put("reference/instruments", INSTRUMENTS.conform(pl.DataFrame([known])))
    return folder


@pytest.fixture
def house(ingested: Path, tmp_path: Path) -> Iterator[Institution]:
    """A copy of that folder, and servers that hold nothing."""
    folder = tmp_path / "data"
    shutil.copytree(ingested, folder)
    with institution(folder) as made:
        yield made


def read(house: Institution, folder: Path, **more: str) -> dict[str, pl.DataFrame]:
    """What the client tells, in the mode of `more`."""
    folder.mkdir()
    done = run_python(["-c", READ, str(folder), *DAYS], env={**house.environment, **more})
    assert done.returncode == 0, done.stderr
    return {file.stem: pl.read_parquet(file) for file in folder.glob("*.parquet")}


def same(ours: dict[str, pl.DataFrame], theirs: dict[str, pl.DataFrame]) -> None:
    assert ours.keys() == theirs.keys()
    for name, frame in ours.items():
        assert frame.height > 0, name
        assert_frame_equal(frame, theirs[name], check_exact=True)


def call(house: Institution, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in this process: a start of Python costs more than most copies."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {**house.environment, **more}, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = run(command)
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def copied(house: Institution, *command: str, **more: str) -> dict[str, Any]:
    """The report of a command that succeeds."""
    done = call(house, *command, **more)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def differing(report: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        (part["name"], piece["month"])
        for part in report["datasets"]
        for piece in part["digests"]
        if not piece["equal"]
    ]


def sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_there_and_back(house: Institution, tmp_path: Path) -> None:
    before = read(house, tmp_path / "before", EMP_MODE="bootstrap")
    report = copied(house, *TO_SERVERS)
    parts = {part["name"]: part for part in report["datasets"]}
    assert report["equal"] and all(part["rows_copied"] == part["rows"] for part in parts.values())
    assert {name for name, part in parts.items() if not part["rows"]} == EMPTY
    assert parts["curated/bars_1m"]["rows"] > 5_000
    months = {piece["month"]: piece for piece in parts["curated/bars_1m"]["digests"]}
    assert list(months) == ["2024-02", "2024-03"]
    for piece in months.values():
        assert piece["digest"]["source"] == piece["digest"]["target"]
        assert piece["rows"]["source"] == piece["rows"]["target"] > 0
    same(read(house, tmp_path / "servers"), before)

    summary = json.loads(house.run(*INGEST).stdout)
    assert summary["received_rows"] == summary["new_rows"] == 0
    assert not any(o["asked"] for o in summary["outcomes"].values()), summary["outcomes"]
    assert "; 0 questions" in call(house, *MINUTES, "--dry-run").stdout

    again = copied(house, *TO_SERVERS, "--verify-only", "--datasets", "operations/ledger")
    assert again["equal"]
    held = read(house, tmp_path / "held")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "lake").symlink_to(Path(house.environment["EMP_DATA_DIR"]) / "lake")
    back = copied(house, *TO_FILES, EMP_DATA_DIR=str(fresh))
    assert back["equal"] and back["rows_copied"] == back["rows"] >= report["rows"]
    same(read(house, tmp_path / "files", EMP_MODE="bootstrap", EMP_DATA_DIR=str(fresh)), held)
    for command in (INGEST, MINUTES):
        asked = call(house, *command, "--dry-run", EMP_MODE="bootstrap", EMP_DATA_DIR=str(fresh))
        assert "; 0 questions" in asked.stdout


def test_a_dry_run_makes_nothing(house: Institution, tmp_path: Path) -> None:
    report = copied(house, *TO_SERVERS, "--dry-run")
    assert report["action"] == "dry-run"
    assert report["rows"] == report["rows_that_differ"] > 5_000
    assert report["rows_copied"] == report["rows_only_in_target"] == 0
    for url in ("TIMESCALEDB_URL", "EMP_OPERATIONS_URL"):
        with psycopg.connect(house.environment[url]) as connection:
            made = connection.execute(
                "select count(*) from information_schema.tables "
                "where table_schema in "
                "('emp', 'curated', 'quality', 'features', 'marts', 'public') "
                "and table_name not like 'pg_%'"
            ).fetchone()
        assert made == (0,)
    copied(house, *TO_SERVERS)
    fresh = tmp_path / "fresh"
    assert copied(house, *TO_FILES, "--dry-run", EMP_DATA_DIR=str(fresh))["rows"] > 5_000
    assert not fresh.exists()
    assert copied(house, *TO_SERVERS, "--dry-run")["rows_that_differ"] == 0


@pytest.mark.parametrize("finished", [1, 9])
def test_killed_on_the_way_and_finished(house: Institution, tmp_path: Path, finished: int) -> None:
    with house.start(*TO_SERVERS) as process:
        left = finished
        for line in process.stderr:
            left -= "rows copied" in line
            if not left:
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert call(house, *TO_SERVERS, "--verify-only").returncode == 1
    report = copied(house, *TO_SERVERS)
    assert report["equal"]
    assert 0 < report["rows_copied"] < report["rows"]
    assert copied(house, *TO_SERVERS)["rows_copied"] == 0
    same(
        read(house, tmp_path / "servers"),
        read(house, tmp_path / "files", EMP_MODE="bootstrap"),
    )


def test_a_difference_is_an_error_that_names_dataset_and_month(house: Institution) -> None:
    copied(house, *TO_SERVERS)
    url = house.environment["TIMESCALEDB_URL"]
    sql(url, "update curated.bars_1d set close = close + 0.01 where session = '2024-02-14'")
    done = call(house, *TO_SERVERS, "--verify-only")
    assert done.returncode == 1
    assert "curated/bars_1d 2024-02" in done.stderr
    assert differing(json.loads(done.stdout)) == [("curated/bars_1d", "2024-02")]
    refused = call(house, *TO_SERVERS)
    assert refused.returncode == 1
    assert "curated/bars_1d 2024-02" in refused.stderr and "--overwrite" in refused.stderr
    mended = copied(house, *TO_SERVERS, "--overwrite", "--datasets", "curated/bars_1d")
    assert mended["equal"] and mended["slices_copied"] == 1
    assert copied(house, *TO_SERVERS, "--verify-only")["equal"]


def test_a_target_that_keeps_something_else_is_an_error(house: Institution) -> None:
    assert call(house, "migrate").returncode == 0
    sql(
        house.environment["TIMESCALEDB_URL"],
        "create function bend() returns trigger language plpgsql as "
        "$$ begin new.close = new.close + 1; return new; end $$",
        "create trigger bent before insert on curated.bars_4h for each row "
        "when (new.session = '2024-03-01') execute function bend()",
    )
    done = call(house, *TO_SERVERS)
    assert done.returncode == 1
    assert "curated/bars_4h 2024-03: the source tells" in done.stderr


def test_rows_of_the_target_alone_are_refused(house: Institution) -> None:
    """Found before anything is written, in bars and in the operations database alike."""
    later = ["--start", "2024-03-04", "--end", "2024-03-05"]
    assert house.run("ingest", "--vendor", "sample_a", *later).returncode == 0
    done = call(house, *TO_SERVERS)
    assert done.returncode == 1
    for name in ("curated/bars_1d 2024-03", "quality/scores 2024-03", "operations/ledger"):
        assert name in done.stderr
    assert "would be refused" in call(house, *TO_SERVERS, "--dry-run").stderr
    with psycopg.connect(house.environment["TIMESCALEDB_URL"]) as connection:
        assert connection.execute("select count(*) from curated.bars_1m").fetchone() == (0,)
    assert copied(house, *TO_SERVERS, "--overwrite")["equal"]
    assert copied(house, *TO_SERVERS, "--verify-only")["equal"]


@contextmanager
def reader(house: Institution, folder: Path, **more: str) -> Iterator[None]:
    """A process that reads all the time, and always the same."""
    folder.mkdir()
    process = StartedPython(
        ["-c", READ_ALL_THE_TIME, str(folder / "stop"), *DAYS], env={**house.environment, **more}
    )
    try:
        assert process.stdout.readline() == "1\n"
        yield
        (folder / "stop").touch()
        told, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        *reads, last = told.splitlines()
        assert len(reads) >= 5
        assert last.startswith("1 "), last
    finally:
        process.kill()
        process.communicate()


def test_readers_of_the_source_go_on(house: Institution, tmp_path: Path) -> None:
    with reader(house, tmp_path / "a", EMP_MODE="bootstrap"):
        copied(house, *TO_SERVERS)
    with reader(house, tmp_path / "b"):
        copied(house, *TO_FILES, EMP_DATA_DIR=str(tmp_path / "fresh"))


def test_a_run_in_the_source_is_followed(house: Institution, tmp_path: Path) -> None:
    """Whatever of the run a copy meets, the next one needs no permission to bring the rest."""
    ingest = house.start(
        "ingest", "--vendor", "sample_a", "--refetch", "--start", "2024-02-20",
        "--end", "2024-03-08", EMP_MODE="bootstrap",
    )  # fmt: skip
    copies = 0
    while ingest.poll() is None:
        done = call(house, *TO_SERVERS)
        copies += 1
        assert done.returncode == 0 or "the source" in done.stderr, done.stderr[-2000:]
    assert ingest.communicate()[1] is not None
    assert ingest.returncode == 0
    assert copies >= 2
    copied(house, *TO_SERVERS)
    assert copied(house, *TO_SERVERS, "--verify-only")["equal"]
    days = call(house, "coverage", "DEMO-BTC", "--start", "2024-03-08", "--end", "2024-03-08")
    assert "sample_a" in days.stdout


def test_errors_name_what_to_set_and_no_secret(house: Institution, tmp_path: Path) -> None:
    without = call(house, *TO_SERVERS, TIMESCALEDB_URL="", REDIS_URL="", EMP_OPERATIONS_URL="")
    for name in ("TIMESCALEDB_URL", "REDIS_URL", "EMP_OPERATIONS_URL"):
        assert name in without.stderr
    away = "postgresql://emp:hunter2@127.0.0.1:1/x"
    with FileLock(Path(house.environment["EMP_DATA_DIR"]) / "copies" / "lock"):
        busy = call(house, *TO_SERVERS)
    told = {
        "there is no curated/bars_9d": call(house, *TO_SERVERS, "--datasets", "curated/bars_9d"),
        "EMP_DATA_DIR": call(house, *TO_SERVERS, EMP_DATA_DIR=str(tmp_path / "nothing")),
        "TIMESCALEDB_URL and EMP_OPERATIONS_URL hold no": call(house, *TO_FILES),
        "TIMESCALEDB_URL right": call(house, *TO_SERVERS, TIMESCALEDB_URL=away),
        "is EMP_OPERATIONS_URL right?": call(house, *TO_SERVERS, EMP_OPERATIONS_URL=away),
        "either --dry-run or": call(house, *TO_SERVERS, "--dry-run", "--verify-only"),
        "another 'emp migrate-store'": busy,
    }
    for words, done in told.items():
        assert done.returncode == 1, words
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    text = "".join(d.stdout + d.stderr for d in (*told.values(), without, call(house, *TO_SERVERS)))
    for secret in (*house.secrets, "hunter2"):
        assert secret not in text
