"""`emp failed`, and the asset that tells the same every morning."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from adapters.operations_opening import open_operations
from adapters.settings import Settings
from definitions import build_definitions
from emp.cli import run
from emp.instance import open_instance
from emp_assets.naming import FAILED_SESSIONS_KEY
from jobs.operations import DAILY
from market_data.schemas import LEDGER
from tests.support.instances import give_installation

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01")
ASKED = datetime(2024, 1, 9, 12, tzinfo=UTC)


@dg.asset(
    key=["curated", "bars_1d"],
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def bars(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        raise RuntimeError("the disk is full")


def make(instance: dg.DagsterInstance, first: int, last: int, **tags: str) -> None:
    ends = zip(("start", "end"), (first, last), strict=True)
    tags |= {f"dagster/asset_partition_range_{e}": f"2024-01-{day:02d}" for e, day in ends}
    dg.materialize([bars], instance=instance, tags=tags, raise_on_error=False)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of four sessions that a run left one was made since; of two questions one was answered."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    made = give_installation(tmp_path)
    with open_instance(made) as instance:
        make(instance, 2, 5, fails="yes")
        make(instance, 3, 3)
    ledger = open_operations(made.local_operations_url).ledger
    for outcome, day, minutes in (("failed", 8, 0), ("failed", 9, 0), ("rows", 9, 1)):
        row: dict[str, Any] = {
            "vendor": "yahoo",
            "timeframe": "1d",
            "symbol": "AAPL",
            "session": date(2024, 1, day),
            "outcome": outcome,
            "rows": 0,
            "final": False,
            "detail": "no answer",
            "asked_at": ASKED + timedelta(minutes=minutes),
            "fetch_id": f"f{minutes}",
        }
        ledger.record(pl.DataFrame([row], schema=LEDGER.dtypes))
    return made


def test_what_is_failed_now_and_what_mends_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    assert run(["failed", "--json"]) == 0
    fetch, second, fourth = json.loads(capsys.readouterr().out)
    assert fetch == {
        "kind": "fetch",
        "dataset": "raw/yahoo_bars_1d",
        "symbols": ["AAPL"],
        "first": "2024-01-08",
        "last": "2024-01-08",
        "count": 1,
        "since": ASKED.isoformat(),
        "why": "failed: no answer",
        "cure": "emp ingest --vendor yahoo --timeframe 1d --symbols 'AAPL' "
        "--start 2024-01-08 --end 2024-01-08",
    }
    assert (second["dataset"], second["first"], second["last"]) == (
        "curated/bars_1d",
        "2024-01-02",
        "2024-01-02",
    )
    assert (fourth["first"], fourth["last"], fourth["count"]) == ("2024-01-04", "2024-01-05", 2)
    assert second["why"] == "curated__bars_1d: RuntimeError: the disk is full"
    assert datetime.now(UTC) - datetime.fromisoformat(second["since"]) < timedelta(minutes=30)
    assert fourth["cure"] == (
        "emp backfill launch bars_1d --start 2024-01-04 --end 2024-01-05 --overwrite-curated"
    )
    assert run(["failed", "--kind", "run", "--fail"]) == 1
    assert "yahoo" not in (told := capsys.readouterr().out)
    assert "curated/bars_1d (run): 2 sessions, 2024-01-04 to 2024-01-05, since" in told
    assert run(["failed", "--kind", "score", "--fail"]) == 0
    assert "nothing is failed now" in capsys.readouterr().out


def test_the_asset_tells_the_same_until_all_is_mended(settings: Settings):
    job = build_definitions(settings).resolve_job_def(DAILY)

    def told(instance: dg.DagsterInstance) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
        done = job.execute_in_process(instance=instance, asset_selection=[FAILED_SESSIONS_KEY])
        (made,) = done.get_asset_materialization_events()
        (check,) = done.get_asset_check_evaluations()
        return dict(made.materialization.metadata), check

    with open_instance(settings) as instance:
        metadata, check = told(instance)
        assert [metadata[f"failed_{k}"].value for k in ("fetch", "run", "score")] == [1, 3, 0]
        assert "the disk is full" in str(metadata["report"].value)
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert len(check.metadata["cures"].value) == 3  # type: ignore[arg-type]

        make(instance, 2, 5)
        ledger = open_operations(settings.local_operations_url).ledger
        left = ledger.failing().with_columns(
            outcome=pl.lit("nothing"), asked_at=pl.lit(ASKED + timedelta(days=1))
        )
        ledger.record(left.cast(dict(LEDGER.dtypes)))
        metadata, check = told(instance)
    assert metadata["report"].value == "Nothing is failed now.\n"
    assert check.passed
    assert check.description == "nothing is left failed"
