"""Runs of exports: what they write, what counts, what a run that is killed leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.exports.files import Facts
from adapters.exports.running import ATTEMPTS
from adapters.exports.sources import LakeSource
from adapters.exports.store import DATA, STAGING
from adapters.exports.verifying import against_source, read_back
from market_data.errors import (
    CopyMismatchError,
    DatasetMissingError,
    MarketDataError,
    StorageError,
    StoreConflictError,
    TableDamagedError,
)
from market_data.exports.digest import content_digest
from market_data.exports.jobs import ExportJob, Unit, features_jobs
from market_data.exports.manifest import to_text, total
from market_data.timeframes import Timeframe
from tests.support.exports import (
    DAYS,
    MINUTES,
    NOW,
    SESSIONS,
    bars,
    exported,
    exporter,
    put,
    quiet,
)

ROOT = Path(__file__).resolve().parents[3]
RUN = "11111111-run"


def served(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(MINUTES.served())


def test_what_is_handed_out_lies_in_folders_of_its_months(tmp_path: Path):
    put(tmp_path, MINUTES, rows := bars())
    made = exporter(tmp_path)
    manifest = made.run(MINUTES, None, RUN, quiet)
    assert [unit.name for unit in manifest.units] == ["year=2024/month=01", "year=2024/month=02"]
    found = exported(made, MINUTES)
    assert found.select("year", "month").unique().sort("month").rows() == [
        ("2024", "01"),
        ("2024", "02"),
    ]
    expected = served(rows).sort("symbol", "ts")
    assert expected.height == 24  # of 5 bars one is in error and one runs on
    assert_frame_equal(found.select(rows.columns).sort("symbol", "ts"), expected)
    batches = expected.to_arrow().to_batches()
    assert manifest.digest == str(total(content_digest(batch) for batch in batches))
    assert (manifest.rows, manifest.query["where"]) == (24, MINUTES.where)
    assert read_back(made.store, MINUTES, quiet).problems == ()
    assert against_source(made.store, made.source, MINUTES, SESSIONS, NOW).is_empty()


def test_files_are_compressed_with_zstd(tmp_path: Path):
    import pyarrow.parquet as pq

    put(tmp_path, DAYS, bars(DAYS.dataset))
    made = exporter(tmp_path)
    (file,) = made.run(DAYS, None, RUN, quiet).files
    group = pq.ParquetFile(made.store.folder(DAYS) / file.path).metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}


def test_a_run_writes_its_months_whole_and_leaves_the_others(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    before = made.run(MINUTES, None, RUN, quiet)
    changed = bars(level=50.0, sessions=(date(2024, 2, 1), date(2024, 2, 2)))
    put(tmp_path, MINUTES, changed)
    after = made.run(MINUTES, (date(2024, 2, 2),) * 2, "22222222-run", quiet)
    assert (before.number, after.number) == (1, 2)
    january, february = after.units
    assert (january.run, february.run) == (RUN, "22222222-run")
    assert before.units[0] == january
    rows = served(pl.concat([bars().filter(pl.col("session") < date(2024, 2, 1)), changed]))
    found = exported(made, MINUTES).select(rows.columns).sort("symbol", "ts")
    assert_frame_equal(found, rows.sort("symbol", "ts"))


def test_the_same_run_again_tells_the_same_digest(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    first, second = (made.run(MINUTES, None, RUN, quiet) for _ in range(2))
    assert first.digest == second.digest
    assert read_back(made.store, MINUTES, quiet).problems == ()


def test_a_month_without_rows_is_written_as_such(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    manifest = made.run(MINUTES, (date(2023, 12, 1), SESSIONS[1]), RUN, quiet)
    assert [(u.name, u.rows) for u in manifest.units] == [
        ("year=2023/month=12", 0),
        ("year=2024/month=01", 12),
        ("year=2024/month=02", 12),
    ]
    empty = exporter(tmp_path).run(DAYS, None, RUN, quiet)
    assert (empty.units, empty.rows) == ((), 0)


def test_replaced_files_stay_as_long_as_they_are_kept(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    keep = timedelta(hours=2)
    first = exporter(tmp_path, keep=keep).run(MINUTES, None, RUN, quiet)
    folder = exporter(tmp_path).store.folder(MINUTES)

    def there(paths: Sequence[str]) -> set[bool]:
        return {(folder / path).exists() for path in paths}

    old = [file.path for file in first.files]
    exporter(tmp_path, keep=keep, now=NOW + timedelta(days=9)).run(MINUTES, None, RUN, quiet)
    # They were in use until the second run, nine days after they were written.
    assert there(old) == {True}
    late = NOW + timedelta(days=9, hours=3)
    third = exporter(tmp_path, keep=keep, now=late).run(MINUTES, None, RUN, quiet)
    assert there(old) == {False}
    assert there([file.path for file in third.files]) == {True}
    assert len(list((folder / "manifests").glob("*.json"))) == 1


@pytest.mark.parametrize("moment", ["writing", "moved", "draft"])
def test_a_run_that_is_killed_changes_nothing(tmp_path: Path, moment: str):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    before = made.run(MINUTES, None, RUN, quiet)
    put(tmp_path, MINUTES, bars(level=10.0))
    killed = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_export", str(tmp_path), moment],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = made.store.folder(MINUTES)
    left = list((folder / (STAGING if moment == "writing" else DATA)).glob("*killed*"))
    assert left, "it was killed too early to prove anything"
    assert made.store.manifest(MINUTES) == before
    assert read_back(made.store, MINUTES, quiet).problems == ()
    after = made.run(MINUTES, None, RUN, quiet)
    assert not [path for path in folder.rglob("*") if "killed" in path.name]
    assert not (folder / STAGING).exists()
    assert after.digest != before.digest
    assert read_back(made.store, MINUTES, quiet).problems == ()


def test_one_run_at_a_time_writes_an_export(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    with (
        made.store.writing(MINUTES, "other"),
        pytest.raises(StoreConflictError, match="another run"),
    ):
        exporter(tmp_path).run(MINUTES, None, RUN, quiet)
    assert exporter(tmp_path).run(MINUTES, None, RUN, quiet).number == 1


def test_reading_back_tells_a_file_that_was_changed_or_is_gone(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    january, february = made.run(MINUTES, None, RUN, quiet).files
    folder = made.store.folder(MINUTES)
    pl.read_parquet(folder / january.path, hive_partitioning=False).head(11).write_parquet(
        folder / january.path
    )
    (folder / february.path).unlink()
    problems = read_back(made.store, MINUTES, quiet).problems
    assert [problem.split("/")[-1].split(" ", 1)[1] for problem in problems] == [
        "is gone",
        "is not the file that was written",
        "has 11 rows, of other values than were written",
    ]
    with pytest.raises(DatasetMissingError, match="emp export verify"):
        against_source(made.store, made.source, MINUTES, SESSIONS, NOW)
    (folder / january.path).write_bytes(b"PAR1 no more")
    assert "cannot be read" in " ".join(read_back(made.store, MINUTES, quiet).problems)


def test_a_manifest_that_was_changed_is_refused_until_all_is_written_anew(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    made.run(MINUTES, None, RUN, quiet)
    file = made.store.folder(MINUTES) / "manifest.json"
    content = json.loads(file.read_text())
    content["files"][0]["rows"] += 1
    for text in (json.dumps(content), "{", ""):
        file.write_text(text)
        with pytest.raises(CopyMismatchError, match="--all"):
            read_back(made.store, MINUTES, quiet)
        with pytest.raises(CopyMismatchError, match="--all"):
            made.run(MINUTES, SESSIONS, RUN, quiet)
    # Until all is there again, what the damaged one names stays for those who know it.
    engine, made = made.engine, exporter(tmp_path, _Full())
    before = {*made.store.folder(MINUTES).rglob("*.parquet")}
    with pytest.raises(StorageError):
        made.run(MINUTES, None, RUN, quiet, anew=True)
    assert {*made.store.folder(MINUTES).rglob("*.parquet")} == before
    made = exporter(tmp_path, engine)
    made.run(MINUTES, None, RUN, quiet, anew=True)
    assert not before & {*made.store.folder(MINUTES).rglob("*.parquet")}
    assert read_back(made.store, MINUTES, quiet).problems == ()


class _Full:
    """A disk that has no room."""

    name = "polars"

    def versions(self) -> dict[str, str]:
        return {}

    def write(self, *_: object) -> list[Facts]:
        raise StorageError("no room left")


@pytest.mark.parametrize("damage", ["gone", "spoilt"])
def test_a_damaged_file_of_the_lake_is_named_with_its_cure(tmp_path: Path, damage: str):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    manifest = made.run(MINUTES, None, RUN, quiet)
    (file,) = (tmp_path / "warehouse" / MINUTES.dataset.name).glob("month=2024-02/**/*.parquet")
    whole = file.read_bytes()
    file.unlink() if damage == "gone" else file.write_bytes(whole[: len(whole) // 2])
    for read in (
        lambda: made.run(MINUTES, None, RUN, quiet),
        lambda: against_source(made.store, made.source, MINUTES, SESSIONS, NOW),
    ):
        with pytest.raises(TableDamagedError, match=r"emp lake repair curated/bars_1m") as told:
            read()
        assert file.name in str(told.value)
    # Nothing of the run counts, and months that are whole can be exported.
    assert made.store.manifest(MINUTES) == manifest
    january = date(2024, 1, 30), date(2024, 1, 31)
    assert made.run(MINUTES, january, RUN, quiet).rows == manifest.rows


def test_features_of_two_definitions_are_refused(tmp_path: Path):
    (job, *_) = features_jobs(Timeframe.D1)
    days = [date(2022, 3, 1), date(2023, 3, 1)]
    rows = job.dataset.schema.empty()
    one = pl.DataFrame(
        {
            "symbol": "AAA",
            "ts": [datetime(d.year, 3, 1, 14, tzinfo=UTC) for d in days],
            "session": days,
            "ret_1": [0.1, 0.2],
            "definition": [job.definition, "another"],
        }
    ).with_columns(available_at="ts")
    rows = job.dataset.schema.conform(pl.concat([rows, one], how="diagonal_relaxed"))
    put(tmp_path, job, rows)
    made = exporter(tmp_path)
    told = "2023 are by another .* 'emp features make --start 2023-01-01 --end 2023-12-31'"
    with pytest.raises(MarketDataError, match=told):
        made.run(job, None, RUN, quiet)
    assert made.store.newest(job) is None
    first = made.run(job, (days[0], days[0]), RUN, quiet)
    assert (first.rows, first.query["definition"]) == (1, job.definition)
    # What was written by a former definition is left out, not mixed in.
    put(tmp_path, job, rows.with_columns(definition=pl.lit(job.definition)))
    old = replace(first, query={**first.query, "definition": "another"})
    (made.store.folder(job) / "manifest.json").write_text(to_text(old))
    second = made.run(job, (days[1], days[1]), RUN, quiet)
    assert [unit.name for unit in second.units] == ["year=2023"]


def test_an_export_is_stale_when_its_rows_change_and_not_when_files_are_merged(tmp_path: Path):
    from adapters.stores.delta_bar_store import DeltaBarStore

    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    made.run(MINUTES, None, RUN, quiet)
    rows = bars()
    # What is not handed out may change.
    put(tmp_path, MINUTES, rows.with_columns(close=pl.col("close") + (~pl.col("final"))))
    DeltaBarStore(tmp_path / "warehouse").compact(MINUTES.dataset)
    assert against_source(made.store, made.source, MINUTES, SESSIONS, NOW).is_empty()
    one = (pl.col("symbol") == "BBB") & (pl.col("session") == date(2024, 2, 1))
    put(tmp_path, MINUTES, rows.with_columns(close=pl.col("close") + one))
    found = against_source(made.store, made.source, MINUTES, SESSIONS, NOW)
    assert found.filter(pl.col("check") == "drift").select("symbol", "session").rows() == [
        ("BBB", date(2024, 2, 1))
    ]
    stale = found.filter(pl.col("check") == "staleness")["session"].to_list()
    assert stale == [date(2024, 2, 1), date(2024, 2, 2)]
    put(tmp_path, MINUTES, rows.filter(~one))
    found = against_source(made.store, made.source, MINUTES, SESSIONS, NOW)
    assert "coverage" in found["check"].to_list()


class _Changing:
    """A source whose rows change so many times while they are read."""

    def __init__(self, source: LakeSource, times: int) -> None:
        self._source = source
        self.left = times

    def read(self, job: ExportJob) -> object:
        reading = self._source.read(job)
        outer = self

        class Reading:
            kind = "made up"
            held = reading.held
            parts = reading.parts
            frame = reading.frame
            explained = reading.explained

            def versions(self, units: Sequence[Unit]) -> dict[str, str]:
                outer.left -= 1
                return {unit.name: str(max(outer.left, 0)) for unit in units}

        return Reading()


def test_rows_that_change_while_they_are_read_are_read_again(tmp_path: Path):
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path)
    object.__setattr__(made, "source", _Changing(made.source, 3))
    told: list[str] = []
    manifest = made.run(MINUTES, SESSIONS, RUN, told.append)
    assert manifest.rows == 24
    assert len([text for text in told if "once more" in text]) == 1
    object.__setattr__(made, "source", _Changing(exporter(tmp_path).source, 2 * ATTEMPTS + 1))
    with pytest.raises(StoreConflictError, match="changed its rows"):
        made.run(MINUTES, SESSIONS, RUN, quiet)
    assert made.store.manifest(MINUTES) == manifest
