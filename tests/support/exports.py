"""Exports in a temporary folder, over curated bars that a test makes up.

What belongs here: rows, a lake of them, exporters. What does not: data of vendors, assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from market_data.datasets import FLAGS_DATASET, Dataset
from market_data.exports.jobs import ExportJob, bars_job
from market_data.exports.marks import Verdicts
from market_data.ports import Annotation, Decision
from market_data.quality.bar_flags import BAR_FLAGS
from market_data.quality.kept_flags import flags_to_keep
from market_data.timeframes import Timeframe

NOW = datetime(2024, 4, 1, tzinfo=UTC)
MINUTES = bars_job(Timeframe.M1)
DAYS = bars_job(Timeframe.D1)
SESSIONS = (date(2024, 1, 30), date(2024, 2, 2))
SYMBOLS = ("AAA", "BBB")


class Decided:
    """Decisions of a test, in memory."""

    def __init__(self, *made: Annotation) -> None:
        self.made = [replace(one, id=number) for number, one in enumerate(made, 1)]

    def add(self, annotation: Annotation) -> int:
        """Keep one."""
        number = len(self.made) + 1
        self.made.append(replace(annotation, id=number))
        return number

    def read(
        self,
        *,
        dataset: str | None = None,
        symbol: str | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> list[Annotation]:
        """Those that were asked for."""
        first, last = sessions or (date.min, date.max)
        return [
            one
            for one in self.made
            if dataset in (None, one.dataset)
            and symbol in (None, one.symbol)
            and one.first_session <= last
            and one.last_session >= first
        ]


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
    decided: Decided | None = None,
) -> Exporter:
    """An exporter of the lake below `root`; Polars unless another engine is given."""
    verdicts = Verdicts(DeltaBarStore(root / "warehouse"), decided or Decided())
    return Exporter(
        ExportStore(root / name, keep),
        LakeSource(str(root / "warehouse"), verdicts),
        engine or PolarsEngine(),
        FixedClock(now),
        "r1",
    )


def flag(
    root: Path, job: ExportJob, rows: pl.DataFrame, *flags: tuple[str, date, int | None, str]
) -> None:
    """Keep flags of bars: symbol, session, which bar of it (None: all of them), code."""
    said = [
        {
            "symbol": symbol,
            "session": session,
            "ts": None if bar is None else _nth(rows, symbol, session, bar),
            "check": "a check",
            "code": code,
            "severity": "error" if code == "unit_error" else "warn",
        }
        for symbol, session, bar, code in flags
    ]
    found = pl.DataFrame(said, schema=BAR_FLAGS)
    kept = flags_to_keep(found, rows, dataset=job.dataset.name, found_at=NOW)
    first, last = rows["session"].min(), rows["session"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    DeltaBarStore(root / "warehouse").replace(
        FLAGS_DATASET,
        FLAGS_DATASET.schema.conform(kept.with_columns(rule_version=pl.lit("r1"))),
        sessions=(first, last),
        symbols=rows["symbol"].unique().to_list(),
    )


def _nth(rows: pl.DataFrame, symbol: str, session: date, bar: int) -> datetime:
    found = rows.filter(pl.col("symbol") == symbol, pl.col("session") == session).sort("ts")
    start: datetime = found["ts"][bar]
    return start


def decision(
    symbol: str,
    session: date,
    decided: Decision = Decision.UNUSABLE,
    *,
    job: ExportJob = MINUTES,
    codes: tuple[str, ...] = (),
) -> Annotation:
    """A decision about a session."""
    return Annotation(
        created_at=NOW,
        author="somebody",
        dataset=job.dataset.name,
        symbol=symbol,
        first_session=session,
        last_session=session,
        decision=decided,
        reason="it was looked at",
        codes=codes,
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
