"""Exports in a temporary folder, over curated bars that a test makes up.

What belongs here: rows, a lake of them, exporters. What does not: data of vendors, assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from adapters.clock import FixedClock
from adapters.exports.engine import Engine
from adapters.exports.polars_engine import PolarsEngine
from adapters.exports.running import Exporter
from adapters.exports.sources import LakeSource
from adapters.exports.store import ExportStore
from adapters.stores.delta_bar_store import DeltaBarStore
from market_data.datasets import Dataset
from market_data.exports.jobs import ExportJob, bars_job
from market_data.timeframes import Timeframe

NOW = datetime(2024, 4, 1, tzinfo=UTC)
MINUTES = bars_job(Timeframe.M1)
DAYS = bars_job(Timeframe.D1)
SESSIONS = (date(2024, 1, 30), date(2024, 2, 2))
SYMBOLS = ("AAA", "BBB")


def bars(
    dataset: Dataset = MINUTES.dataset,
    sessions: tuple[date, date] = SESSIONS,
    symbols: Sequence[str] = SYMBOLS,
    *,
    level: float = 100.0,
    each: int = 5,
) -> pl.DataFrame:
    """So many bars of each session; the last of a session is in error, the one before runs on."""
    days = pl.date_range(*sessions, eager=True).alias("session").to_frame()
    rows = (
        days.join(pl.DataFrame({"symbol": symbols}), how="cross")
        .join(pl.DataFrame({"n": range(each)}), how="cross")
        .with_row_index("row")
        .with_columns(
            ts=pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
            + pl.duration(hours=15, minutes=pl.col("n")),
            close=level + pl.col("row") / 7,
            volume=pl.when(pl.col("row") % 3 != 0).then(pl.col("row").cast(pl.Float64)),
            dq_status=pl.when(pl.col("n") == each - 1)
            .then(pl.lit("error"))
            .when(pl.col("n") == 1)
            .then(pl.lit("warn"))
            .otherwise(pl.lit("ok")),
            final=pl.col("n") != each - 2,
            flags=pl.when(pl.col("n") == 1).then(pl.lit("jump,Ä")).otherwise(pl.lit("")),
            source=pl.lit("sample"),
            filled=pl.lit(""),
            rule_version=pl.lit("r1"),
        )
        .with_columns(open=pl.col("close") - 0.5, high=pl.col("close") + 1, low=pl.col("close") - 1)
    )
    return dataset.schema.conform(rows)


def put(root: Path, job: ExportJob, rows: pl.DataFrame) -> None:
    """Make the lake hold exactly these rows of their sessions and symbols."""
    first, last = rows["session"].min(), rows["session"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    symbols = rows["symbol"].unique().to_list()
    DeltaBarStore(root / "warehouse").replace(
        job.dataset, rows, sessions=(first, last), symbols=symbols
    )


def exporter(
    root: Path,
    engine: Engine | None = None,
    *,
    now: datetime = NOW,
    keep: timedelta = timedelta(hours=48),
    name: str = "exports",
) -> Exporter:
    """An exporter of the lake below `root`; Polars unless another engine is given."""
    return Exporter(
        ExportStore(root / name, keep),
        LakeSource(str(root / "warehouse")),
        engine or PolarsEngine(),
        FixedClock(now),
        "r1",
    )


def quiet(_: str) -> None:
    """Nobody hears of progress."""


def exported(exporter: Exporter, job: ExportJob) -> pl.DataFrame:
    """The rows of an export as a reader without this program meets them, with their folders."""
    folder = exporter.store.folder(job)
    manifest = exporter.store.manifest(job)
    run = {path.path.split("year=")[0] for path in manifest.files}
    return pl.concat(
        pl.read_parquet(
            [folder / f.path for f in manifest.files if f.path.startswith(start)],
            hive_partitioning=True,
            hive_schema={name: pl.String() for name in job.partitions},
        )
        for start in sorted(run)
    )
