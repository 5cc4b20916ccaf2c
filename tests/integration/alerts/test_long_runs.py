"""A run over a long range that finds more than it records: its one error still arrives."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster import AssetCheckKey, AssetKey

from adapters.settings import Settings
from definitions import build_definitions
from emp_assets.bar_checks import RUN_SUMMARY, session_checks
from emp_assets.evidence import RECORDED_WARNINGS
from market_data.alerts import Severity
from market_data.alerts.sources import sightings_of_run
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from sensors.run_facts import run_fact
from tests.support.planted_findings import FIRST, planted_findings

KEY = AssetKey(["curated", "bars_1d"])
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST.isoformat())
SESSIONS = 100


def test_the_oldest_session_in_error_is_told_behind_a_hundred_newer_warnings(tmp_path: Path):
    found = planted_findings(SESSIONS, 1, ("price_sanity",))
    old = pl.col("session") == FIRST
    found = found.with_columns(
        severity=pl.when(old).then(pl.lit("error")).otherwise(pl.lit("warn")),
        code=pl.when(old).then(pl.lit("unit_error")).otherwise(pl.lit("jump")),
    )

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        held = found.select("symbol", "session").unique()
        ohlc = {"ohlc": pl.DataFrame()}
        return Inspection("curated/bars_1d", found, {}, ohlc, held, platform, Timeframe.D1)

    @dg.asset(key=KEY, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> None:
        """Sessions that checks can speak of."""

    made = dg.Definitions(
        assets=[nothing],
        asset_checks=[session_checks(KEY, DAYS, inspect)],
        resources=build_definitions(Settings(data_dir=tmp_path)).resources,
        executor=dg.in_process_executor,
    ).resolve_implicit_global_asset_job_def()
    last = found["session"].max()
    how: dict[str, Any] = {
        "tags": {
            "dagster/asset_partition_range_start": str(FIRST),
            "dagster/asset_partition_range_end": str(last),
        }
    }
    instance = dg.DagsterInstance.ephemeral()
    assets = made.get_subset(asset_selection={KEY}, asset_check_selection=set())
    assert assets.execute_in_process(instance=instance, **how).success
    checks = made.get_subset(asset_check_selection={AssetCheckKey(KEY, RUN_SUMMARY)})
    done = checks.execute_in_process(instance=instance, raise_on_error=False, **how)

    fact = run_fact(instance, done.run_id, {})
    assert fact is not None
    told = {s.fingerprint: s.trouble for s in sightings_of_run(fact, {}) if s.trouble}
    error = told.pop(f"check|curated/bars_1d|price_sanity|{FIRST}")
    assert error.severity is Severity.ERROR
    assert error.symbols == ("BENCH0000",)
    (left_out,) = [name for name in told if "|range|" in name]
    assert told[left_out].title.endswith("failed in 100 sessions of 100, 1 in error")
    assert told.pop(left_out).severity is Severity.ERROR
    # The newest session has a record whatever else there is.
    assert len(told) == RECORDED_WARNINGS + 1
    assert {trouble.severity for trouble in told.values()} == {Severity.WARN}
