"""What 10,000 findings in one run add to Dagster's event log, against the same run without any.

The checks of an asset run over stored sessions on the shipped instance (SQLite): once nothing is
found, once the findings are spread in each of the ways that cost most. All of the log counts, its
index included.

What belongs here: runs with findings that are made up, and the sizes of their records. What does
not: how checks tell of findings (emp_assets/bar_checks.py).
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl
from dagster import AssetCheckKey, AssetKey

from adapters.settings import PROJECT, Settings
from benchmarks.ratio import Ratio
from definitions import build_definitions
from emp_assets.bar_checks import CHECKS, RUN_SUMMARY, session_checks
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe
from tests.support.planted_findings import FIRST, planted_findings

KEY = AssetKey(["curated", "bars_1d"])
FINDINGS_TOLD = 10_000
BAR_BYTES = 1_000_000
PARTITIONS = dg.DailyPartitionsDefinition(start_date=FIRST.isoformat())
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True)
class Spread:
    """How the findings lie.

    Attributes:
        sessions: that the run is about.
        symbols: with a finding in each of them, per check.
        checks: that find them.
        whole: whether every check is recorded per session, or the summary and what failed alone,
            as in long runs.
    """

    sessions: int
    symbols: int
    checks: tuple[str, ...] = ("coverage",)
    whole: bool = True

    @property
    def name(self) -> str:
        """A few words."""
        how = "every check" if self.whole else "summary"
        return f"{self.sessions} sessions x {self.symbols} symbols x {len(self.checks)} ({how})"


SPREADS = (
    Spread(1, 1000, tuple(CHECKS)),
    Spread(50, 20, tuple(CHECKS)),
    Spread(100, 100),
    Spread(1000, 10, whole=False),
)


def planted(spread: Spread) -> pl.DataFrame:
    """Findings as the validators make them."""
    return planted_findings(spread.sessions, spread.symbols, spread.checks)


def samples(spread: Spread) -> dict[str, pl.DataFrame]:
    """Offending rows per check, as many as an inspection keeps."""
    return {
        check: planted(spread)
        .head(200)
        .select("symbol", "session", open=1.5, high=1.75, low=1.25, close=1.5, volume=1e6)
        for check in spread.checks
    }


def added_bytes(folder: Path, spread: Spread, found: pl.DataFrame) -> int:
    """How much the log grew by one run of the checks."""
    home = folder / "home"
    home.mkdir(parents=True)
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    rows = samples(spread) if found.height else {}

    def inspect(platform: Platform, first: date, last: date) -> Inspection:  # noqa: ARG001
        held = planted(spread).select("symbol", "session").unique()
        ohlc = {"ohlc": pl.DataFrame()}
        return Inspection("curated/bars_1d", found, rows, ohlc, held, platform, Timeframe.D1)

    @dg.asset(key=KEY, partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> None:
        """Sessions that checks can speak of."""

    settings = Settings(data_dir=folder / "data")
    made = dg.Definitions(
        assets=[nothing],
        asset_checks=[session_checks(KEY, PARTITIONS, inspect)],
        resources=build_definitions(settings).resources,
        executor=dg.in_process_executor,
    ).resolve_implicit_global_asset_job_def()
    last = FIRST + timedelta(days=spread.sessions - 1)
    how: dict[str, Any] = {
        "run_config": {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        "tags": dict(zip(RANGE, map(str, (FIRST, last)), strict=True)),
    }
    if spread.sessions == 1:
        del how["tags"]
        how["partition_key"] = str(FIRST)
    chosen = [*CHECKS, RUN_SUMMARY] if spread.whole else [RUN_SUMMARY]
    checks = made.get_subset(asset_check_selection={AssetCheckKey(KEY, c) for c in chosen})
    assets = made.get_subset(asset_selection={KEY}, asset_check_selection=set())
    with (
        patch.dict(os.environ, {"DAGSTER_HOME": str(home)}),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        assert assets.execute_in_process(instance=instance, **how).success
        before = _stored(home)
        checks.execute_in_process(instance=instance, raise_on_error=False, **how)
        return _stored(home) - before


def _stored(home: Path) -> int:
    """Bytes of all records of events."""
    import sqlite3

    total = 0
    for path in home.rglob("*.db"):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            total += (pages - free) * connection.execute("PRAGMA page_size").fetchone()[0]
    return total


def measure(spread: Spread) -> tuple[int, int]:
    """Bytes that the run adds with findings, and without any."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return (
            added_bytes(folder / "found", spread, planted(spread)),
            added_bytes(folder / "clean", spread, FINDINGS.empty()),
        )


def run(spreads: Sequence[Spread] = SPREADS) -> list[Ratio]:
    """Each spread once; about a minute."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    ratios = []
    for spread in spreads:
        found, clean = measure(spread)
        ratios.append(
            Ratio(
                f"event log: megabytes that {planted(spread).height} findings add, {spread.name}",
                (found - clean) / 1e6,
                BAR_BYTES / 1e6,
                higher_is_better=False,
                detail=f"{found / 1e6:.2f} MB against {clean / 1e6:.2f} MB",
            )
        )
    return ratios


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
