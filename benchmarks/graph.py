"""The whole graph over 1,000 sessions of 20 symbols against Dagster's own cost of that run.

Files of daily bars go through raw, curated and scores with their checks in one ranged run; a graph
of empty assets records the same materialisations on an instance of the same kind. What the data
costs is the rest.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
from dagster import AssetCheckKey, AssetKey

from adapters.configuration import register
from adapters.settings import PROJECT, Settings
from benchmarks.ratio import Ratio
from definitions import build_definitions
from emp_assets.naming import op_name
from market_data.calendars import trading_sessions
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, VendorConfig

SYMBOLS = [f"BENCH{i:02d}" for i in range(20)]
SESSIONS = 1000
FIRST = date(2020, 1, 2)
KEYS = [
    AssetKey(["raw", "plain_bars_1d"]),
    AssetKey(["curated", "bars_1d"]),
    AssetKey(["quality", "scores"]),
]


def write_files(folder: Path) -> tuple[date, date]:
    """One file per symbol; returns the first and the last session."""
    days = trading_sessions("XNYS", FIRST, FIRST + timedelta(days=1700))["session"][:SESSIONS]
    generator = np.random.default_rng(7)
    for symbol in SYMBOLS:
        close = 50 * np.exp(np.cumsum(generator.normal(0, 0.015, SESSIONS)))
        pl.DataFrame(
            {
                "ts": days.dt.strftime("%Y-%m-%d"),
                "symbol": [symbol] * SESSIONS,
                "open": close * 0.999,
                "high": close * 1.01,
                "low": close * 0.99,
                "close": close,
                "volume": generator.integers(10_000, 90_000, SESSIONS).astype(float),
            }
        ).write_csv(folder / f"{symbol}.csv")
    return days[0], days[-1]


def execute(
    definitions: dg.Definitions, home: Path, span: tuple[date, date], config: dict[str, object]
) -> float:
    """Seconds of one ranged run on an instance of its own, made as the platform makes its own."""
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    checks = {AssetCheckKey(key, "run_summary") for key in KEYS}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(KEYS), asset_check_selection=checks
    )
    tags = {
        "dagster/asset_partition_range_start": span[0].isoformat(),
        "dagster/asset_partition_range_end": span[1].isoformat(),
    }
    with dg.DagsterInstance.from_config(str(home)) as instance:
        started = time.perf_counter()
        result = job.execute_in_process(instance=instance, tags=tags, run_config={"ops": config})
        assert result.success
        return time.perf_counter() - started


def bare_definitions() -> dg.Definitions:
    """The same assets and summaries with nothing in them."""
    partitions = dg.DailyPartitionsDefinition(start_date="1990-01-01", end_offset=2)

    def asset(key: AssetKey, deps: list[AssetKey]) -> dg.AssetsDefinition:
        @dg.asset(
            key=key,
            deps=deps,
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def nothing() -> None: ...

        return nothing

    def check(key: AssetKey) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=key, name="run_summary", blocking=True)
        def passes() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=True)

        return passes

    return dg.Definitions(
        assets=[asset(key, KEYS[max(0, i - 1) : i]) for i, key in enumerate(KEYS)],
        asset_checks=[check(key) for key in KEYS],
        executor=dg.in_process_executor,
    )


def real_run(folder: Path, span: tuple[date, date]) -> float:
    """From files to scores."""
    settings = Settings(data_dir=folder / "data")
    register(
        settings,
        instruments=[
            Instrument(
                symbol=s,
                asset_class=AssetClass.EQUITY,
                calendar="XNYS",
                vendor_symbols={"plain": s},
            )
            for s in SYMBOLS
        ],
        vendors=[VendorConfig(name="plain", reader="files", timeframes=(Timeframe.D1,))],
    )
    chosen = {"symbols": SYMBOLS}
    config: dict[str, object] = {
        name: {"config": chosen}
        for key in KEYS
        for name in (op_name(key), f"{op_name(key)}__checks")
    }
    config[op_name(KEYS[0])] = {
        "config": {**chosen, "path": str(folder / "files"), "spec": "plain_daily"}
    }
    return execute(build_definitions(settings), folder / "home", span, config)


def run() -> list[Ratio]:
    """One run of each; two to four minutes."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "files").mkdir()
        span = write_files(folder / "files")
        bare = execute(bare_definitions(), folder / "bare", span, {})
        real = real_run(folder, span)
    days = (span[1] - span[0]).days + 1
    return [
        Ratio(
            "graph: files to scores against bare materialisations",
            real / bare,
            2.0,
            higher_is_better=False,
            detail=f"{real:.1f} s against {bare:.1f} s, {SESSIONS} sessions ({days} partitions) "
            f"x {len(SYMBOLS)} symbols, {datetime.now(UTC):%Y-%m-%d}",
        )
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
