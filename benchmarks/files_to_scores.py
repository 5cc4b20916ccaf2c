"""The whole graph over 1,000 sessions of 50 symbols, from files to scores, split into parts.

Files of daily bars go through raw, curated and scores with their checks in one ranged run. What
vendor and stores take is clocked where they are called; what Dagster takes is the time of a graph
of empty assets that records the same materialisations on an instance of the same kind; the rest is
Polars. Dagster's records lie on PostgreSQL where EMP_OPERATIONS_URL names a server whose user may
make databases, otherwise in SQLite.

What belongs here: the split of the whole. What does not: one part alone (curation.py, landing.py,
delta_store.py, ranged_run.py).
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest.mock import patch

import dagster as dg
import numpy as np
import polars as pl
from dagster import AssetCheckKey, AssetKey

from adapters.configuration import register
from adapters.operations import SqlActionLog, SqlJournal, SqlLedger, SqlQuarantineLog
from adapters.settings import PROJECT, Settings
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.stores.payload_files import PayloadFiles
from adapters.vendors.files.vendor import FilesVendor
from benchmarks.ratio import Ratio
from definitions import build_definitions
from emp_assets.naming import op_name
from market_data.calendars import trading_sessions
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, VendorConfig
from resources.event_batches import in_batches
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database

VARIABLE = "EMP_OPERATIONS_URL"
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
VENDOR, STORE = "vendor", "store"
CLOCKED: dict[str, tuple[type, ...]] = {
    VENDOR: (FilesVendor,),
    STORE: (
        DeltaRawLog,
        DeltaBarStore,
        PayloadFiles,
        SqlLedger,
        SqlJournal,
        SqlQuarantineLog,
        SqlActionLog,
    ),
}
"""Whose calls count as whose time."""

SYMBOLS = [f"BENCH{i:02d}" for i in range(50)]
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


class Clocked:
    """Seconds within the calls of some classes; a call within a call counts for the outer one."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(CLOCKED, 0.0)
        self._within = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every public method of CLOCKED is clocked meanwhile."""
        with ExitStack() as stack:
            for part, classes in CLOCKED.items():
                for found in classes:
                    for name, method in list(vars(found).items()):
                        if not name.startswith("_") and isinstance(method, FunctionType):
                            clocked = self._clocked(part, method)
                            stack.enter_context(patch.object(found, name, clocked))
            yield

    def _clocked(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            with self._counted(part):
                made = method(*given, **named)
            return self._each(part, made) if isinstance(made, Iterator) else made

        return call

    def _each(self, part: str, made: Iterator[Any]) -> Iterator[Any]:
        """What is made while somebody iterates is clocked item by item."""
        while True:
            with self._counted(part):
                item = next(made, self)
            if item is self:
                return
            yield item

    @contextmanager
    def _counted(self, part: str) -> Iterator[None]:
        if self._within:
            yield
            return
        self._within, started = True, time.perf_counter()
        try:
            yield
        finally:
            self._within = False
            self.seconds[part] += time.perf_counter() - started


@contextmanager
def own_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as the platform makes its own: on PostgreSQL where there is a server."""
    if url := os.environ.get(VARIABLE):
        with new_database(url) as database, instance_on(database) as instance:
            yield instance
        return
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    with (
        patch.dict(os.environ, {"DAGSTER_HOME": str(home)}),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        yield instance


def execute(
    definitions: dg.Definitions, home: Path, span: tuple[date, date], config: dict[str, object]
) -> float:
    """Seconds of one ranged run on an instance of its own."""
    checks = {AssetCheckKey(key, "run_summary") for key in KEYS}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(KEYS), asset_check_selection=checks
    )
    tags = {
        "dagster/asset_partition_range_start": span[0].isoformat(),
        "dagster/asset_partition_range_end": span[1].isoformat(),
    }
    with own_instance(home) as instance, in_batches():
        started = time.perf_counter()
        result = job.execute_in_process(
            instance=instance, tags=tags, run_config={"ops": config, "loggers": QUIET}
        )
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
    """One run of each; one to three minutes."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    clock = Clocked()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "files").mkdir()
        span = write_files(folder / "files")
        bare = execute(bare_definitions(), folder / "bare", span, {})
        with clock.watching():
            total = real_run(folder, span)
    vendor, store = clock.seconds[VENDOR], clock.seconds[STORE]
    polars = total - bare - vendor - store
    days = (span[1] - span[0]).days + 1
    where = "PostgreSQL" if os.environ.get(VARIABLE) else "SQLite"
    return [
        Ratio(
            "files to scores: ms per symbol-session, all in all",
            total / (SESSIONS * len(SYMBOLS)) * 1e3,
            1.0,
            higher_is_better=False,
            detail=f"{total:.1f} s of {SESSIONS} sessions x {len(SYMBOLS)} symbols = vendor "
            f"{vendor:.1f} + Polars {polars:.1f} + store {store:.1f} + Dagster {bare:.1f} "
            f"({days} partitions, records on {where}), {datetime.now(UTC):%Y-%m-%d}",
        ),
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
