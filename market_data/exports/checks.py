"""What makes an export wrong: rows that are not the source's, or no longer.

What belongs here: comparing what an export holds with its source. What does not: reading either
(adapters/exports/verifying.py), checksums of files.

Rows are compared by symbol and session: how many there are (coverage) and what they add up to
(drift). An export whose source has another content digest by now is stale.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from market_data.exports.jobs import ExportJob
from market_data.exports.manifest import UnitRecord
from market_data.quality.findings import ERROR, WARN

MANIFEST, COVERAGE, STALENESS, DRIFT = "manifest", "coverage", "staleness", "drift"
CHECKS = {
    MANIFEST: "Every file that the manifest names is there, with its checksum, its columns and its "
    "rows: all of it is read back.",
    COVERAGE: "Every symbol has as many rows of a session as the source hands out.",
    STALENESS: "The source still holds what was exported.",
    DRIFT: "The rows of a symbol and session add up to what those of the source add up to, and no "
    "more of their cells are empty.",
}
TOLERANCE = 1e-9
"""Of sums: they are added in another order."""
LATE = timedelta(days=2)
"""A stale export that is older is in error."""
FOUND = {
    "check": pl.String,
    "severity": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    "detail": pl.String,
}
_KEY = ["symbol", "session"]


def aggregates(job: ExportJob, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Per symbol and session the number of rows, and of every column of numbers sums and gaps.

    Those of parts add up: see `added`.
    """
    names = [c for c, kind in job.dataset.schema.dtypes.items() if kind.is_numeric()]
    numbers = {c: pl.col(c).cast(pl.Float64) for c in names}
    return rows.group_by(_KEY).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        *(number.sum().alias(f"sum_{c}") for c, number in numbers.items()),
        *(number.abs().sum().alias(f"size_{c}") for c, number in numbers.items()),
        *(number.null_count().cast(pl.Int64).alias(f"empty_{c}") for c, number in numbers.items()),
    )


def added(job: ExportJob, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The aggregates of all parts together."""
    empty = aggregates(job, job.dataset.schema.empty().lazy()).collect()
    return pl.concat([empty, *parts]).group_by(_KEY).agg(pl.all().sum()).sort(_KEY)


def compare(source: pl.DataFrame, export: pl.DataFrame) -> pl.DataFrame:
    """Rows of FOUND: where an export does not hold what its source hands out.

    Args:
        source: aggregates of the source.
        export: aggregates of the export, of the same sessions.
    """
    both = source.join(export, on=_KEY, how="full", coalesce=True, suffix="_here").with_columns(
        pl.col("rows", "rows_here").fill_null(0)
    )
    coverage = both.filter(pl.col("rows") != pl.col("rows_here")).select(
        check=pl.lit(COVERAGE),
        severity=pl.lit(ERROR),
        symbol="symbol",
        session="session",
        detail=pl.format("{} rows, the source hands out {}", "rows_here", "rows"),
    )
    same = both.filter(pl.col("rows") == pl.col("rows_here"))
    names = [c.removeprefix("sum_") for c in source.columns if c.startswith("sum_")]
    drift = [_drift(same, name) for name in names]
    return pl.concat([pl.DataFrame(schema=FOUND), coverage, *drift]).sort("session", "symbol")


def _drift(both: pl.DataFrame, name: str) -> pl.DataFrame:
    there, here = pl.col(f"sum_{name}"), pl.col(f"sum_{name}_here")
    most = pl.max_horizontal(f"size_{name}", f"size_{name}_here") * TOLERANCE
    # What is no number is compared as such: no difference of it is larger than anything.
    apart = ((there - here).abs() > most) | (there.is_nan() != here.is_nan())
    # An empty cell adds up to what 0 does.
    empty, empty_here = pl.col(f"empty_{name}"), pl.col(f"empty_{name}_here")
    told = pl.format("{} adds up to {}, in the source to {}", pl.lit(name), here, there)
    gaps = pl.format("{} is empty in {} rows, in the source in {}", pl.lit(name), empty_here, empty)
    return both.filter(apart | (empty != empty_here)).select(
        check=pl.lit(DRIFT),
        severity=pl.lit(ERROR),
        symbol="symbol",
        session="session",
        detail=pl.when(apart).then(told).otherwise(gaps),
    )


def stale(
    unit: UnitRecord | None,
    name: str,
    sessions: tuple[date, date],
    now: datetime,
) -> pl.DataFrame:
    """Rows of FOUND for a unit whose source is another by now, one per session of a range.

    Args:
        unit: as it was exported; None where it never was.
        name: of the unit.
        sessions: first and last session that is asked about, of this unit.
        now: the moment, aware.
    """
    if unit is None:
        told, severity = f"{name} was never exported", ERROR
    else:
        late = now - unit.written_at > LATE
        severity = ERROR if late else WARN
        told = f"{name} was exported at {unit.written_at:%Y-%m-%d %H:%M}, its source changed since"
    days = pl.date_range(*sessions, eager=True)
    return pl.DataFrame({"session": days}).select(
        check=pl.lit(STALENESS),
        severity=pl.lit(severity),
        symbol=pl.lit(""),
        session="session",
        detail=pl.lit(told),
    )
